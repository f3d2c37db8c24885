"""How long `edge-agent --help` takes: `python -m tests.benchmarks help`; target: at most 0.4 s of wall time."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from tests.an_agent import RUN

TURNS = 9


def wall_s(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    wall_s("-c", RUN, "--help")  # the first run may write .pyc files
    turns = [(wall_s("-c", "pass"), wall_s("-c", RUN, "--help")) for _ in range(TURNS)]
    nothing_s, help_s = (statistics.median(column) for column in zip(*turns, strict=True))
    print(f"median of {TURNS} turns; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'command':24}{'s':>8}{'target':>8}")
    print(f"{'python -c pass':24}{nothing_s:>8.3f}")
    print(f"{'edge-agent --help':24}{help_s:>8.3f}{0.4:>8}")
    print(f"{'ratio':24}{help_s / nothing_s:>8.1f}")


main()
