"""No room for the journal: the agent stays up and says so, and goes on where it was when there is room."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.faults.seen import IMPATIENT, next_good_frame_is_scored, paths, quarantined

if TYPE_CHECKING:
    from pathlib import Path


def fill(ballast: Path) -> None:
    """Leave no byte free on the disk that holds `ballast`."""
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def test_an_agent_whose_disk_is_full_waits_for_room(tmp_path: Path, models: Path, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models) as agent:
        agent.config.write_text(agent.config.read_text().replace(agent.state_dir.as_posix(), (small_disk / "state").as_posix()))
        agent.state_dir = small_disk / "state"
        agent.start(first=IMPATIENT).ready()
        names = [f"{number:03d}.tif" for number in range(60)]
        for number, name in enumerate(names[:20]):
            write_frame(agent.watched / name, frame(number))
        until(lambda: len(paths(agent)) == 20, "the first frames")

        for outage, first in enumerate((20, 40)):
            fill(ballast)
            for number, name in enumerate(names[first : first + 20], first):
                write_frame(agent.watched / name, frame(number))
            assert "free space on the disk" in agent.unready("journal", saying="no room")
            assert agent.readiness()["ready"] is False
            assert len(paths(agent)) < first + 20
            if outage:  # a crash in the midst of it
                agent.kill()
                ballast.unlink()
                agent.start(first=IMPATIENT)
            else:
                ballast.unlink()
            until(lambda frames=first + 20: len(paths(agent)) >= frames, f"the frames that waited; the agent said:\n{agent.log}")
            agent.ready()
        next_good_frame_is_scored(agent)
        assert agent.stop() == 0
        assert Counter(paths(agent)) == Counter([*names, "next_good.tif"])
        assert quarantined(agent) == {}
        sequence = [int(event["sequence"]) for event in agent.events()]
        assert sequence == list(range(1, len(sequence) + 1)), "events keep their order, none is missing and none is told twice"
