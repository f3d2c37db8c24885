"""A replay as a picture: the evidence of change against its limit, sample boundaries, and the alarms; matplotlib comes with an extra."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.replay.comparison import Standing

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.replay.replay import Replayed, Step

COLOURS = {Standing.SAME: "tab:grey", Standing.CHANGED: "tab:orange", Standing.NEW: "tab:red", Standing.NO_LONGER: "tab:blue"}
BEYOND_LIMIT = 100.0
"""Times the limit up to which evidence is drawn."""


class Drawing:
    """Gathers frames and draws them.

    Raises ConfigurationError at once where matplotlib is not installed or the file's form is unknown.
    """

    def __init__(self, path: Path) -> None:
        try:
            from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
        except ImportError:
            raise ConfigurationError(
                "--plot", "matplotlib is not installed", "pip install '.[train]' in the checkout, or leave --plot out"
            ) from None
        self._figure = Figure(figsize=(14, 5), layout="constrained")
        known = self._figure.canvas.get_supported_filetypes()
        if path.suffix.removeprefix(".").lower() not in known:
            raise ConfigurationError(f"--plot {path}", "its ending names no form of picture", "end it in .png, .svg or .pdf")
        self._path = path
        self._evidence: list[float] = []
        self._limits: list[float] = []
        self._samples: list[str | None] = []

    def add(self, step: Step) -> None:
        """Take a frame of the period; one that was not judged leaves a gap."""
        verdict = step.verdict
        self._evidence.append(math.nan if verdict.statistic is None else 10.0**verdict.statistic)
        self._limits.append(math.nan if verdict.threshold is None else 10.0**verdict.threshold)
        self._samples.append(step.observation.ref.sample)

    def write(self, replayed: Replayed) -> None:
        """Draw all of it; raises EdgeAgentError when the file cannot be written."""
        axes = self._figure.subplots()
        axes.set_yscale("log")
        axes.plot(self._evidence, color="black", linewidth=0.8, label="evidence of change")
        axes.plot(self._limits, color="tab:red", linestyle="--", label="alarm limit")
        for number, sample in enumerate(self._samples):
            if number and sample != self._samples[number - 1]:
                axes.axvline(number - 0.5, color="0.9", linewidth=0.8, zorder=0)
        last = len(self._evidence) - 1
        for line in replayed.lines:
            alarm, colour = line.alarm, COLOURS[line.standing]
            first = 0 if alarm.opened is None else max(0, alarm.opened.number - replayed.warm_up)
            end = last if alarm.closed is None else min(last, alarm.closed.number - replayed.warm_up)
            axes.axvspan(first - 0.5, end + 0.5, color=colour, alpha=0.2, linewidth=0)
            label = f"{line.standing.value}: {alarm.newest['kind']}"
            axes.annotate(label, (first, 0.98), xycoords=("data", "axes fraction"), rotation=90, va="top", fontsize=8, color=colour)
        limits = [value for value in self._limits if math.isfinite(value)]
        if limits:
            axes.set_ylim(0.9, BEYOND_LIMIT * max(limits))
        axes.set_xlabel(f"frames of the period, from {replayed.first_at:%Y-%m-%d %H:%M} to {replayed.last_at:%Y-%m-%d %H:%M} UTC")
        axes.set_ylabel("evidence of change: reached by chance at most\nonce in so many normal frames")
        axes.set_title(f"{replayed.stream}: {replayed.calibration}", fontsize=9)
        axes.legend(loc="upper right")
        try:
            self._figure.savefig(self._path)
        except OSError as error:
            raise EdgeAgentError(f"--plot {self._path}", f"it cannot be written ({error.strerror})", "name a file you may write") from None
