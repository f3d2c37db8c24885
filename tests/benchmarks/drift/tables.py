"""Tables of the page, and figures in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tests.benchmarks.drift.gates import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.drift.tuning import RunLength


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)])


def length_said(length: RunLength) -> tuple[str, str, str]:
    """A run length, its interval and its alarms."""
    value = f"{length.value:,.0f}" if length.alarms else f"> {length.frames:,}"
    return value, f"{length.low:,.0f} to {length.high:,.0f}" if length.alarms else f"from {length.low:,.0f}", str(length.alarms)


def delay_said(found: Sequence[float]) -> str:
    """Median / 90 % point, and the share that was missed."""
    if not found:
        return "-"
    missed = sum(map(math.isinf, found)) / len(found)
    median, late = (("missed" if math.isinf(value) else f"{value:.0f}") for value in (quantile(found, 0.5), quantile(found, 0.9)))
    return f"{median} / {late}" + (f" ({100 * missed:.0f} %)" if missed else "")
