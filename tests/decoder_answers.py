"""Answers of a decoder for tests: portions and refusals, as they are written, read and taken apart."""

import copy
import io
import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from edge_agent.core.errors import FrameRejectedError
from edge_agent.core.frame import Acquisition, AcquisitionStatistics, Frame
from edge_agent.core.portion import Portion, RefusedFrame
from edge_agent.frames import DecodeLimits
from edge_agent.frames.pipe import LENGTH, Request, receive_frames, send_frames

LIMITS = DecodeLimits(decoded_bytes=1 << 20, frames=8, frame_pixels=1 << 18)
REQUEST = Request("/data/a.tif", "a.tif", LIMITS, None)
ACQUISITION = Acquisition(
    acquired_at=datetime(2026, 3, 1, 12, tzinfo=UTC), detector="SE2", magnification=2e4, extra={"µ": "\U0001f52c", "AP_WD": "5"}
)


def frame(index: int = 0, count: int = 1, dtype: Any = np.uint16, shape: tuple[int, int] = (40, 50)) -> Frame:
    pixels = np.random.default_rng(index).integers(0, 200, shape).astype(dtype)
    return Frame(pixels, 255.0, index, count, "ab" * 32, ACQUISITION, AcquisitionStatistics(0.5, -1.0, -2.5, -3.0, 0.0, 1e-6))


REFUSED = RefusedFrame(3, "", "not_finite", "frame 3 holds values that are not numbers", "look into the program that wrote it")
PORTION = Portion((frame(2, 9), frame(4, 9)), (REFUSED,), next_first=5)


def written(outcome: Any) -> bytes:
    pipe = io.BytesIO()
    send_frames(pipe, Portion(tuple(outcome)) if isinstance(outcome, list) else outcome)
    return pipe.getvalue()


def read(content: bytes) -> Portion | FrameRejectedError:
    return receive_frames(io.BytesIO(content), REQUEST)


def heads(content: bytes) -> list[tuple[Any, bytes]]:
    """Each message's head, parsed, and the bytes beside it."""
    found, pipe = [], io.BytesIO(content)
    while length := pipe.read(LENGTH.size):
        head = json.loads(pipe.read(LENGTH.unpack(length)[0]))
        sides = head.get("pixels", {"shape": [0]})["shape"]
        found.append((head, pipe.read(math.prod(sides) * {"u1": 1, "u2": 2, "f4": 4}.get(head.get("pixels", {}).get("dtype"), 0))))
    return found


def joined(messages: list[tuple[Any, bytes]]) -> bytes:
    parts = []
    for head, beside in messages:
        plain = json.dumps(head).encode()
        parts += [LENGTH.pack(len(plain)), plain, beside]
    return b"".join(parts)


def changed(path: tuple[Any, ...], value: Any) -> bytes:
    messages = copy.deepcopy(heads(written([frame(0, 2), frame(1, 2)])))
    place: Any = messages[path[0]][0]
    for step in path[1:-1]:
        place = place[step]
    place[path[-1]] = value
    return joined(messages)


VALID = [
    written([frame(0, 2), frame(1, 2, np.float32)]),
    written(PORTION),
    written(Portion((), growing=True)),
    written(FrameRejectedError("a", "empty", "holds no bytes", "look")),
]
