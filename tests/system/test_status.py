"""status tells how an agent stands by its own word while it runs, and by the journal when it does not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.an_agent import RUN, AgentProcess, frame, until, write_frame
from tests.peers.kafka import free_port

if TYPE_CHECKING:
    from pathlib import Path


def edge_agent(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def status(agent: AgentProcess) -> dict[str, Any]:
    answer = edge_agent("status", "--json", "--config", agent.config)
    assert answer.returncode == 0, answer.stderr
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


def test_a_running_agent_is_asked_and_a_stopped_one_is_told_from_its_journal(tmp_path: Path, models: Path) -> None:
    (tmp_path / "token").write_text("hush")
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    guarded = f'listen = "127.0.0.1:{free_port()}"\ntoken_file = "{(tmp_path / "token").as_posix()}"'
    agent.config.write_text(agent.config.read_text().replace('listen = "127.0.0.1:0"', guarded))
    (agent.watched / "broken.tif").write_bytes(b"no image at all")
    write_frame(agent.watched / "one.tif", frame(1))
    with agent.start():
        until(lambda: agent.events("frame.quarantined") and agent.events("frame.scored"), "both files")
        told = status(agent)
        assert told["agent"]["pid"] == agent.pid
        assert told["agent"]["status"] in {"ok", "degraded"}
        assert told["agent"]["parts"]["watch sem"]["state"] == "ok"
        assert told["agent"]["memory_bytes"] > 10_000_000
        (bad,) = told["quarantined"]
        assert (bad["stream"], bad["path"]) == ("sem", "broken.tif")
        assert "broken.tif: " in bad["said"]
        assert "; " in bad["said"], "with the way out"
        assert told["journal_bytes"] > 0
        agent.watched.rename(tmp_path / "away")
        until(lambda: status(agent)["agent"]["status"] == "unready", "the folder to be missed")
        shown = edge_agent("status", "--config", agent.config).stdout
        assert f"An agent runs here: process {agent.pid}, version " in shown
        assert "It is not ready." in shown
        assert "watch sem: unready: waiting for folder" in shown
        (tmp_path / "token").write_text("another")
        assert "the token has changed since it started" in status(agent)["agent"]["not_asked"]
        agent.kill()
    told = status(agent)
    assert told["agent"] is None
    assert [stream["stream"] for stream in told["streams"]] == ["sem"]
    assert "No agent runs here." in edge_agent("status", "--config", agent.config).stdout


def test_an_order_that_waits_is_shown_and_can_be_withdrawn(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    assert agent.run_once() == 0
    words = ("--who", "A. Curie", "--why", "an unseen lot", "--config", agent.config)
    told = edge_agent("hold", "--for", "2h", *words).stdout
    assert "the order waits" in edge_agent("hold", *words).stdout
    first, second = status(agent)["orders_waiting"]
    assert f"`edge-agent status --withdraw {first['id'][:8]}` takes it back" in told
    assert (first["verb"], first["for_s"], first["who"]) == ("hold", 7200, "A. Curie")
    shown = edge_agent("status", "--config", agent.config).stdout
    assert f"edge-agent status --withdraw {first['id'][:8]}" in shown
    gone = edge_agent("status", "--withdraw", first["id"][:8], "--config", agent.config)
    assert gone.stdout == "withdrawn: hold by A. Curie: an unseen lot\n"
    assert [order["id"] for order in status(agent)["orders_waiting"]] == [second["id"]]
    again = edge_agent("status", "--withdraw", first["id"][:8], "--config", agent.config)
    assert again.returncode == 1
    assert "no order of that name waits" in again.stderr
    assert agent.run_once() == 0
    assert "until released" in edge_agent("status", "--config", agent.config).stdout
    assert status(agent)["orders_waiting"] == []
