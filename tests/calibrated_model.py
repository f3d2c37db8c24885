"""The tiny model, calibrated on quiet frames: enough for a whole agent to judge and alarm, without torch and without real images."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.core.frame import Acquisition, Frame
from edge_agent.drift import CalibrationFrame, fit_calibration
from edge_agent.frames import content_hash, measure
from edge_agent.inference import EmbeddedPredictor, load_manifest, sha256_of
from edge_agent.uncertainty import score
from tests.an_agent import frame
from tests.served_model import edit_manifest, write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

SAMPLES = 12
FRAMES_A_SAMPLE = 15


def write_calibrated_model(folder: Path, name: str = "tiny", *, with_map: bool = False) -> Path:
    """Write the model to `folder/name` and return `folder`, for use as model_dirs."""
    model = write_tiny_model(folder / name, name=name, with_map=with_map)
    manifest = load_manifest(model)
    frames = [as_frame(frame(10_000 + number)) for number in range(SAMPLES * FRAMES_A_SAMPLE)]
    scores = [score(prediction) for prediction in asyncio.run(predict(model, frames))]
    calibration = fit_calibration(
        [
            CalibrationFrame(one.lot, f"group {number // FRAMES_A_SAMPLE}", f"sample {number // FRAMES_A_SAMPLE}", one, held.statistics)
            for number, (one, held) in enumerate(zip(scores, frames, strict=True))
        ],
        model_digest=manifest.onnx.sha256,
        members=manifest.members,
        source="quiet test frames",
    )
    path = model / "calibration.json"
    path.write_text(calibration.model_dump_json())
    edit_manifest(model, calibration={"file": "calibration.json", "sha256": sha256_of(path)})
    return folder


def as_frame(pixels: np.ndarray) -> Frame:
    return Frame(pixels, 255.0, 0, 1, content_hash(pixels), Acquisition(), measure(pixels, 255.0))


async def predict(model: Path, frames: list[Frame]) -> list:
    predictor = EmbeddedPredictor(model, threads=1)
    await predictor.start()
    try:
        return await predictor.predict(frames)
    finally:
        await predictor.stop()
