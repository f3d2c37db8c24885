"""What an alert has promised is there afterwards: at once, at the next start, or as a note that says why not."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from edge_agent.core.clock import SystemClock
from edge_agent.core.evidence_place import evidence_place
from edge_agent.core.frame import FileIdentity, SettledFile, SettleOutcome
from edge_agent.core.naming import NameRule
from edge_agent.core.verdict import DriftState, EpisodeChange, FrameRef, Kind, Phase, Verdict
from edge_agent.evidence import EvidenceKeeper, Source, keeper
from edge_agent.evidence.folder import EvidenceFolder
from edge_agent.frames import DecodeLimits, decode
from edge_agent.inference import EmbeddedPredictor
from edge_agent.journal import Commit, Journal
from edge_agent.pipeline import StreamLine
from edge_agent.pipeline.conclude import conclude
from edge_agent.pipeline.line import Job
from tests.an_agent import frame, write_frame
from tests.served_model import write_tiny_model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOTHING = Verdict(0.1, 1.0, DriftState.IN_CONTROL)
BOTH = frozenset({"strip.png", "local-map.png"})


class Script:
    """A judge that says what the test wants of the next frame."""

    def __init__(self) -> None:
        self.next: Any = None
        self.refs: dict[str, FrameRef] = {}

    def update(self, observation: Any) -> Verdict:
        self.refs[observation.ref.path] = observation.ref
        if self.next is None:
            return NOTHING
        (phase, revision, kind, episode, names), self.next = self.next, None
        evidence = tuple(self.refs[name] for name in names)
        change = EpisodeChange(
            episode, phase, revision, kind, 0.9, evidence[0], evidence, "The noise is high.", "Image the reference standard."
        )
        return Verdict(2.0, 1.0, DriftState.ALARM, (change,))

    def to_json(self) -> str:
        return "{}"


class Lab:
    """A journal that real frames, predicted by a real model, go through; only the judge is scripted."""

    def __init__(self, home: Path, journal: Journal, predictor: EmbeddedPredictor, model: Path) -> None:
        self.images, self.state_dir, self.journal, self.model = home / "images", home / "state", journal, model
        self.judge = Script()
        self.predictor = predictor
        rules = NameRule("folder"), NameRule("none")
        unused: Any = None
        self.line = StreamLine("sem", self.images, *rules, unused, predictor, self.judge, None, None, BOTH)

    async def image(self, name: str, seed: int, alert: tuple[Phase, int, Kind, str, list[str]] | None = None) -> dict[str, Any] | None:
        """Write a frame, let it be judged, and return the alert's data."""
        path = write_frame(self.images / name, frame(seed))
        return await self.judged(name, path, alert)

    async def judged(self, name: str, path: Path, alert: Any = None) -> dict[str, Any] | None:
        state = await asyncio.to_thread(path.stat)
        identity = FileIdentity("sem", name, state.st_size, state.st_mtime_ns)
        (admission,) = await self.journal.admit([SettledFile(identity, SettleOutcome.COMPLETE, state.st_mtime_ns)])
        job = Job(admission, self.line, admission.generation, decode(str(path), name))
        job.predictions = await self.predictor.predict(job.frames)
        self.judge.next = alert
        concluded = conclude("pc7", job, SystemClock().now_ns())
        await self.journal.commit(Commit((concluded.file,), {}, concluded.events))
        told = [json.loads(event.data) for event in concluded.events if event.type.startswith("edge.alert.")]
        return told[0] if told else None

    async def keep(self, episodes: int = 100, **options: Any) -> None:
        """Run a keeper, as an agent's start does, until it has made all it can."""
        made = EvidenceKeeper(self.state_dir, {"sem": Source(self.images, self.model)}, episodes, **options)
        task = asyncio.create_task(made.run())
        await asyncio.wait_for(made.drained(), 60)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        made.close()

    def files(self, episode: str = "e1") -> dict[str, bytes]:
        place = self.state_dir / evidence_place("sem", episode)
        return {path.name: path.read_bytes() for path in place.iterdir()} if place.is_dir() else {}

    def record(self, episode: str = "e1") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files(episode)["evidence.json"])
        return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", with_map=True)


