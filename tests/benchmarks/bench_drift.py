"""Drift: our judge and the textbook's detectors on the same streams of the virtual microscope: `python -m tests.benchmarks drift`.

Scores the pool's frames first (an hour or more on a processor, once; resumable), then measures what is not kept yet, and writes drift.md
with its figures: beside the other reports when everything was measured, else into the cache. `pip install edge-agent[test,train]`.

--model DIR     a served model; the shipped sem-virtual otherwise
--cache DIR     keeps scores and results; ~/.cache/edge-agent-drift otherwise
--out DIR       where drift.md goes
--quick         a seventh of the calm frames, a quarter of the changes
--scored-only   use what the pool already holds
--no-peers      ours alone
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from edge_agent.inference import load_manifest
from tests.benchmarks.drift.kept import Kept
from tests.benchmarks.drift.library import Library
from tests.benchmarks.drift.pool import Pool
from tests.benchmarks.drift.report import page, table_of_gates, write
from tests.benchmarks.drift.run import QUICK, Size, Study
from tests.benchmarks.drift.splits import FIRST_SPLIT, SPLITS, make_split
from tests.benchmarks.drift.study import everything

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "model_repo" / "served" / "sem-virtual")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "edge-agent-drift")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scored-only", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    asked = parser.parse_args()
    pool = Pool(asked.model, asked.cache)
    if not asked.scored_only:
        for number, (scored, total) in enumerate(pool.fill(everything())):
            if number % 50 == 0:
                print(f"{scored} of {total} visits are scored", flush=True)
    manifest = load_manifest(asked.model)
    library = Library(pool, everything())
    print(f"{len(library.frames)} frames of {len(library.rows)} visits; {library.absent} visits are not scored", flush=True)
    splits = [
        make_split(library, number, model_digest=manifest.onnx.sha256, members=manifest.members)
        for number in range(FIRST_SPLIT, FIRST_SPLIT + SPLITS)
    ]
    study = Study(library, splits, Kept(asked.cache / "results"), QUICK if asked.quick else Size())
    results = study.run(peers=not asked.no_peers)
    print(table_of_gates(results))
    whole = not (asked.quick or asked.no_peers or library.absent)
    out = asked.out or (ROOT / "model_repo" / "reports" if whole else asked.cache)
    write(out, page(results, model=manifest.name, digest=manifest.onnx.sha256), study, results)
    print(f"\n{out / 'drift.md'}")


if __name__ == "__main__":
    main()
