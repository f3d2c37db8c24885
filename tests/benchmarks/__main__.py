"""Runs every benchmark, or those named, and prints their tables: `python -m tests.benchmarks [name ...] [--option ...]`.

Options, from the first word that begins with a dash, go to each of them.
"""

from __future__ import annotations

import itertools
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    named = list(itertools.takewhile(lambda word: not word.startswith("-"), sys.argv[1:]))
    options = sys.argv[1 + len(named) :]
    for name in named or known:
        if name not in known:
            sys.exit(f"no benchmark is named {name}; there are {', '.join(known)}")
        print(f"\n== {name}", flush=True)
        sys.argv = [name, *options]
        runpy.run_path(str(HERE / f"bench_{name}.py"), run_name="__main__")


main()