@pytest_asyncio.fixture
async def lab(tmp_path: Path, model: Path) -> AsyncIterator[Lab]:
    journal = await Journal.open(tmp_path / "state", clock=SystemClock())
    predictor = EmbeddedPredictor(model, threads=1, idle_s=None)
    await predictor.start()
    try:
        yield Lab(tmp_path, journal, predictor, model)
    finally:
        await predictor.stop()
        await journal.close()


OPENED = (Phase.OPENED, 0, Kind.ACQUISITION_CHANGE, "e1", ["S1/a.tif", "S1/b.tif"])


async def an_episode(lab: Lab) -> dict[str, Any]:
    for number in range(3):
        await lab.image(f"S0/{number}.tif", number)
    await lab.image("S1/a.tif", 10)
    told = await lab.image("S1/b.tif", 11, OPENED)
    assert told is not None
    return told


async def test_the_event_names_what_is_there_afterwards(lab: Lab) -> None:
    told = await an_episode(lab)
    assert (told["evidence_dir"], told["strip"]) == ("evidence/sem/e1", "evidence/sem/e1/strip.png")
    assert not (lab.state_dir / told["evidence_dir"]).exists(), "the event goes first"
    await lab.keep()
    for name in ("strip", "local_map"):
        assert (lab.state_dir / told[name]).read_bytes().startswith(b"\x89PNG")
    record = lab.record()
    assert [(row["path"], row["standing"]) for row in record["evidence"]] == [("S1/a.tif", "shown"), ("S1/b.tif", "shown")]
    assert [row["path"] for row in record["before"]] == ["S0/1.tif", "S0/2.tif"]
    assert record["mapped"]["path"] in {"S1/a.tif", "S1/b.tif"}
    assert "note.txt" not in lab.files()
    made = {path: path.stat().st_mtime_ns for path in (lab.state_dir / "evidence").rglob("*")}
    await lab.keep()
    assert {path: path.stat().st_mtime_ns for path in (lab.state_dir / "evidence").rglob("*")} == made, "what is made is not made again"


async def test_after_a_crash_a_note_says_what_is_missing(lab: Lab) -> None:
    await an_episode(lab)
    (lab.images / "S1/a.tif").unlink()
    write_frame(lab.images / "S1/b.tif", frame(99))
    await lab.keep()
    assert set(lab.files()) == {"note.txt", "evidence.json"}
    assert lab.files()["note.txt"].decode().splitlines() == [
        "No picture was made: none of the evidence frames can be shown.",
        "S1/a.tif [frame 0]: the file is no longer there",
        "S1/b.tif [frame 0]: the file has changed since it was judged",
    ]


async def test_a_file_rewritten_and_judged_again_is_not_taken_for_the_evidence(lab: Lab) -> None:
    await an_episode(lab)
    await lab.image("S1/b.tif", 99)
    await lab.keep()
    assert [row["standing"] for row in lab.record()["evidence"]] == ["shown", "changed"]


async def test_another_kind_is_drawn_again_but_never_over_a_better_picture(lab: Lab) -> None:
    await an_episode(lab)
    await lab.keep()
    first = lab.files()["strip.png"]
    await lab.image("S1/c.tif", 12, (Phase.UPDATED, 1, Kind.UNSEEN_LOT, "e1", ["S1/a.tif", "S1/b.tif", "S1/c.tif"]))
    await lab.keep()
    second = lab.files()["strip.png"]
    assert second != first
    assert lab.record()["revision"] == 1
    for name in "abc":
        (lab.images / f"S1/{name}.tif").unlink()
    await lab.image("S1/d.tif", 13, (Phase.UPDATED, 2, Kind.UNRELATED, "e1", ["S1/a.tif", "S1/b.tif", "S1/c.tif", "S1/d.tif"]))
    await lab.keep()
    assert lab.files()["strip.png"] == second
    assert (
        lab.files()["note.txt"].decode().startswith("The pictures are those made while 3 of the evidence frames could be shown; now 1 can.")
    )
    assert lab.record()["kind"] == "unrelated"


