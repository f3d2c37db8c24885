"""From normal frames to a calibration of one's own: known changes shown to some of them, the fit, the file."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.agent.compose import find_served_model, make_judge
from edge_agent.agent.past import line_on
from edge_agent.core.errors import EdgeAgentError, FrameRejectedError
from edge_agent.core.whole_file import write_whole
from edge_agent.drift import AlteredFrames, CalibrationFrame, fit_calibration, stratum_of
from edge_agent.frames import measure
from edge_agent.simulate import known_changes
from edge_agent.uncertainty import score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from edge_agent.calibrating.material import Material, NormalFrame, SampleKey
    from edge_agent.config import Settings, StreamSettings
    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Score
    from edge_agent.core.verdict import Observation
    from edge_agent.drift import Calibration
    from edge_agent.pipeline import StreamLine

SEED = 2021
SHOWN_SAMPLES = 16
"""Samples a lot that are shown changed, at most."""
SHOWN_FRAMES = 2
"""Frames of each."""
FOLDER = "calibrations"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration, and what a judge promises by it."""

    calibration: Calibration
    guarantee: str

    @property
    def tells_samples_apart(self) -> bool:
        """Whether some lot has two samples at least: one shows nothing of how samples differ."""
        lots = (self.calibration.lots, *self.calibration.strata.values())
        return any(lot.samples > 1 for held in lots for lot in held.values())


def chosen(material: Material) -> dict[SampleKey, list[NormalFrame]]:
    """The frames that are shown under known changes: for a lot at each settings, evenly over its samples and a sample's frames."""
    cells: dict[tuple[str, str], dict[SampleKey, list[NormalFrame]]] = defaultdict(lambda: defaultdict(list))
    for key, frames in sorted(material.samples.items()):
        for frame in frames:
            cells[key[0], stratum_of(frame.observation.acquisition)][key].append(frame)
    shown: dict[SampleKey, list[NormalFrame]] = defaultdict(list)
    for samples in cells.values():
        for key in _evenly(list(samples), SHOWN_SAMPLES):
            shown[key] += _evenly(samples[key], SHOWN_FRAMES)
    return dict(shown)


def show_changes(settings: Settings, stream: StreamSettings, material: Material, on_frame: Callable[[], None]) -> list[AlteredFrames]:
    """Read the chosen frames again and have the model answer them under every known change; calls `on_frame` after each frame.

    A frame that is gone, or no longer what was scored, is passed over. Raises EdgeAgentError when a lot then has none left: its
    changes could not be named.
    """
    return asyncio.run(_show_changes(settings, stream, material, on_frame))


async def _show_changes(
    settings: Settings, stream: StreamSettings, material: Material, on_frame: Callable[[], None]
) -> list[AlteredFrames]:
    changes = list(known_changes())
    shown: list[list[CalibrationFrame]] = [[] for _ in changes]
    async with line_on(settings, stream, material.root) as line:
        for key, frames in chosen(material).items():
            for held in frames:
                frame = await _read_again(line, held)
                if frame is not None:
                    altered = [_altered(frame, change, number) for number, change in enumerate(changes)]
                    for place, (changed, answer) in enumerate(zip(altered, await line.predictor.predict(altered), strict=True)):
                        shown[place].append(_calibration_frame(key, score(answer), changed))
                on_frame()
    wanted = {(key[0], stratum_of(frame.observation.acquisition)) for key, frames in material.samples.items() for frame in frames}
    missing = sorted({lot for lot, _ in wanted - {(frame.lot, frame.stratum) for frame in shown[0]}})
    if missing:
        raise EdgeAgentError(
            f"lots {', '.join(missing)}",
            f"none of their frames can be read again in {material.root}",
            "calibrate without known changes",
        )
    return [AlteredFrames(change.name, change.strength, frames) for change, frames in zip(changes, shown, strict=True)]


async def _read_again(line: StreamLine, held: NormalFrame) -> Frame | None:
    """The frame with its pixels, if it still is what was scored."""
    ref = held.observation.ref
    try:
        portion = await line.reader.read(str(line.root / ref.path), ref.path, ref.frame_index)
    except FrameRejectedError:
        return None
    frame = next((frame for frame in portion.frames if frame.frame_index == ref.frame_index), None)
    return frame if frame is not None and frame.content_hash == held.content_hash else None


def _altered(frame: Frame, change: Any, number: int) -> Frame:
    seed = int(frame.content_hash[:16], 16)
    pixels = change.apply(frame.pixels, np.random.default_rng((SEED, number, seed)), frame.full_scale)
    return replace(frame, pixels=pixels, statistics=measure(pixels, frame.full_scale))


def fit(settings: Settings, stream: StreamSettings, material: Material, altered: Sequence[AlteredFrames], day: date) -> Fitted:
    """Fit a calibration for the stream's model; raises EdgeAgentError when the frames do not suffice."""
    model = find_served_model(settings, stream)
    frames = [
        _calibration_frame(key, held.observation.score, held.observation)
        for key, frames in sorted(material.samples.items())
        for held in frames
    ]
    samples = sum(map(len, material.lots.values()))
    try:
        calibration = fit_calibration(
            frames,
            altered,
            model_digest=model.manifest.onnx.sha256,
            members=model.manifest.members,
            source=f"{samples} samples of stream {stream.name} of {settings.agent.name}, calibrated on {day.isoformat()}",
        )
    except ValueError as error:
        raise EdgeAgentError(material.source, f"cannot be calibrated with ({error})", "image more samples of each lot") from error
    return Fitted(calibration, make_judge(stream, replace(model, calibration=calibration), None).guarantee)


def write(calibration: Calibration, state_dir: Path, stream: str, day: date) -> Path:
    """Write `state_dir`/calibrations/<stream>-<day>.json, or with -2, -3, ... behind: a calibration in use is never replaced.

    Raises EdgeAgentError.
    """
    folder = state_dir / FOLDER
    name = f"{stream}-{day.isoformat()}"
    path, number = folder / f"{name}.json", 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while path.exists():
            number += 1
            path = folder / f"{name}-{number}.json"
        write_whole(path, (calibration.model_dump_json(indent=1) + "\n").encode())
    except OSError as error:
        raise EdgeAgentError(
            str(path), f"cannot be written ({error.strerror})", "set [agent] state_dir to a folder you may write"
        ) from None
    return path


def _calibration_frame(key: SampleKey, scored: Score, taken: Frame | Observation) -> CalibrationFrame:
    lot, sample = key
    return CalibrationFrame(lot, sample, sample, scored, taken.statistics, stratum_of(taken.acquisition))


def _evenly(things: Sequence[Any], most: int) -> list[Any]:
    """At most so many of them, evenly from the first to the last.

    >>> _evenly("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if len(things) <= most:
        return list(things)
    return [things[round(place * (len(things) - 1) / (most - 1))] for place in range(most)]
