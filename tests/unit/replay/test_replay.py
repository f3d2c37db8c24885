"""A real journal of a real agent, judged again."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import Agent
from edge_agent.agent.past import with_other_limits
from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import ConfigurationError, EdgeAgentError, JournalError, ModelError
from edge_agent.drift import load_calibration
from edge_agent.journal import Journal, JournalView, operation
from edge_agent.pipeline import Order, Orders, Period
from edge_agent.replay import Replayed, Standing, Step, replay_folder, replay_journal
from edge_agent.replay.alarms import FACTS
from edge_agent.replay.report import preamble
from tests.past_of import FIRST, FRAMES, SAMPLES, STRANGE, alerts_told, more_frames, work_off, write_calibration, write_past

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.config import Settings, StreamSettings
    from edge_agent.journal.operation import Word

ALWAYS = Period()


def no_one(_: Step) -> None: ...


def journal(settings: Settings, period: Period = ALWAYS, *, hear: Callable[[Step], None] = no_one, **other: object) -> Replayed:
    limits = {"calibration": None, "false_alarms_per_month": None, "frames_per_hour": None} | other
    return replay_journal(settings, with_other_limits(settings.stream[0], **limits), period, hear)


def facts(alerts: list[dict]) -> list[dict]:
    return [{name: data[name] for name in FACTS} for data in alerts]


def digest(settings: Settings) -> dict[str, str]:
    """Every file of the state directory but SQLite's shared memory, by its bytes."""
    files = (path for path in settings.agent.place.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def copied(past: Settings, tmp_path: Path) -> Settings:
    """A journal of one's own to spoil."""
    shutil.copytree(past.agent.place, tmp_path / "state")
    return past.model_copy(update={"agent": past.agent.model_copy(update={"state_dir": tmp_path / "state"})})


def edit(settings: Settings, statement: str) -> None:
    connection = sqlite3.connect(settings.agent.place / "journal.sqlite3")
    with connection:
        connection.execute(statement)
    connection.close()


def test_the_same_calibration_and_thresholds_give_exactly_the_alarms_that_were_raised(past: Settings) -> None:
    before, heard = digest(past), []
    replayed = journal(past, hear=heard.append)
    told = alerts_told(past)
    assert {data["phase"] for data in told} >= {"opened", "closed"}, "the past holds an alarm that came and went"
    assert facts([data for step in heard for data in step.alerts]) == facts(told)
    assert {line.standing for line in replayed.lines} == {Standing.SAME}
    assert [line.replayed.facts for line in replayed.lines] == [line.raised.facts for line in replayed.lines]
    assert replayed.frames == replayed.as_recorded == SAMPLES * FRAMES
    assert (replayed.first_at, replayed.last_at) == (FIRST, FIRST + timedelta(minutes=SAMPLES * FRAMES - 1))
    assert (replayed.left_out, replayed.pruned, replayed.warm_up) == ({}, False, 0)
    assert digest(past) == before


@pytest.mark.parametrize("minute", [1, STRANGE[0] * FRAMES + 1, (STRANGE[1] + 1) * FRAMES, SAMPLES * FRAMES - 1])
def test_a_period_is_judged_as_it_was_wherever_it_begins_and_ends(past: Settings, minute: int) -> None:
    whole = journal(past)
    cut = FIRST + timedelta(minutes=minute)
    earlier, later = journal(past, Period(until=cut - timedelta(minutes=1))), journal(past, Period(since=cut))
    assert (earlier.frames, later.frames, later.warm_up) == (minute, SAMPLES * FRAMES - minute, minute)
    assert earlier.as_recorded == earlier.frames
    assert later.as_recorded == later.frames
    assert [line.alarm.facts for line in (*earlier.lines, *later.lines)] == [line.alarm.facts for line in whole.lines]


def test_a_calibration_that_has_seen_the_noise_would_have_raised_nothing(past: Settings, models: Path, tmp_path: Path) -> None:
    wide = write_calibration(models, tmp_path / "wide.json", (6.0, 48.0))
    replayed = journal(past, calibration=wide)
    assert replayed.lines
    assert {line.standing for line in replayed.lines} == {Standing.NO_LONGER}
    assert replayed.calibration == "noises (6.0, 48.0)"
    assert replayed.as_recorded is not None
    assert replayed.as_recorded < replayed.frames


def test_another_limit_alone_leaves_the_evidence_what_it_was_and_is_told(past: Settings) -> None:
    replayed = journal(past, false_alarms_per_month=0.9)
    assert replayed.limits is not None
    then, now = replayed.limits
    assert now > then
    assert replayed.as_recorded == replayed.frames
    said = " ".join(preamble(replayed))
    assert f"The alarm limit is {10**now:,.0f} frames; it was {10**then:,.0f}." in said
    same = journal(past)
    assert "The alarm limit" not in " ".join(preamble(same))


def test_a_calibration_that_has_not_would_have_raised_something_new(models: Path, tmp_path: Path) -> None:
    write_calibration(models, tmp_path / "wide.json", (6.0, 48.0))
    settings = write_past(tmp_path, models, calibration="wide.json")
    work_off(settings)
    assert alerts_told(settings) == []
    assert {line.standing for line in journal(settings).lines} == set()
    tight = journal(settings, calibration=models / "tiny" / "calibration.json")
    assert {line.standing for line in tight.lines} == {Standing.NEW}
    assert tight.lines[0].alarm.newest["onset_sample"] == f"S{STRANGE[0]}"


def test_another_threshold_is_another_threshold(past: Settings) -> None:
    thresholds: dict[float, float | None] = {}
    for rate in (0.01, 1.0, 1000.0):
        steps: list[Step] = []
        journal(past, hear=steps.append, false_alarms_per_month=rate)
        thresholds[rate] = max(step.verdict.threshold for step in steps if step.verdict.threshold is not None)
    assert thresholds[0.01] > thresholds[1.0] > thresholds[1000.0]


def test_a_folder_is_judged_as_once_would_and_leaves_no_trace(past: Settings, tmp_path: Path) -> None:
    aside = past.model_copy(update={"agent": past.agent.model_copy(update={"state_dir": tmp_path / "state"})})
    steps: list[Step] = []
    replayed = replay_folder(aside, aside.stream[0], past.stream[0].path, ALWAYS, steps.append)
    assert facts([data for step in steps for data in step.alerts]) == facts(alerts_told(past)), "down to the episodes' names"
    assert {line.standing for line in replayed.lines} == {Standing.NEW}
    assert (replayed.frames, replayed.as_recorded) == (SAMPLES * FRAMES, None)
    assert list(replayed.left_out.values()) == [1], "the broken file"
    assert list(tmp_path.iterdir()) == []


async def test_a_journal_in_use_can_be_replayed(copied: Settings) -> None:
    held = await Journal.open(copied.agent.place, clock=SystemClock())
    try:
        replayed = await asyncio.to_thread(journal, copied)
        assert replayed.as_recorded == replayed.frames
    finally:
        await held.close()


def test_frames_that_were_forgotten_are_said_to_be(copied: Settings) -> None:
    edit(copied, f"DELETE FROM frame WHERE rowid <= {FRAMES}")
    replayed = journal(copied)
    assert replayed.pruned
    assert replayed.frames == (SAMPLES - 1) * FRAMES


def test_frames_that_lack_what_is_judged_are_refused_in_the_period_and_passed_over_before_it(copied: Settings) -> None:
    edit(copied, f"UPDATE frame SET data = json_remove(data, '$.log_noise', '$.declared_lot') WHERE rowid <= {FRAMES}")
    with pytest.raises(JournalError, match=r"f0\.tif in the journal: was recorded without declared_lot, log_noise; choose a later"):
        journal(copied)
    later = journal(copied, Period(since=FIRST + timedelta(minutes=FRAMES)))
    assert later.frames == (SAMPLES - 1) * FRAMES
    assert list(later.left_out.values()) == [FRAMES]
    with pytest.raises(JournalError, match="without declared_lot, log_noise"):
        journal(copied, Period(since=FIRST + timedelta(minutes=FRAMES - 1)))


def test_frames_of_another_model_are_left_out_and_refused_where_there_are_no_others(copied: Settings) -> None:
    other = "ef" * 32
    edit(copied, f"UPDATE frame SET data = json_set(data, '$.model_digest', '{other}') WHERE rowid <= {FRAMES}")
    assert journal(copied).left_out == {"frames of another model": FRAMES}
    edit(copied, f"UPDATE frame SET data = json_set(data, '$.model_digest', '{other}')")
    with pytest.raises(ModelError, match=rf"were scored by the graph with SHA-256 {other}, model tiny is [0-9a-f]{{64}}"):
        journal(copied)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("PRAGMA user_version = 99", "was written by a newer edge-agent"),
        ("PRAGMA user_version = 0", "has the schema of an older release"),
        ("DELETE FROM frame", "keeps no scored frame of stream sem"),
    ],
)
def test_a_journal_that_cannot_be_replayed_says_why(copied: Settings, spoil: str, said: str) -> None:
    edit(copied, spoil)
    with pytest.raises(JournalError, match=said):
        journal(copied)


