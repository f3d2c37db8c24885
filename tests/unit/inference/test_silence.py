"""A model that owes answers is overdue after a while that grows with what its answers usually take."""

from __future__ import annotations

import contextlib

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.inference.silence import SILENT_S, Silence


class Hands(SystemClock):
    def __init__(self) -> None:
        self.at_s = 100.0

    def monotonic_s(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> Hands:
    return Hands()


def test_a_model_that_was_not_asked_owes_nothing(clock: Hands) -> None:
    silence = Silence(clock)
    clock.at_s += 1000
    assert silence.overdue_s == 0
    assert silence.unheard_s == float("inf")


def test_it_is_overdue_until_it_answers(clock: Hands) -> None:
    silence = Silence(clock)
    with silence.asked():
        clock.at_s += SILENT_S - 0.1
        assert silence.overdue_s == 0
        clock.at_s += 0.2
        assert silence.overdue_s == pytest.approx(SILENT_S + 0.1)
    assert silence.overdue_s == 0
    clock.at_s += 7
    assert silence.unheard_s == 7


def test_answers_to_others_count_and_failures_do_not(clock: Hands) -> None:
    silence = Silence(clock)
    with silence.asked():
        clock.at_s += 2
        with silence.asked():
            clock.at_s += 0.4
        clock.at_s += 2
        assert silence.overdue_s == 0, "it answered another request meanwhile"
        with contextlib.suppress(TimeoutError), silence.asked():
            clock.at_s += 1
            raise TimeoutError
        assert silence.overdue_s == 3


def test_a_slow_model_is_not_away_and_one_long_outage_is_soon_forgotten(clock: Hands) -> None:
    silence = Silence(clock)
    for _ in range(30):
        with silence.asked():
            clock.at_s += 2
    with silence.asked():
        clock.at_s += 3.5
        assert silence.overdue_s == 0
        clock.at_s += 600
    for _ in range(15):
        with silence.asked():
            clock.at_s += 0.01
    with silence.asked():
        clock.at_s += SILENT_S
        assert silence.overdue_s > 0
