"""How often the demo passes: `python -m tests.benchmarks demo_seeds`; SEEDS=20 by default, UNDECLARED=1 withholds the samples' lots.

Found, rightly named and falsely alarmed are counted apart, and nothing is left out. Peak memory is of this process.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console

from edge_agent.demo import run_demo
from edge_agent.observe import configure_logging


def main() -> None:
    configure_logging("error", "console")
    seeds = range(int(os.environ.get("SEEDS", "20")))
    declared = not os.environ.get("UNDECLARED")
    counts = {"passed": 0, "found": 0, "right": 0, "injected": 0, "false": 0}
    print("seed  passed  filament                    unseen                      unrelated                   false alarms  s")
    for seed in seeds:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            outcome = run_demo(Path(place), Console(file=io.StringIO()), seed=seed, rate=0.0, declared=declared)
        counts["passed"] += outcome.passed
        counts["injected"] += len(outcome.rows)
        counts["found"] += sum(row.kind is not None for row in outcome.rows)
        counts["right"] += sum(row.kind_is_right for row in outcome.rows)
        counts["false"] += len(outcome.false_alarms)
        cells = [f"{row.kind.value} +{row.delay} x{row.repeats}" if row.kind else "MISSED" for row in outcome.rows]
        found = "  ".join(f"{cell:26}" for cell in cells)
        false, took_s = len(outcome.false_alarms), time.monotonic() - began
        print(f"{seed:4}  {outcome.passed!s:6}  {found}  {false:12}  {took_s:.0f}", flush=True)
    print(
        f"passed {counts['passed']}/{len(seeds)}, found {counts['found']}/{counts['injected']}, "
        f"rightly named {counts['right']}/{counts['injected']}, false alarms {counts['false']}; "
        f"memory now {psutil.Process().memory_info().rss / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