def test_what_cannot_be_replayed_is_told(past: Settings, models: Path, tmp_path: Path) -> None:
    stream = past.stream[0]
    nowhere = past.model_copy(update={"agent": past.agent.model_copy(update={"state_dir": tmp_path / "none"})})
    with pytest.raises(JournalError, match="there is no journal"):
        journal(nowhere)
    with pytest.raises(EdgeAgentError, match="none of 64 frames was taken in the period; widen"):
        journal(past, Period(since=FIRST + timedelta(days=30)))

    def folder(path: Path, of: StreamSettings = stream) -> None:
        replay_folder(past, of, path, ALWAYS, no_one)

    with pytest.raises(ConfigurationError, match="there is no such folder"):
        folder(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="holds no frame file of stream sem"):
        folder(tmp_path)
    (tmp_path / "bad.tif").write_bytes(b"II*\0 nothing" * 20)
    with pytest.raises(EdgeAgentError, match=r"no frame of it can be read \(bad.tif: "):
        folder(tmp_path)


def test_alarms_come_with_the_frames_that_opened_and_closed_them(past: Settings) -> None:
    replayed = journal(past)
    alarm = replace(replayed.lines[0]).alarm
    assert alarm.opened is not None
    assert alarm.opened.frame.sample == f"S{STRANGE[0]}"
    assert alarm.opened.frame.path == alarm.told[0]["path"]
    assert alarm.opened.number == int(alarm.opened.frame.path.partition("/f")[2].removesuffix(".tif"))


