"""What an agent's log says of members left out: each change once, whichever canary found it and whatever number it gave."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from edge_agent.agent.chores import Chores


def predictor(*, stale: set[int] = frozenset(), missing: set[int] = frozenset(), said: str = "") -> Any:
    return SimpleNamespace(left_out=(frozenset(stale), frozenset(missing)), degradation=said)


def lines_of(*answers: Any) -> list[tuple[str, str]]:
    nothing: Any = None
    chores = Chores(nothing, nothing, nothing)
    with capture_logs() as lines:
        for answer in answers:
            chores._tell_degradation("tiny", answer)
    return [(line["log_level"], line.get("reason", "")) for line in lines]


def test_a_number_that_varies_from_canary_to_canary_is_no_news() -> None:
    found = lines_of(*(predictor(stale={1}, said=f"member 2 differs by {size}") for size in ("0.3", "0.31", "0.29")))
    assert found == [("warning", "member 2 differs by 0.3")]


def test_other_members_are_news_and_so_is_their_return() -> None:
    found = lines_of(predictor(), predictor(stale={1}, said="stale"), predictor(missing={1}, said="missing"), predictor(), predictor())
    assert found == [("warning", "stale"), ("warning", "missing"), ("info", "")]
