"""The demo as it runs: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from edge_agent.demo.outcome import Outcome
    from edge_agent.demo.record import Point, Record

BARS = " ▁▂▃▄▅▆▇█"
HIGHEST_ENTROPY = 1.0986
"""Nats: three lots, equally likely."""
LINES = 10
MOST_FRAMES = 10**9
"""Evidence beyond this is told as this."""


class View:
    """Shows a record while it grows; use as a context manager."""

    def __init__(self, console: Console, record: Record, expected: int) -> None:
        self._console = console
        self._record = record
        self._expected = expected
        self._lines: list[str] = []
        self._live = Live(console=console, refresh_per_second=8, transient=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def show(self, line: str | None) -> None:
        """Draw the record's newest state; `line` is an alert worth a line of its own."""
        if line:
            self._lines = [*self._lines[-(LINES - 1) :], line]
        if self._live:
            self._live.update(self._screen())
        elif line:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif self._record.points and (len(self._record.points) == 1 or self._record.points[-1].sample != self._record.points[-2].sample):
            point = self._record.points[-1]
            place = f"frame {len(self._record.points)}/{self._expected}"
            said = f"{place}  sample {point.sample}  entropy {point.entropy:.3f}  {_evidence(point)}"
            self._console.print(said, markup=False, highlight=False, soft_wrap=True)

    def _screen(self) -> Group:
        points = self._record.points
        width = max(20, self._console.width - 16)
        threshold = next((point.threshold for point in reversed(points) if point.threshold), 1.0)
        samples, entropy, drift = Text("samples    "), Text("entropy    "), Text("evidence   ")
        shown = points[-width:]
        for before, point in zip([None, *shown], shown, strict=False):
            samples.append("|" if before is None or before.sample != point.sample else " ")
            colour = "red" if point.in_alarm else "green"
            entropy.append(_bar(point.entropy / HIGHEST_ENTROPY), colour)
            drift.append("?" if point.statistic is None else _bar(point.statistic / (2 * threshold)), colour)
        state = Text("waiting for the first frame")
        if points:
            last = points[-1]
            said = f"{len(points)}/{self._expected}  sample {last.sample}  predicted {last.lot}  {_evidence(last)}  "
            state = Text.assemble(said, (f"ALARM{self._diagnosis()}", "bold red") if last.in_alarm else ("in control", "green"))
        alerts = Text("\n".join(self._lines), no_wrap=False)
        curves = Panel(Group(state, samples, entropy, drift), title="edge-agent demo", subtitle="evidence at half height alarms")
        return Group(curves, Panel(alerts, title="alerts"))

    def _diagnosis(self) -> str:
        """What the newest open episode was last told to be."""
        told = next((alarm.tellings[-1] for alarm in reversed(self._record.alarms.values()) if alarm.closed is None), None)
        return f": {told.kind.value} ({told.confidence:.0%})" if told else ""


def outcome_table(outcome: Outcome) -> Table:
    """Injected against found, in figures."""
    table = Table(title="Injected and found", caption="delay and closed: frames after the change and after its end")
    for heading in ("injected", "frames", "found as", "right", "delay", "closed", "repeats"):
        table.add_column(heading, no_wrap=True)
    for row in outcome.rows:
        table.add_row(
            row.injection.shift,
            f"{row.injection.first}-{row.injection.last}",
            row.kind.value if row.kind else "NOT FOUND",
            "yes" if row.kind_is_right else "NO",
            "-" if row.delay is None else str(row.delay),
            "-" if row.closed_after is None else str(row.closed_after),
            str(row.repeats),
        )
    for alarm in outcome.false_alarms:
        table.add_row("nothing", str(alarm.opened), alarm.kind.value, "FALSE ALARM", "-", "-", "-")
    return table


def _evidence(point: Point) -> str:
    """The evidence of change against its limit, in words."""
    if point.statistic is None or point.threshold is None:
        return "not judged"
    return f"evidence of change {min(10**point.statistic, MOST_FRAMES):,.0f}, alarm at {10**point.threshold:,.0f}"


def _bar(share: float) -> str:
    return BARS[min(len(BARS) - 1, max(0, round(share * (len(BARS) - 1))))]
