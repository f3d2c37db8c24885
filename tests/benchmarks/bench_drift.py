"""Drift: our judge and the textbook's detectors on the same streams of the virtual microscope: `python -m tests.benchmarks drift`.

The same, small, on the real micrographs under --data, with one source of each lot left out; without them the page says so.
Scores the pool's frames first (an hour or more on a processor, once; resumable), then measures what is not kept yet, and writes drift.md
with its figures: beside the other reports when everything was measured, else into the cache. `pip install '.[test,train]'` in the checkout.

--model DIR     a served model; the shipped sem-virtual otherwise
--data DIR      holds the lots of real micrographs; ../shared/data/sem otherwise
--real-model DIR  a served model of them; the shipped sem-real otherwise
--real-only     prints that part, and measures nothing else
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
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from edge_agent.core.errors import EdgeAgentError
from edge_agent.drift import load_calibration
from edge_agent.inference import load_manifest
from tests.benchmarks.drift.kept import Kept, digest_of
from tests.benchmarks.drift.library import Library
from tests.benchmarks.drift.pool import Pool
from tests.benchmarks.drift.real_folds import Fold, acquired, leave_one_source_out
from tests.benchmarks.drift.real_pictures import RealPool, open_pictures
from tests.benchmarks.drift.real_report import ABSENT, Told, tell
from tests.benchmarks.drift.real_run import LEFT_OUT, SHIPPED, RealStudy
from tests.benchmarks.drift.report import page, table_of_gates, write
from tests.benchmarks.drift.run import QUICK, Size, Study
from tests.benchmarks.drift.splits import SPLITS, make_split
from tests.benchmarks.drift.study import everything

if TYPE_CHECKING:
    from tests.benchmarks.drift.scored import ScoredVisits

ROOT = Path(__file__).parents[2]
SPLIT = ROOT / "model_repo" / "data" / "splits" / "sem.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "model_repo" / "served" / "sem-virtual")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "sem")
    parser.add_argument("--real-model", type=Path, default=ROOT / "model_repo" / "served" / "sem-real")
    parser.add_argument("--real-only", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "edge-agent-drift")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scored-only", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    asked = parser.parse_args()
    kept = Kept(asked.cache / "results")
    real, told = real_part(asked.real_model, asked.data, asked.cache, kept)
    if asked.real_only:
        print(told.section)
        return
    pool = Pool(asked.model, asked.cache)
    if not asked.scored_only:
        fill(pool, everything())
    manifest = load_manifest(asked.model)
    library = Library(pool, everything())
    print(f"{len(library.frames)} frames of {len(library.rows)} visits; {library.absent} visits are not scored", flush=True)
    splits = [make_split(library, number, model_digest=manifest.onnx.sha256, members=manifest.members) for number in range(SPLITS)]
    study = Study(library, splits, kept, QUICK if asked.quick else Size())
    results = study.run(peers=not asked.no_peers)
    print(table_of_gates(results))
    whole = not (asked.quick or asked.no_peers or library.absent)
    out = asked.out or (ROOT / "model_repo" / "reports" if whole else asked.cache)
    write(out, page(results, model=manifest.name, digest=manifest.onnx.sha256, real=told), study, results, real)
    print(f"\n{out / 'drift.md'}")


def real_part(model: Path, data: Path, cache: Path, kept: Kept) -> tuple[RealStudy | None, Told]:
    """The study on real micrographs and what the page says of it; None and a sentence where there are none.

    Raises:
        EdgeAgentError: a picture of the split is missing, or the model ships no calibration.
    """
    if not data.is_dir():
        return None, ABSENT
    pictures = open_pictures(SPLIT, data)
    pool = RealPool(model, cache, pictures)
    fill(pool, pictures.visits())
    library = Library(pool, pictures.visits())
    manifest = load_manifest(model)
    if manifest.calibration is None:
        raise EdgeAgentError(str(model), "ships no calibration", "run model-repo calibrate on it, or name another with --real-model")
    training = kept.get("real-acquired", digest_of([picture.content for picture in pictures.train]), lambda: acquired(pictures))
    folds = leave_one_source_out(pictures, library, training, model_digest=manifest.onnx.sha256, members=manifest.members)
    shipped = Fold.of(load_calibration(model / manifest.calibration.file), pictures.test, library)
    study = RealStudy(pictures, library, {LEFT_OUT: folds, SHIPPED: [shipped]}, kept)
    return study, tell(study.run(), model=manifest.name, digest=manifest.onnx.sha256)


def fill(pool: ScoredVisits[Any], visits: list[Any]) -> None:
    """Score what is missing, with progress."""
    for number, (scored, total) in enumerate(pool.fill(visits)):
        if number % 50 == 0:
            print(f"{scored} of {total} visits are scored", flush=True)


if __name__ == "__main__":
    main()
