"""How long a model that was asked has said nothing: known seconds before its request is given up."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.core.protocols import Clock

SILENT_S = 2.5
"""A model is overdue when it owes answers and has given none for so long."""
USUALLY = 2.0
"""Or for so many times what an answer usually takes, where that is longer: a slow model is not away."""
WEIGHT, LONGEST_S = 0.2, 10.0
"""Of the newest answer in the usual time, and the most that one answer counts, so that an outage is soon forgotten."""


class Silence:
    """Hears of every request to one model and of its end.

    Args:
        clock: measures.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending = 0
        self._waiting_since_s = 0.0
        self._heard_s = -math.inf
        self._usual_s = 0.0

    @contextmanager
    def asked(self) -> Iterator[None]:
        """A request is under way; it was answered unless an exception ends it."""
        began_s = self._clock.monotonic_s()
        if not self._pending:
            self._waiting_since_s = began_s
        self._pending += 1
        try:
            yield
            self._heard_s = self._waiting_since_s = self._clock.monotonic_s()
            self._usual_s += WEIGHT * (min(LONGEST_S, self._heard_s - began_s) - self._usual_s)
        finally:
            self._pending -= 1

    @property
    def unheard_s(self) -> float:
        """Seconds since the last answer, infinite before the first."""
        return self._clock.monotonic_s() - self._heard_s

    @property
    def overdue_s(self) -> float:
        """Seconds since the model owes an answer, 0 while that is no longer than one may take."""
        silent_s = self._clock.monotonic_s() - self._waiting_since_s if self._pending else 0.0
        return silent_s if silent_s >= max(SILENT_S, USUALLY * self._usual_s) else 0.0
