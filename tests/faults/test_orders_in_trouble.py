"""Operators' orders and a real agent: heeded while it runs, kept while it does not, and carried out once when it is killed over one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.core.errors import EdgeAgentError
from edge_agent.journal import JournalView
from tests.an_agent import AgentProcess, frame, until, write_frame

if TYPE_CHECKING:
    from pathlib import Path

FRAMES_A_SAMPLE = 4
DIES_BEFORE_IT_TAKES_THE_ORDER_AWAY = "import os, edge_agent.pipeline.orders as o; o.Orders.done = lambda self, order: os._exit(137)"
WHO = ("--who", "A. Curie", "--why", "the new filament")


def feed(folder: Path, numbers: range, noise: float) -> None:
    for number in numbers:
        for place in range(FRAMES_A_SAMPLE):
            write_frame(folder / f"S{number:03d}" / f"{place}.tif", frame(number * FRAMES_A_SAMPLE + place, noise=noise))


def said(agent: AgentProcess, *arguments: str) -> tuple[int, str]:
    """A verb's exit code and words."""
    result = CliRunner().invoke(app, [*arguments, "--config", str(agent.config)])
    if isinstance(result.exception, EdgeAgentError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, " ".join(result.output.split())


def told(agent: AgentProcess, kind: str, number: int) -> list[dict[str, Any]]:
    """The data of the events of a kind, once there are so many."""
    until(lambda: len(agent.events(kind)) >= number, f"{number} events {kind}; the agent said:\n{agent.log}")
    return [event["data"] for event in agent.events(kind)]


def test_an_agent_killed_over_a_rebase_has_carried_it_out_once(tmp_path: Path, models: Path) -> None:
    watched = tmp_path / "images"
    with AgentProcess(tmp_path / "home", watched, model_dirs=models) as agent:
        feed(watched, range(4), noise=6.0)
        feed(watched, range(10, 34), noise=30.0)
        agent.start(first=DIES_BEFORE_IT_TAKES_THE_ORDER_AWAY)
        told(agent, "edge.frame.scored", 28 * FRAMES_A_SAMPLE)
        (opened,) = told(agent, "edge.alert.opened", 1)
        assert opened["episode"] in said(agent, "alarm", "list")[1]

        _, words = said(agent, "baseline", "rebase", *WHO)
        assert "is judged by baseline" in words or "no agent runs" in words, "it may die before the verb has looked"
        assert agent.wait() == 137
        (order,) = (agent.state_dir / "orders").iterdir()

        agent.start()
        until(lambda: not order.exists(), f"the order to be taken away; the agent said:\n{agent.log}")
        (changed,) = told(agent, "edge.baseline.changed", 1)
        assert (changed["change"], changed["operator"], changed["episode"]) == ("rebased", "A. Curie", opened["episode"])
        (closed,) = told(agent, "edge.alert.closed", 1)
        assert closed["episode"] == opened["episode"]
        feed(watched, range(40, 46), noise=30.0)
        told(agent, "edge.frame.scored", 34 * FRAMES_A_SAMPLE)
        code, shown = said(agent, "baseline", "show")
        assert code == 0
        assert f"judged by baseline {changed['new_baseline']} (provisional: 6 of 20 samples confirm it)" in shown
        assert said(agent, "status")[1].count(f"judged by the re-based baseline {changed['new_baseline']}, provisionally") == 1

        code, words = said(agent, "baseline", "rebase", "--restore", changed["old_baseline"], *WHO)
        assert (code, "is judged by baseline " + changed["old_baseline"] in words) == (0, True), words
        assert agent.stop() == 0
        assert [event["data"]["change"] for event in agent.events("edge.baseline.changed")] == ["rebased", "restored"]


def test_an_acknowledged_episode_and_a_false_alarm_show_in_status_and_metrics(tmp_path: Path, models: Path) -> None:
    watched = tmp_path / "images"
    with AgentProcess(tmp_path / "home", watched, model_dirs=models) as agent:
        feed(watched, range(4), noise=6.0)
        feed(watched, range(10, 14), noise=30.0)
        agent.start()
        (opened,) = told(agent, "edge.alert.opened", 1)
        told(agent, "edge.frame.scored", 8 * FRAMES_A_SAMPLE)
        code, words = said(agent, "baseline", "ack", *WHO)
        assert (code, f"acknowledged: {opened['episode']}" in words) == (0, True), words
        kind = JournalView(agent.state_dir).status().open_alerts[0]["kind"]
        assert agent.metric(f'edge_agent_alert_open{{kind="{kind}",stream="sem"}}') == 0
        assert said(agent, "baseline", "ack", *WHO) == (
            1, f"refused: acknowledged already: {opened['episode']} by A. Curie; nothing was changed",
        )  # fmt: skip
        assert "acknowledged by A. Curie: the new filament" in said(agent, "status")[1]
        assert said(agent, "alarm", "wrong", opened["episode"], "--who", "B. Ray", "--why", "a lamp was on")[0] == 0
        assert "sem: alarms marked wrong in the last 30 days: 1; the setting of 1 a month" in said(agent, "status")[1]
        assert agent.stop() == 0


def test_an_order_waits_for_an_agent_that_does_not_run_and_comes_before_its_first_frame(tmp_path: Path, models: Path) -> None:
    watched = tmp_path / "images"
    with AgentProcess(tmp_path / "home", watched, model_dirs=models) as agent:
        assert said(agent, "hold", *WHO)[1].endswith("check [agent] state_dir, or run the agent once")
        feed(watched, range(1), noise=6.0)
        assert agent.run_once() == 0, agent.log
        code, words = said(agent, "hold", "--for", "2h", *WHO)
        assert (code, "no agent runs here at present; the order waits" in words) == (0, True)
        feed(watched, range(1, 2), noise=6.0)
        assert agent.run_once() == 0, agent.log
        held = [event["data"]["held"] for event in agent.events("edge.frame.scored")]
        assert held == [False] * FRAMES_A_SAMPLE + [True] * FRAMES_A_SAMPLE
        assert "every frame is referred, by word of A. Curie, until" in said(agent, "status")[1]
        for wrong in (("--for", "soon"), ("--for", "0s"), ("--release", "--for", "2h")):
            assert said(agent, "hold", *wrong, *WHO)[0] == 2
        assert said(agent, "hold", "--stream", "other", *WHO) == (
            78, "--stream other: there is no such stream in the configuration; known: sem",
        )  # fmt: skip


def test_a_run_without_frames_carries_out_every_order_that_waits(tmp_path: Path, models: Path) -> None:
    (tmp_path / "images").mkdir()
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models) as agent:
        assert agent.run_once() == 0, agent.log
        for _ in range(6):
            said(agent, "baseline", "ack", *WHO)
        said(agent, "hold", *WHO)
        assert len(list((agent.state_dir / "orders").iterdir())) == 7
        assert agent.run_once() == 0, agent.log
        assert list((agent.state_dir / "orders").iterdir()) == []
        assert "held" in said(agent, "status")[1]
