"""`python -m tests.hostile [--all] [--minutes M] [--draw N] [--files N] [--form NAME] [--kind IDEA]`: the corpus, and a table by format."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.frames import DecodeLimits
from tests.hostile.bench import Bench, table
from tests.hostile.corpus import corpus, sample
from tests.hostile.opened import opened_below
from tests.hostile.seeds import seeds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.seed import Hostile

PROGRESS_EVERY = 1000
SLOWEST = 12


def main() -> int:
    """Run what was asked for; 1 where the invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--all", action="store_true", help="everything, which takes up to an hour; a sample otherwise")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long: the smallest seeds come first")
    parser.add_argument("--draw", type=int, default=0, help="which sample")
    parser.add_argument("--files", type=int, default=1000, help="how many files a sample has")
    parser.add_argument("--form", help="only files of this format's seeds")
    parser.add_argument("--kind", help="only this idea")
    parser.add_argument("--time-s", type=float, default=10.0, help="how long one file may take, seconds")
    asked = parser.parse_args()
    chosen = [seed for seed in seeds() if asked.form in {None, seed.form}]
    files: Iterator[Hostile] = corpus(chosen) if asked.all else iter(sample(chosen, asked.draw, asked.files))
    files = (one for one in files if asked.kind in {None, one.kind} and asked.form in {None, one.seed.form})
    with (
        tempfile.TemporaryDirectory(prefix="edge-agent-hostile-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder,
        opened_below(Path(folder)) as opened,
    ):
        bench = Bench(Path(folder), DecodeLimits(time_s=asked.time_s))
        examined = asyncio.run(bench.run(_telling(files, asked.minutes * 60)))
    print(table(examined))
    print("slowest:")
    for one in sorted(examined, key=lambda one: -one.took_s)[:SLOWEST]:
        print(f"  {one.took_s:6.2f} s {one.decoder_bytes / 1e6:7.0f} MB {one.outcome:<15} {one.hostile}")
    print("lost:")
    for one in examined:
        if one.lost:
            print(f"  {one.outcome:<15} {one.hostile}")
    print(f"{len(examined)} files; one made this process grow by {bench.grown_bytes / 1e6:.0f} MB at most")
    complaints = [f"{one.hostile}: {complaint}" for one in examined for complaint in one.complaints]
    complaints += [f"{name} was opened" for name in sorted(set(opened))]
    print("\n".join(complaints) or "the invariant holds")
    return bool(complaints)


def _telling(files: Iterator[Hostile], most_s: float) -> Iterator[Hostile]:
    began_s = time.monotonic()
    for number, one in enumerate(files, 1):
        if number % PROGRESS_EVERY == 0:
            print(f"{number}: {one}", file=sys.stderr, flush=True)
        if time.monotonic() - began_s > most_s:
            print(f"stopped before {one}")
            return
        yield one


if __name__ == "__main__":
    sys.exit(main())
