"""Folders whose events are lost, or that go away with all their files and come back."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.faults.seen import IMPATIENT, decoder_held, next_good_frame_is_scored, paths, pending, quarantined

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEAF = """
from edge_agent.watch.native import NativeObserver
NativeObserver.on_any_event = lambda *_: None
"""


@pytest.mark.parametrize(("observer", "first"), [("polling", ""), ("native", DEAF)], ids=["polling", "deaf"])
def test_without_any_file_event_every_frame_is_scored(tmp_path: Path, models: Path, observer: str, first: str) -> None:
    stream = f'observer = "{observer}"\nscan_interval_s = 0.5'
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, stream=stream).start(first=first) as agent:
        agent.ready()
        names = [f"S{number // 10}/{number:02d}.tif" for number in range(40)]
        for number, name in enumerate(names):
            write_frame(agent.watched / name, frame(number))
        until(lambda: len(paths(agent)) >= len(names), f"every frame; the agent said:\n{agent.log}")
        write_frame(agent.watched / names[0], frame(99))  # rewritten in place: its folder's time tells nothing
        until(lambda: len(paths(agent)) == len(names) + 1, "the frame that was written anew")
        assert sorted(paths(agent)[:-1]) == names
        assert agent.metric('edge_agent_discovered_total{stream="sem",via="scan"}') == len(names) + 1
        assert 'via="event"' not in agent.metrics().replace('via="event"} 0.0', "")


def renamed_away(folder: Path) -> Callable[[], None]:
    away = folder.with_name("away")
    folder.rename(away)
    return lambda: away.rename(folder)


def unmounted(folder: Path) -> Callable[[], None]:
    """The same drive at another place, an empty folder at its own: what `umount` leaves behind."""
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    subprocess.run(["mount", "--bind", str(folder), str(elsewhere)], check=True)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)

    def back() -> None:
        subprocess.run(["mount", "--bind", str(elsewhere), str(folder)], check=True)
        subprocess.run(["umount", "--lazy", str(elsewhere)], check=True)

    return back


@pytest.fixture(params=["renamed", "unmounted"])
def leaving(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Callable[[Path], Callable[[], None]]]:
    """A folder, and how it goes away; that in turn gives how it comes back."""
    if request.param == "renamed":
        return tmp_path / "images", renamed_away
    return request.getfixturevalue("small_disk"), unmounted


def test_frames_wait_for_a_folder_that_goes_away_with_them(
    tmp_path: Path, models: Path, leaving: tuple[Path, Callable[[Path], Callable[[], None]]]
) -> None:
    folder, leave = leaving
    with AgentProcess(tmp_path / "home", folder, model_dirs=models).start(first=IMPATIENT) as agent:
        agent.ready()
        with decoder_held(agent):
            names = [f"{number}.tif" for number in range(5)]
            for number, name in enumerate(names):
                write_frame(folder / name, frame(number))
            until(lambda: pending(agent) == len(names), "the frames to be admitted")
            come_back = leave(folder)
        try:
            reason = agent.unready("frames of sem")
            assert str(folder) in reason
            assert agent.readiness()["ready"] is False
            assert quarantined(agent) == {}
        finally:
            come_back()
        until(lambda: len(paths(agent)) == len(names) + 1, f"the frames that waited; the agent said:\n{agent.log}", 20)
        agent.ready()
        next_good_frame_is_scored(agent)
        assert quarantined(agent) == {}
        assert sorted(paths(agent)) == sorted(["before.tif", *names, "next_good.tif"]), "nothing is pruned, so nothing is told again"


def test_a_frame_that_is_gone_when_its_folder_comes_back_keeps_nobody_waiting(tmp_path: Path, models: Path) -> None:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models).start(first=IMPATIENT) as agent:
        agent.ready()
        with decoder_held(agent):
            write_frame(agent.watched / "lost.tif", frame(1))
            until(lambda: pending(agent) == 1, "the frame to be admitted")
            come_back = renamed_away(agent.watched)
        agent.unready("frames of sem")
        (agent.watched.with_name("away") / "lost.tif").unlink()
        come_back()
        until(lambda: quarantined(agent) == {"lost.tif": "vanished"}, f"the quarantine; the agent said:\n{agent.log}", 20)
        agent.ready()
        next_good_frame_is_scored(agent)


def test_a_folder_made_anew_is_watched_and_an_agent_started_without_it_waits(tmp_path: Path, models: Path) -> None:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models).start() as agent:
        agent.ready()
        next_good_frame_is_scored(agent, "S0/one.tif")
        shutil.rmtree(agent.watched)
        assert "waiting for folder" in agent.unready("watch sem")
        agent.stop()
        agent.start()
        assert "waiting for folder" in agent.unready("watch sem")
        agent.watched.mkdir()
        agent.ready()
        next_good_frame_is_scored(agent, "S0/two.tif")
        assert quarantined(agent) == {}
