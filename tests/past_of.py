"""A stream with a past: a real agent worked off a folder in which the noise rose for two samples, and its journal stayed."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from edge_agent.agent import Agent
from edge_agent.config import load_settings
from edge_agent.drift import CalibrationFrame, fit_calibration
from edge_agent.inference import load_manifest
from edge_agent.uncertainty import score
from tests.an_agent import frame, write_frame
from tests.calibrated_model import as_frame, predict

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from pathlib import Path

    from edge_agent.config import Settings

FIRST = datetime(2026, 9, 1, 8, tzinfo=UTC)
"""When the first frame was taken; one a minute follows."""
SAMPLES, FRAMES = 8, 8
STRANGE = (3, 4)
"""Samples with eight times the noise."""


def write_past(
    home: Path, models: Path, *, calibration: str = "", stream: str = "", samples: int = SAMPLES, noisy: Sequence[int] = STRANGE
) -> Settings:
    """A folder of frames, one folder a sample, with a side-car and a broken file between, and the configuration of a stream on it."""
    images = home / "images"
    write_samples(images, range(samples), noisy)
    (images / "S1" / "f9.txt").write_text("magnification 500")
    at(images / "S1" / "f9.txt", 9)
    (images / "S2" / "broken.tif").write_bytes(b"not an image at all, but long enough to be one\n" * 9)
    at(images / "S2" / "broken.tif", 18)
    config = home / "edge-agent.toml"
    config.write_text(
        f"[agent]\nname = 'lab'\nstate_dir = 'state'\nmodel_dirs = ['{models.as_posix()}']\nthreads = 1\n[http]\nlisten = '127.0.0.1:0'\n"
        f"[[stream]]\nname = 'sem'\npath = 'images'\nsettle = 0.05\nsettle_timeout_s = 0.2\n{stream}\n[stream.model]\nname = 'tiny'\n"
        + (f"calibration = '{calibration}'\n" if calibration else "")
    )
    return load_settings(config, {})


def write_samples(images: Path, samples: Iterable[int], noisy: Container[int]) -> None:
    """Write whole samples, one frame a minute."""
    for sample in samples:
        for number in range(sample * FRAMES, (sample + 1) * FRAMES):
            path = images / f"S{sample}" / f"f{number}.tif"
            write_frame(path, frame(number, noise=48.0 if sample in noisy else 6.0))
            at(path, number)


def more_frames(settings: Settings, samples: range) -> None:
    """Further samples, all noisy."""
    write_samples(settings.stream[0].path, samples, samples)


def at(path: Path, minute: int) -> None:
    when = (FIRST + timedelta(minutes=minute)).timestamp()
    os.utime(path, (when, when))


def work_off(settings: Settings) -> None:
    asyncio.run(Agent(settings, once=True).run())


def alerts_told(settings: Settings) -> list[dict[str, Any]]:
    """Data of the alert events in the JSON Lines log: what the world heard."""
    lines = [line for path in sorted((settings.agent.place / "events").glob("*.jsonl")) for line in path.read_text().splitlines()]
    events = [json.loads(line) for line in lines]
    return [event["data"] for event in events if event["type"].startswith("edge.alert.")]


def write_calibration(models: Path, path: Path, noises: Sequence[float]) -> Path:
    """A calibration of the tiny model to whose samples each of `noises` is normal, in turn."""
    frames = [as_frame(frame(20_000 + number, noise=noises[number // 15 % len(noises)])) for number in range(12 * 15)]
    manifest = load_manifest(models / "tiny")
    scores = [score(prediction) for prediction in asyncio.run(predict(models / "tiny", frames))]
    calibration = fit_calibration(
        [
            CalibrationFrame(one.lot, f"group {number // 15}", f"sample {number // 15}", one, held.statistics)
            for number, (one, held) in enumerate(zip(scores, frames, strict=True))
        ],
        model_digest=manifest.onnx.sha256,
        members=manifest.members,
        source=f"noises {noises}",
    )
    path.write_text(calibration.model_dump_json())
    return path
