"""Measures what normal frames look like to a served model, with a stage that visits fields as `simulate` does."""

from __future__ import annotations

import asyncio
import shutil
import time
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import EdgeAgentError
from edge_agent.core.frame import Acquisition, Frame
from edge_agent.core.shift import Shift
from edge_agent.drift import AlteredFrames, CalibrationFrame, DriftSettings, SequentialJudge, as_if, fit_calibration, foresee, stratum_of
from edge_agent.frames import content_hash, measure
from edge_agent.inference import MANIFEST_NAME, DigestedFile, EmbeddedPredictor, load_manifest, sha256_of
from edge_agent.simulate import known_changes
from edge_agent.uncertainty import score
from model_repo.data.micrographs import FULL_SCALE
from model_repo.staging import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.drift import Calibration
    from model_repo.data.source import Probe, Source
    from model_repo.recipe import CalibrationVisits

FILE = "calibration.json"
SHIFTS = ("noise +15 %", "dose -30 %", "blur +0.5 px", "filament 0.25")
"""Whose delays are foretold."""
SAMPLES = (6, 16, 48)
"""A lot, whose cost and worth are told."""
EVERY_S = 60.0
SEED = 2021


def calibrate(folder: Path, source: Source, visits: CalibrationVisits, tell: Callable[[str], None] = print, out: Path | None = None) -> str:
    """Write calibration.json and its digest in the manifest, into `folder` or a whole copy at `out`; return what can be promised, in words.

    `tell` takes a line of progress a minute.

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
    frames, altered = asyncio.run(_observe(folder, source, visits, tell))
    frames += [_measured(probe) for probe in source.visited("train", visits.frames)]
    calibration = fit_calibration(
        frames,
        altered,
        model_digest=manifest.onnx.sha256,
        members=manifest.members,
        source=f"{source.name}; {len({frame.sample for frame in frames})} sources, those of training for the acquisition alone",
    )
    with staged(out or folder) as made:
        shutil.copytree(folder, made, dirs_exist_ok=True)
        (made / FILE).write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
        named = manifest.model_copy(update={"calibration": DigestedFile(file=FILE, sha256=sha256_of(made / FILE))})
        (made / MANIFEST_NAME).write_text(named.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return "\n".join([*_table(calibration), *_promises(calibration, visits.frames)])


def _measured(probe: Probe) -> CalibrationFrame:
    return CalibrationFrame(probe.lot, probe.group, probe.name, None, measure(probe.pixels, FULL_SCALE))


async def _observe(
    folder: Path, source: Source, visits: CalibrationVisits, tell: Callable[[str], None]
) -> tuple[list[CalibrationFrame], list[AlteredFrames]]:
    """Predict and measure fields of view on the calibration sources, the way the agent does; on some also after every known change."""
    predictor = EmbeddedPredictor(folder)
    await predictor.start()
    began = told = time.monotonic()
    seen = 0

    async def scored(probes: list[Probe], shown: list[NDArray[np.uint8]]) -> list[CalibrationFrame]:
        nonlocal told, seen
        frames = [_frame(pixels) for pixels in shown]
        answers = await predictor.predict(frames)
        seen += len(frames)
        if time.monotonic() - told >= EVERY_S:
            told = time.monotonic()
            tell(f"{told - began:.0f} s: {seen} frames seen, now {probes[0].name}")
        return [
            CalibrationFrame(probe.lot, probe.group, probe.name, score(answer), frame.statistics, stratum_of(frame.acquisition))
            for probe, frame, answer in zip(probes, frames, answers, strict=True)
        ]

    changes = list(known_changes())
    usual: list[CalibrationFrame] = []
    changed: list[list[CalibrationFrame]] = [[] for _ in changes]
    try:
        for _, visit in groupby(source.visited("calibration", visits.frames), key=lambda probe: probe.name):
            probes = list(visit)
            usual += await scored(probes, [probe.pixels for probe in probes])
        altered = source.visited("calibration", visits.altered_frames, visits.altered_every)
        for number, (_, visit) in enumerate(groupby(altered, key=lambda probe: probe.name)):
            probes = list(visit)
            for place, change in enumerate(changes):
                rng = np.random.default_rng((SEED, number, 1))
                changed[place] += await scored(probes, [np.asarray(change.apply(probe.pixels, rng), np.uint8) for probe in probes])
    finally:
        await predictor.stop()
    return usual, [AlteredFrames(change.name, change.strength, frames) for change, frames in zip(changes, changed, strict=True)]


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


def _promises(calibration: Calibration, frames_a_sample: int) -> Iterator[str]:
    """The guarantee, how soon shifts would be told, and what more or fewer samples would change."""
    settings = DriftSettings()
    yield SequentialJudge(calibration, settings).guarantee
    for words in SHIFTS:
        yield str(foresee(calibration, settings, Shift.parse(words)))
    if calibration.scarce:
        return
    yield f"{SHIFTS[0]} with other numbers of samples a lot, of {len(calibration.lots)} lots, {frames_a_sample} frames each:"
    for samples in SAMPLES:
        found = foresee(as_if(calibration, samples), settings, Shift.parse(SHIFTS[0]))
        told = "mostly missed" if found.frames is None else f"told after {found.frames:.0f} frames"
        yield f"{samples:4d} samples, {samples * frames_a_sample * len(calibration.lots):6d} frames to image: {told}"
