"""`python -m tests.faults.bench --seed N [--kills 200] [--minutes 60] [--faults a,b] [--keep DIR] [--report FILE]`.

Exit code 1 on a difference. The seed decides the script, the frames and the weather; the script lies in DIR/script.json
before the first fault.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tests.faults.bench.bench import Order, bench, tell
from tests.faults.bench.script import KINDS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bench", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--kills", type=int, default=200, help="kill -9 of agent, decoder, broker, Triton or its worker")
    parser.add_argument("--minutes", type=float, default=60.0, help="when to stop inflicting faults")
    parser.add_argument("--faults", default="", help=f"comma-separated; all that are possible here when absent: {', '.join(KINDS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="of durations and bursts")
    parser.add_argument("--rate", type=float, default=4.0, help="frames a second")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps script, truth, journal, logs and report")
    parser.add_argument("--report", type=Path, help="JSON; a page of text lands beside it")
    given = parser.parse_args()
    kinds = tuple(filter(None, given.faults.split(",")))
    if unknown := set(kinds) - KINDS.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    order = Order(given.seed, given.kills, given.minutes, kinds, given.scale, given.rate, keep=given.keep)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that disks are unmounted and peers ended
    report = bench(order)
    tell(report, given.report)
    sys.exit(1 if report["differences"] else 0)


main()