async def test_only_the_newest_episodes_are_kept(lab: Lab) -> None:
    await an_episode(lab)
    await lab.keep()
    for number in (2, 3):
        name = f"S{number}/a.tif"
        await lab.image(name, 20 + number, (Phase.OPENED, 0, Kind.UNSEEN_LOT, f"e{number}", [name]))
    await lab.keep(2)
    assert (lab.files("e1"), set(lab.files("e3"))) == ({}, {"strip.png", "local-map.png", "evidence.json"})


@pytest.mark.parametrize(("does", "said"), [("os._exit(9)", "exit code 9"), ("time.sleep(600)", "took more than 0.5 s")])
async def test_a_worker_that_is_lost_over_it_leaves_a_note(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, said: str
) -> None:
    await an_episode(lab)
    (tmp_path / "lost_worker.py").write_text(
        "import os, time\nfrom edge_agent.evidence.task import Task\nfrom edge_agent.frames.worker import serve\n"
        f"serve(Task, lambda task: {does}, print)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(keeper, "WORKER", "lost_worker")
    if "sleep" in does:
        monkeypatch.setattr(keeper, "PATIENCE_S", 0.5)
    await lab.keep()
    assert f"was lost over it ({said})" in lab.files()["note.txt"].decode()
    assert set(lab.files()) == {"note.txt", "evidence.json"}


async def test_a_worker_without_memory_says_that_it_cannot_read(lab: Lab) -> None:
    await an_episode(lab)
    await lab.keep(limits=DecodeLimits(memory_bytes=64 << 20))
    assert {row["standing"] for row in lab.record()["evidence"]} == {"unreadable"}


async def test_a_name_that_is_no_unicode_is_found_again(lab: Lab) -> None:
    told = await lab.image("S1/b\udcff.tif", 11, (Phase.OPENED, 0, Kind.ACQUISITION_CHANGE, "e1", ["S1/b\udcff.tif"]))
    assert told is not None
    assert told["evidence_paths"] == ["S1/b\\udcff.tif"]
    await lab.keep()
    assert [(row["path"], row["standing"]) for row in lab.record()["evidence"]] == [("S1/b\\udcff.tif", "shown")]


async def test_none_wanted_is_none_made(lab: Lab) -> None:
    await an_episode(lab)
    await lab.keep(0)
    assert not (lab.state_dir / "evidence").exists()
    assert EvidenceKeeper(lab.state_dir, {"sem": Source(lab.images, None)}, 0).promised("sem") == frozenset()
    assert EvidenceKeeper(lab.state_dir, {"sem": Source(lab.images, None)}, 1).promised("sem") == {"strip.png"}


def test_what_lies_there_as_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data.txt").write_text("keep me")
    streams = tmp_path / "state" / "evidence" / "sem"
    streams.mkdir(parents=True)
    (streams / "old").symlink_to(precious)
    (streams.parent / "other").symlink_to(tmp_path)
    EvidenceFolder(tmp_path / "state").keep_only([])
    assert (precious / "data.txt").read_text() == "keep me"
    assert not (streams / "old").exists()


@pytest.mark.parametrize("episode", ["../../../etc", "a/b", "", "..", "C:\\x", "NUL", "x" * 300, "é", "a\0b", ".hidden"])
def test_no_episode_leads_out_of_the_folder(tmp_path: Path, episode: str) -> None:
    folder = EvidenceFolder(tmp_path)
    folder.write("sem", episode, {"kind": "unrelated"}, {"strip.png": b"png"}, ["a note \udcff"])
    assert folder.record("sem", episode) == {"kind": "unrelated"}
    (place,) = (tmp_path / "evidence" / "sem").iterdir()
    assert {path.name for path in place.iterdir()} == {"strip.png", "note.txt", "evidence.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]


def test_a_torn_record_counts_as_none(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path)
    folder.write("sem", "e1", {"kind": "unrelated"}, {}, [])
    (tmp_path / "evidence/sem/e1/evidence.json").write_bytes(b'{"kind": "unr')
    assert folder.record("sem", "e1") is None
