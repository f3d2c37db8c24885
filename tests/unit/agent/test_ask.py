"""Orders that are given while no agent runs: those that can be carried out wait, the others are refused at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import ask
from edge_agent.config import AgentSettings, ModelSettings, Settings, StreamSettings
from edge_agent.core.errors import EdgeAgentError
from edge_agent.journal.lock import StateLock
from edge_agent.pipeline import Orders
from tests.operators_bench import S, bench, in_alarm
from tests.streams import Stage

if TYPE_CHECKING:
    from pathlib import Path

WHO = ("A. Curie", "the new filament")


def settings(state_dir: Path) -> Settings:
    stream = StreamSettings(name=S, path=state_dir, model=ModelSettings(name="sem-real"))
    return Settings(agent=AgentSettings(state_dir=state_dir), stream=(stream,))


@pytest.mark.parametrize(
    ("verb", "stream", "unknown", "said"),
    [
        ("ack", None, True, "refused: no episode xxx is known; nothing was changed"),
        ("wrong", None, True, "refused: no episode xxx is known; nothing was changed"),
        ("ack", S, True, "refused: no episode xxx is known on stream sem; nothing was changed"),
        ("ack", "other", False, "is known on stream other; nothing was changed"),
    ],
)
async def test_an_episode_that_the_journal_does_not_know_is_refused_at_once(
    tmp_path: Path, verb: str, stream: str | None, unknown: bool, said: str
) -> None:
    async with bench(tmp_path) as made:
        episode = await in_alarm(made, Stage(9))
    with pytest.raises(EdgeAgentError, match=said):
        ask(settings(tmp_path), verb, *WHO, stream=stream, episode="xxx" if unknown else episode)
    assert Orders(tmp_path).waiting() == []


async def test_an_episode_that_the_journal_knows_waits_for_the_next_run(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        episode = await in_alarm(made, Stage(9))
    assert "the order waits" in ask(settings(tmp_path), "ack", *WHO, episode=episode)
    (order,) = Orders(tmp_path).waiting()
    assert (order.verb, order.episode) == ("ack", episode)


async def test_a_process_that_has_the_last_agents_number_is_not_waited_for(tmp_path: Path) -> None:
    async with bench(tmp_path):
        (tmp_path / "lock").write_text(str(os.getpid()))
    assert "no agent runs here at present" in ask(settings(tmp_path), "hold", *WHO, patience_s=1.0, stream=S)


async def test_an_agent_that_runs_answers_for_itself(tmp_path: Path) -> None:
    async with bench(tmp_path):
        pass
    lock = StateLock(tmp_path)
    try:
        said = ask(settings(tmp_path), "ack", *WHO, patience_s=0.2, stream=S, episode="xxx")
    finally:
        lock.close()
    assert "the order stays with it" in said, "its journal may know the episode by then"
