"""kill -9 at thirty random moments: every frame reaches a read-committed consumer exactly once, and the alerts are those of a quiet run."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.journal import JournalView
from tests.an_agent import AgentProcess, frame, until, write_frame

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.kafka import KafkaBroker

FRAMES = 300
KILLS = 30
EPISODE = range(150, 210)
ADMITTED, FINISHED = 0, 1
"""Places in `progress`."""
SEED = int(os.environ.get("EDGE_AGENT_TEST_SEED", "7"))


def feed(folder: Path, numbers: range) -> None:
    """Frames of samples of fifteen; within EPISODE the noise is several times what it was."""
    for number in numbers:
        pixels = frame(number, noise=30.0 if number in EPISODE else 6.0)
        write_frame(folder / f"S{number // 15:02d}" / f"{number:04d}.tif", pixels)


def kafka_table(broker: KafkaBroker) -> str:
    return f'[kafka]\nbootstrap_servers = "{broker.address}"\n'


def progress(agent: AgentProcess) -> tuple[int, int, int]:
    """Files admitted, files finished and events acknowledged so far, by the journal alone."""
    try:
        with closing(sqlite3.connect(f"{(agent.state_dir / 'journal.sqlite3').as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            (admitted,) = connection.execute("SELECT count(*) FROM admission").fetchone()
            (finished,) = connection.execute("SELECT count(*) FROM admission WHERE outcome IS NOT NULL").fetchone()
            (acknowledged,) = connection.execute("SELECT published_up_to FROM journal").fetchone()
    except sqlite3.OperationalError:  # no journal yet
        return 0, 0, 0
    return admitted, finished, acknowledged


def where(agent: AgentProcess, before: tuple[int, int, int], fed: int) -> str:
    """What the agent was at when it died, by what it left undone."""
    now = progress(agent)
    admitted, finished, _ = now
    if (view := JournalView.open(agent.state_dir)) is None or now == before:
        return "starting"
    if admitted < fed:
        return "admitting"
    if finished < admitted:
        return "reading, predicting or committing"
    return "publishing" if view.status().unsent_events else "idle"


def told(broker: KafkaBroker, agent: str) -> list[tuple[Any, ...]]:
    """The agent's alerts as a consumer that is not ours reads them: equal alerts have equal kinds, onsets and evidence."""
    mine = [record.value for record in broker.read("edge.alerts") if record.value["agent"] == agent]
    return [(alert["kind"], alert["onset_path"], alert["revision"], tuple(alert["evidence_paths"])) for alert in mine]


@pytest.mark.timeout(300)
def test_thirty_kills_lose_nothing_and_tell_nothing_twice(tmp_path: Path, models: Path, kafka: KafkaBroker, kcat: None) -> None:
    watched = tmp_path / "images"
    feed(watched, range(FRAMES))
    with AgentProcess(tmp_path / "quiet", watched, model_dirs=models, tables=kafka_table(kafka), name="quiet") as quiet:
        assert quiet.run_once(120) == 0, quiet.log

    # the same frames again, in the same order, flow in while the agent is killed
    flowing = tmp_path / "flowing"
    rng = random.Random(SEED)
    at: Counter[str] = Counter()
    with AgentProcess(tmp_path / "killed", flowing, model_dirs=models, tables=kafka_table(kafka), name="killed") as agent:
        for kill in range(KILLS):
            before = progress(agent)
            agent.start()
            feed(flowing, range(kill * FRAMES // KILLS, (kill + 1) * FRAMES // KILLS))
            if kill % 3 == 0:
                time.sleep(rng.uniform(0.0, 2.0))
            else:  # full work comes at no fixed time after a start: aim at a first step of it, and strike at random soon after
                # its last commit begins the narrowest moment, in which events are published and not yet noted as published
                step, enough = rng.choice(((ADMITTED, before[ADMITTED] + 1), (FINISHED, (kill + 1) * FRAMES // KILLS)))
                until(lambda step=step, enough=enough: progress(agent)[step] >= enough, f"work; the agent said:\n{agent.log}")
                time.sleep(rng.uniform(0.0, 0.04))
            agent.kill()
            at[where(agent, before, (kill + 1) * FRAMES // KILLS)] += 1
        print(f"killed while {', '.join(f'{what}: {times}' for what, times in at.most_common())}")
        assert agent.run_once(120) == 0, agent.log

    frames = [record.value for record in kafka.read("edge.frames")]
    assert Counter(event["path"] for event in frames if event["agent"] == "killed") == Counter(
        f"S{number // 15:02d}/{number:04d}.tif" for number in range(FRAMES)
    )
    assert sum(at.values()) - at["idle"] >= KILLS // 2, f"most kills must strike an agent at work, but it was {at}"
    assert told(kafka, "quiet"), "the quiet run must have raised an alert, or equality would prove nothing"
    assert told(kafka, "killed") == told(kafka, "quiet")
