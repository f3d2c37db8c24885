"""A real agent under the watch that a Windows service keeps; the service control manager itself cannot be had here."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from edge_agent.service import Supervisor
from tests.an_agent import AgentProcess, frame, until, write_frame


def supervised(home: Path, models: Path) -> tuple[Supervisor, AgentProcess, list[int], threading.Thread]:
    agent = AgentProcess(home, home / "images", model_dirs=models)
    command = [sys.executable, "-P", "-m", "edge_agent.cli", "run", "--stop-with-stdin", "--config", str(agent.config)]
    supervisor = Supervisor(command, home / "log" / "service.log", pause_s=0.1)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(supervisor.run()), daemon=True)
    thread.start()
    return supervisor, agent, codes, thread


def scored(agent: AgentProcess, name: str) -> bool:
    return any(event["data"]["path"] == name for event in agent.events("frame.scored"))


def child(agent: AgentProcess, but: int = 0) -> int:
    for process in psutil.Process().children():
        if process.pid != but and str(agent.config) in process.cmdline():
            return process.pid
    return 0


def test_an_agent_is_started_again_after_kill_nine_and_ends_orderly_when_the_service_stops(tmp_path: Path, models: Path) -> None:
    supervisor, agent, codes, thread = supervised(tmp_path, models)
    try:
        write_frame(agent.watched / "0.tif", frame(0))
        until(lambda: scored(agent, "0.tif"), "the first frame")
        first = child(agent)
        os.kill(first, signal.SIGKILL)
        until(lambda: child(agent, but=first), "another start")
        write_frame(agent.watched / "1.tif", frame(1))
        until(lambda: scored(agent, "1.tif"), "the second frame")
    finally:
        supervisor.stop()
        thread.join(20)
    assert codes == [0]
    assert len(agent.events("agent.stopped")) == 1
    log = (tmp_path / "log" / "service.log").read_text()
    assert "exit code -9" in log
    assert "standard input closed" in log


def test_a_bad_configuration_is_not_tried_again(tmp_path: Path, models: Path) -> None:
    (tmp_path / "images").mkdir()
    config = tmp_path / "edge-agent.toml"
    config.write_text("[[stream]]\nnmae = 1\n")
    command = [sys.executable, "-P", "-m", "edge_agent.cli", "run", "--stop-with-stdin", "--config", str(config)]
    assert Supervisor(command, tmp_path / "log" / "service.log", pause_s=0.1).run() == 78
    assert "nmae is no setting" in (tmp_path / "log" / "service.log").read_text()


def test_what_the_agent_writes_fills_files_of_bounded_size(tmp_path: Path) -> None:
    chatty = [sys.executable, "-c", "for _ in range(700): print('x' * 99_999)"]
    log = tmp_path / "log" / "service.log"
    assert Supervisor(chatty, log).run() == 0
    files = sorted(log.parent.iterdir())
    assert [file.name for file in files] == ["service.log", *(f"service.log.{number}" for number in range(1, 6))]
    assert sum(file.stat().st_size for file in files) < 61_000_000


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    supervisor = Supervisor([str(tmp_path / "python")], tmp_path / "service.log", pause_s=60)
    thread = threading.Thread(target=supervisor.run, daemon=True)
    thread.start()
    log = tmp_path / "service.log"
    until(lambda: log.exists() and "cannot be started (No such file" in log.read_text(), "the reason in the log")
    supervisor.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_an_agent_does_not_outlive_its_service(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path, tmp_path / "images", model_dirs=models)
    statement = f"""
from pathlib import Path
from edge_agent.service import Supervisor
import sys
command = [sys.executable, "-P", "-m", "edge_agent.cli", "run", "--stop-with-stdin", "--config", {str(agent.config)!r}]
Supervisor(command, Path({str(tmp_path / "service.log")!r})).run()
"""
    host = subprocess.Popen([sys.executable, "-c", statement])
    write_frame(agent.watched / "0.tif", frame(0))
    until(lambda: scored(agent, "0.tif"), "the first frame")
    inner = next(process for process in psutil.Process(host.pid).children() if str(agent.config) in process.cmdline())
    host.kill()
    host.wait()
    until(lambda: not inner.is_running() or inner.status() == psutil.STATUS_ZOMBIE, "the agent's end")
    assert agent.events("agent.stopped")