async def told_by_operators(settings: Settings, *orders: dict[str, str]) -> None:
    """Run the agent on its folder until every order was carried out, then end it."""
    waiting = Orders(settings.agent.place)
    for number, about in enumerate(orders, 1):
        waiting.give(Order.model_validate({"stream": "sem", "who": "A. Curie", "why": "a test", "asked_at_ns": number, **about}))
    agent = Agent(settings)
    running = asyncio.create_task(agent.run())
    async with asyncio.timeout(60):
        while waiting.waiting():  # noqa: ASYNC110 - the folder tells nobody
            await asyncio.sleep(0.05)
    agent.stop()
    await running


def words_of(settings: Settings) -> list[Word]:
    return JournalView(settings.agent.place).look(lambda connection: operation.words(connection, "sem"))


def test_what_operators_said_is_no_difference(models: Path, tmp_path: Path) -> None:
    """Noise to the end: the open episode is acknowledged, the noise goes on, it is re-based, and restored."""
    settings = write_past(tmp_path, models, noisy=tuple(range(2, 4)), samples=4)
    work_off(settings)
    (opened,) = {data["episode"] for data in alerts_told(settings)}
    asyncio.run(told_by_operators(settings, {"verb": "ack", "episode": opened}))
    more_frames(settings, samples=range(4, 24))
    work_off(settings)
    asyncio.run(told_by_operators(settings, {"verb": "rebase"}))
    more_frames(settings, samples=range(24, 27))
    work_off(settings)
    calibration = load_calibration(models / "tiny" / "calibration.json")
    asyncio.run(told_by_operators(settings, {"verb": "restore", "baseline": calibration.digest[:16]}))
    more_frames(settings, samples=range(27, 29))
    work_off(settings)
    assert [(word.verb, word.applied) for word in words_of(settings)] == [("ack", True), ("rebase", True), ("restore", True)], words_of(
        settings
    )
    replayed = journal(settings)
    assert replayed.as_recorded == replayed.frames == 29 * FRAMES
    assert {line.standing for line in replayed.lines} == {Standing.SAME}
    assert len(replayed.lines) == 2, "the one that was re-based away, and the one that the restored baseline raised"
    assert all(line.replayed.facts[0] == line.raised.facts[0] for line in replayed.lines)
