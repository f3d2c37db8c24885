"""What an instrument delivers: a file, its frames, and how they were acquired."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """One state of one file; a file rewritten later has another identity.

    Attributes:
        stream: name of the stream it belongs to.
        path: path relative to the stream's folder, with `/` between parts.
        size: bytes.
        mtime_ns: modification time, nanoseconds since the epoch.
    """

    stream: str
    path: str
    size: int
    mtime_ns: int


STILL_OPEN = "its writer has it open for readers"
"""Detail of a file that is complete for now: further states of it follow."""


class SettleOutcome(StrEnum):
    """How waiting for a file to be complete ended."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    COMPANION = "companion"


@dataclass(frozen=True, slots=True)
class SettledFile:
    """A file a watcher is done with.

    Attributes:
        file: its identity when it settled.
        outcome: complete; incomplete when it did not settle in time; companion for a side-car.
        settled_at_ns: nanoseconds since the epoch.
        detail: why it is incomplete, whose companion it is, or STILL_OPEN; "" otherwise.
    """

    file: FileIdentity
    outcome: SettleOutcome
    settled_at_ns: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """A settled file with its place in the stream's order, journalled before it is read.

    Attributes:
        seq: sequence number, ascending in the order of judgement within the agent.
        file: the identity that settled.
        generation: 0 for the first content seen under this path, one more after each rewrite.
        settled_at_ns: when it settled, nanoseconds since the epoch.
        outcome: how it settled.
        detail: see SettledFile.
    """

    seq: int
    file: FileIdentity
    generation: int
    settled_at_ns: int
    outcome: SettleOutcome
    detail: str


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How a frame was taken, as far as the file says; None is unknown, never 0.

    `extra` holds the vendor's remaining keys as text; it travels in events as one JSON string.
    """

    acquired_at: datetime | None = None
    instrument: str | None = None
    detector: str | None = None
    sample_id: str | None = None
    acceleration_voltage_v: float | None = None
    beam_current_a: float | None = None
    magnification: float | None = None
    pixel_size_m: float | None = None
    dwell_s: float | None = None
    working_distance_m: float | None = None
    stage_x_m: float | None = None
    stage_y_m: float | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AcquisitionStatistics:
    """Statistics of the full-resolution frame, intensities scaled to [0, 1].

    Attributes:
        mean: mean intensity.
        log_sigma: natural logarithm of the intensity's standard deviation.
        log_noise: natural logarithm of Immerkaer's noise estimate (1996, CVIU 64(2), 300-302).
        log_sharpness: natural logarithm of the mean squared gradient over the variance.
        low_fraction: fraction of pixels at the lower limit.
        high_fraction: fraction of pixels at the upper limit.
    """

    mean: float
    log_sigma: float
    log_noise: float
    log_sharpness: float
    low_fraction: float
    high_fraction: float


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame.

    Attributes:
        pixels: shape (height, width), the detector's values without the data bar.
        full_scale: the value that stands for intensity 1 (255 for 8 bit); 0 stands for 0.
        frame_index: place within its file, from 0.
        frame_count: frames in the file.
        content_hash: SHA-256, hexadecimal, of the pixels' shape, type and bytes.
        acquisition: how it was taken.
        statistics: measured on `pixels`.
    """

    pixels: Pixels
    full_scale: float
    frame_index: int
    frame_count: int
    content_hash: str
    acquisition: Acquisition
    statistics: AcquisitionStatistics
