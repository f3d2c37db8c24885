"""Writes frames into a folder the way an instrument does, and the truth beside it."""

from __future__ import annotations

import io
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge_agent.simulate.plan import PlannedSample
    from edge_agent.simulate.source_real import View

FEI_TAG = 34682
GROWING = 4
"""Every so many frames one is written piece by piece under its final name; the others are renamed into place."""
PIECES = 4
LONGEST_WRITE_S = 0.2


def simulate(
    plan: Sequence[PlannedSample],
    directory: Path,
    *,
    frames: int,
    rate: float = 0.0,
    seed: int = 0,
    on_frame: Callable[[str, PlannedSample], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Write every sample's frames, one folder a sample; return the truth's path.

    Args:
        plan: the samples.
        directory: made if absent; must hold none of the plan's sample folders.
        frames: a sample.
        rate: frames a second; 0 for at once.
        seed: draws fields of view and noise.
        on_frame: called after each frame with its path relative to `directory` and its sample.
        sleep: waits between frames.

    Raises:
        EdgeAgentError: the folder holds such frames already, or a source cannot be read.
    """
    truth = directory.with_name(f"{directory.name}.truth.jsonl")
    for planned in plan:
        if (directory / planned.name).exists():
            raise EdgeAgentError(str(directory / planned.name), "is there already", "choose another folder, or remove the old frames")
    directory.mkdir(parents=True, exist_ok=True)
    count = 0
    began = time.monotonic()
    with truth.open("w", encoding="utf-8") as lines:
        for planned in plan:
            (directory / planned.name).mkdir()
            for number, view in enumerate(views(planned, frames, seed)):
                relative = f"{planned.name}/{planned.name}_{number:04d}.tif"
                said = {"path": relative, "lot": planned.lot, "sample": planned.name, "shift": planned.shift, "strength": planned.filament}
                lines.write(json.dumps(said) + "\n")  # before the frame, so that whoever sees a frame can look up its truth
                lines.flush()
                growing = rate > 0 and count % GROWING == GROWING - 1
                _write(directory / relative, tiff(view, planned), min(LONGEST_WRITE_S, 0.5 / rate) if growing else 0.0, sleep)
                count += 1
                if on_frame:
                    on_frame(relative, planned)
                if rate > 0:
                    sleep(max(0.0, began + count / rate - time.monotonic()))
    return truth


def views(planned: PlannedSample, frames: int, seed: int) -> Iterator[View]:
    """A sample's fields of view through its filament; the same for the same seed and sample number."""
    return planned.subject.show(frames, planned.filament, planned.current, np.random.default_rng((seed, planned.number)))


def tiff(view: View, planned: PlannedSample) -> bytes:
    """One frame as a TIFF with the vendor tag of FEI/Thermo microscopes; it says that it is simulated."""
    height, width = view.pixels.shape
    now = datetime.now(UTC)
    recorded = planned.subject.recorded
    pixel_m, voltage_v, dwell_s = recorded.pixel_m, recorded.voltage_v, recorded.dwell_s
    current = {} if recorded.current_a is None else {"BeamCurrent": recorded.current_a}
    sections: dict[str, dict[str, object]] = {
        "User": {
            "Date": now.strftime("%m/%d/%Y"),
            "Time": now.strftime("%I:%M:%S %p"),
            "User": "edge-agent simulate",
            "UserText": planned.name,
        },
        "System": {"Type": "Simulated", "Software": "edge-agent", "Source": "Tungsten", "SystemType": "edge-agent simulate"},
        "Beam": {"HV": voltage_v, "Spot": 3, "Beam": "EBeam", "Scan": "EScan"},
        "EBeam": {"HV": voltage_v, "HFW": width * pixel_m, "VFW": height * pixel_m, "WD": 0.01, **current},
        "EScan": {"Dwell": dwell_s, "PixelWidth": pixel_m, "PixelHeight": pixel_m, "HorFieldsize": width * pixel_m},
        "Scan": {"Dwelltime": dwell_s, "PixelWidth": pixel_m, "PixelHeight": pixel_m, "HorFieldsize": width * pixel_m},
        "Stage": {"StageX": view.left * pixel_m, "StageY": view.top * pixel_m, "StageZ": 0.01, "WorkingDistance": 0.01},
        "Image": {"ResolutionX": width, "ResolutionY": height, "Average": 0, "Integrate": 1},
        "Detectors": {"Number": 1, "Name": "ETD", "Mode": "SE"},
        "PrivateFei": {"DatabarHeight": 0},
    }
    text = "".join(
        f"[{name}]\r\n" + "".join(f"{key}={value}\r\n" for key, value in section.items()) + "\r\n" for name, section in sections.items()
    )
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, view.pixels, photometric="minisblack", metadata=None, extratags=[(FEI_TAG, "s", 0, text, True)])
    return buffer.getvalue()


def _write(path: Path, content: bytes, spread_s: float, sleep: Callable[[float], None]) -> None:
    """Rename into place, or grow in pieces over `spread_s` seconds."""
    if spread_s <= 0:
        partial = path.with_name(f"{path.name}.part")
        partial.write_bytes(content)
        partial.replace(path)
        return
    size = -(-len(content) // PIECES)
    with path.open("wb") as file:
        for start in range(0, len(content), size):
            file.write(content[start : start + size])
            file.flush()
            sleep(spread_s / PIECES)
