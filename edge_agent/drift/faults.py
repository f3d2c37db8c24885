"""Rules of the pixels alone: a detector that sees nothing, whatever the network says of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.core.frame import AcquisitionStatistics
    from edge_agent.drift.tables import LotTable

FLAT_LOG_SIGMA = -6.2
"""Logarithm of a standard deviation of 0.2 % of full scale; real frames of empty mount reach down to 1 %."""
MOSTLY = 0.5
"""Share of pixels at a limit of the detector's range from which it is blind."""
FAULTY_FRAMES = 2
"""Blind frames in a row that make a detector fault; a single one is a blanked beam."""


def is_blind(statistics: AcquisitionStatistics, table: LotTable) -> bool:
    """Whether more than half the pixels stand at a limit, or there is next to no contrast, beyond what this lot ever shows."""
    at_limit = statistics.low_fraction + statistics.high_fraction
    return (at_limit > MOSTLY and at_limit > table.limit_fraction) or statistics.log_sigma < FLAT_LOG_SIGMA


def reason_of_blindness(statistics: AcquisitionStatistics) -> str:
    """What such a frame shows, for people."""
    share = statistics.low_fraction + statistics.high_fraction
    if share > MOSTLY:
        return f"{share:.0%} of the pixels stand at a limit of the detector's range."
    return f"The frame holds next to no signal: its standard deviation is {math.exp(statistics.log_sigma):.2%} of full scale."
