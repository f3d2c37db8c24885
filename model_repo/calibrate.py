"""Measures what normal frames look like to a served model, with a stage that visits fields as `simulate` does."""

from __future__ import annotations

import asyncio
import shutil
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import EdgeAgentError
from edge_agent.core.frame import Acquisition, Frame
from edge_agent.drift import AlteredFrames, CalibrationFrame, SequentialJudge, fit_calibration
from edge_agent.frames import content_hash, measure
from edge_agent.inference import MANIFEST_NAME, DigestedFile, EmbeddedPredictor, load_manifest, sha256_of
from edge_agent.simulate import known_changes
from edge_agent.uncertainty import score
from model_repo.data.micrographs import FULL_SCALE
from model_repo.staging import staged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.drift import Calibration
    from edge_agent.simulate import AcquisitionChange
    from model_repo.data.source import Probe, Source
    from model_repo.recipe import CalibrationVisits

FILE = "calibration.json"
SEED = 2021


def calibrate(folder: Path, source: Source, visits: CalibrationVisits) -> str:
    """Write `folder`/calibration.json and its digest into the manifest; return what can be promised, in words.

    The network's components come from the calibration side alone. The acquisition statistics, in which the network has no
    part, take the training images as well.

    Raises:
        EdgeAgentError: the model and the split disagree on the lots, or an image cannot be read.
    """
    manifest = load_manifest(folder)
    if set(source.lots) != set(manifest.lots):
        raise EdgeAgentError(
            source.name, f"names lots {', '.join(source.lots)}, the model {', '.join(manifest.lots)}", "calibrate with its own recipe"
        )
    frames = asyncio.run(_observe(folder, source, visits.frames))
    frames += [_measured(probe) for probe in source.visited("train", visits.frames)]
    altered = []
    for change in known_changes():
        shown = asyncio.run(_observe(folder, source, visits.altered_frames, change, visits.altered_every))
        altered.append(AlteredFrames(change.name, change.strength, shown))
    calibration = fit_calibration(
        frames,
        altered,
        model_digest=manifest.onnx.sha256,
        members=manifest.members,
        source=f"{source.name}; {len({frame.sample for frame in frames})} sources, those of training for the acquisition alone",
    )
    with staged(folder) as made:
        shutil.copytree(folder, made, dirs_exist_ok=True)
        (made / FILE).write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
        named = manifest.model_copy(update={"calibration": DigestedFile(file=FILE, sha256=sha256_of(made / FILE))})
        (made / MANIFEST_NAME).write_text(named.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return "\n".join([*_table(calibration), SequentialJudge(calibration).guarantee])


def _measured(probe: Probe) -> CalibrationFrame:
    return CalibrationFrame(probe.lot, probe.group, probe.name, None, measure(probe.pixels, FULL_SCALE))


async def _observe(
    folder: Path, source: Source, frames: int, change: AcquisitionChange | None = None, every: int = 1
) -> list[CalibrationFrame]:
    """Predict and measure `frames` fields of view on each `every`-th calibration source, the way the agent does."""
    predictor = EmbeddedPredictor(folder)
    await predictor.start()
    found = []
    try:
        for number, (_, visit) in enumerate(groupby(source.visited("calibration", frames), key=lambda probe: probe.name)):
            if number % every:
                continue
            rng = np.random.default_rng((SEED, number, 1))
            probes = list(visit)
            visited = [_frame(np.asarray(change.apply(probe.pixels, rng), np.uint8) if change else probe.pixels) for probe in probes]
            for probe, frame, prediction in zip(probes, visited, await predictor.predict(visited), strict=True):
                found.append(CalibrationFrame(probe.lot, probe.group, probe.name, score(prediction), frame.statistics))
    finally:
        await predictor.stop()
    return found


def _frame(pixels: NDArray[np.uint8]) -> Frame:
    return Frame(pixels, FULL_SCALE, 0, 1, content_hash(pixels), Acquisition(), measure(pixels, FULL_SCALE))


def _table(calibration: Calibration) -> Iterator[str]:
    yield f"{'lot':12} {'samples':>7} {'acquisition':>11} {'frames':>6} {'distance':>9} {'within':>7} {'between':>7} {'noise between':>13}"
    for name, lot in calibration.lots.items():
        distance, noise = lot.spread["distance"], lot.spread["log_noise"]
        yield (
            f"{name:12} {lot.samples:7d} {lot.acquisition_samples:11d} {lot.frames:6d} {distance.centre:9.3f} "
            f"{distance.within:7.3f} {distance.between:7.3f} {noise.between:13.3f}"
        )
