"""One file, looked at closely: what the model makes of it, and where on the frame it is unsure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge_agent import inference
from edge_agent.config import ReferralSettings
from edge_agent.drift import load_calibration
from edge_agent.frames import decode
from edge_agent.uncertainty import referral_threshold, score, uniform_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Prediction, Score

SHADES = " .:-=+*#%@"


@dataclass(frozen=True, slots=True)
class Inspected:
    """One frame of the file with its answer."""

    frame: Frame
    prediction: Prediction
    score: Score


def inspect_file(path: Path, model: str, model_dirs: Sequence[Path] = ()) -> list[Inspected]:
    """Decode `path` and ask `model`, a name or a model's folder; raises FrameRejectedError or ModelError.

    Frames are referred as in a stream that says nothing of referral.
    """
    named = Path(model)
    folder = named if (named / inference.MANIFEST_NAME).is_file() else inference.find_model(model, model_dirs)
    manifest = inference.load_manifest(folder)
    distances = load_calibration(folder / manifest.calibration.file).distances if manifest.calibration else None
    threshold = _referral_threshold(manifest)
    frames = decode(str(path), path.name)
    predictions = asyncio.run(_ask(folder, frames))
    return [
        Inspected(frame, prediction, score(prediction, threshold, distances, uniform_of(frame.content_hash)))
        for frame, prediction in zip(frames, predictions, strict=True)
    ]


def _referral_threshold(manifest: inference.Manifest) -> float | None:
    """The entropy that refers a frame at a stream's default coverage, nats; None where that was not measured."""
    coverage = ReferralSettings().coverage
    try:
        return referral_threshold(manifest.coverage_points, coverage or 1.0)
    except ValueError:
        return None


async def _ask(folder: Path, frames: list[Frame]) -> list[Prediction]:
    predictor = inference.EmbeddedPredictor(folder)
    await predictor.start()
    try:
        return await predictor.predict(frames)
    finally:
        await predictor.stop()


def entropy_text(field_entropy: Sequence[Sequence[float]], most: float) -> list[str]:
    """The map of entropy as lines of text, denser where the ensemble is less sure; `most` is the largest entropy possible, nats."""
    scale = (len(SHADES) - 1) / most
    return ["".join(SHADES[min(len(SHADES) - 1, round(value * scale))] * 2 for value in row) for row in field_entropy]


def entropy_picture(pixels: np.ndarray, full_scale: float, field_entropy: Sequence[Sequence[float]], most: float) -> Image.Image:
    """The frame in grey with its entropy in red over it, stronger where the ensemble is less sure.

    Args:
        pixels: shape (height, width).
        full_scale: the value that stands for white.
        field_entropy: shape (rows, columns), nats.
        most: the entropy that is shown at full strength, nats.
    """
    grey = np.clip(np.asarray(pixels, np.float32) / full_scale, 0, 1)
    cells = np.clip(np.asarray(field_entropy, np.float32) / most, 0, 1)
    heat = np.asarray(Image.fromarray(cells).resize((grey.shape[1], grey.shape[0]), Image.Resampling.BILINEAR))
    strength = 0.65 * heat[..., None]
    colour = grey[..., None] * (1 - strength) + strength * np.array([1.0, 0.15, 0.1], np.float32)
    return Image.fromarray((colour * 255).astype(np.uint8))
