"""One file, decoded: read once into memory and closed where that can be, else image by image from where it lies."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import stat
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import FrameRejectedError
from edge_agent.core.frame import Frame
from edge_agent.core.portion import Portion, RefusedFrame
from edge_agent.frames.bounded import bounded
from edge_agent.frames.completeness import ends_early
from edge_agent.frames.grey import full_scale_of, to_grey
from edge_agent.frames.limits import LEAST_FRAMES, DecodeLimits
from edge_agent.frames.medium import GONE, blame_medium
from edge_agent.frames.reader import HEAD_BYTES, Source, StackReader
from edge_agent.frames.refusal import REMEDIES, refuse
from edge_agent.frames.registry import promised, reader_of
from edge_agent.frames.share import open_shared
from edge_agent.frames.signature import describe
from edge_agent.frames.statistics import content_hash, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import tzinfo

    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Reader, Stack

NO_MEMORY = "needs more memory than a decoder may use"
REASON_LENGTH = 160
"""The longest reason for a single frame: a portion may tell many."""
SHARE_OF_TIME = 0.3
"""Of the time that a portion may take, after which it ends."""


def decode(path: str, name: str, limits: DecodeLimits | None = None, time_zone: tzinfo | None = None) -> list[Frame]:
    """Decode all of the file at `path`; `name` is what errors call it.

    Args:
        path: absolute path.
        name: path relative to the stream.
        limits: what it may cost; the usual limits when None.
        time_zone: of times in the file that carry none; UTC when None.

    Raises:
        FrameRejectedError: with one of QUARANTINE_REASONS as cause, also where a single one of its frames cannot be used.
    """
    bounds = limits or DecodeLimits()
    bounds = dataclasses.replace(bounds, portion_frames=bounds.frames, portion_bytes=bounds.decoded_bytes)
    portion = decode_portion(path, name, bounds, time_zone)
    if portion.refused:
        frame = portion.refused[0]
        raise FrameRejectedError(name, frame.cause, frame.reason, frame.remedy)
    if portion.next_first is not None:
        refuse(name, "too_large", f"holds more frames than can be read at once: {portion.next_first} and some")
    return list(portion.frames)


def decode_portion(path: str, name: str, limits: DecodeLimits | None = None, time_zone: tzinfo | None = None, first: int = 0) -> Portion:
    """Decode some of a file's frames, from place `first` on; at least those when the file is one that can only be read whole.

    A frame that cannot be used is told in the portion, unless it is its file's only one. Arguments and errors as `decode`.
    """
    bounds = limits or DecodeLimits()
    reader, source = open_source(path, name, bounds)
    try:
        if isinstance(reader, StackReader):
            with reader.stack(source, bounds, time_zone) as stack:
                portion = _some_of(stack, first, name, bounds, partial(_ends_early, reader, source))
        else:
            pages = list(_within(name, bounds, reader.read(source, bounds, time_zone)))
            portion = _all_of(pages, name, bounds)
    except FrameRejectedError:
        raise
    except MemoryError:
        refuse(name, "too_large", NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - decoders of others raise anything at all on a damaged file
        blame_medium(name, error)
        cause = "truncated" if _ends_early(reader, source) else "decoder_failed"
        refuse(name, cause, f"{reader.name} cannot be decoded ({_one_line(error)})")
    if portion is not None:
        return portion
    if _ends_early(reader, source):
        refuse(name, "truncated", f"{reader.name} ends before its first frame")
    return refuse(name, "unsupported", f"{reader.name} holds no frame")


def open_source(path: str, name: str, limits: DecodeLimits) -> tuple[Reader, Source]:
    """The file's reader, and its content, read and closed at once, so that the instrument never finds its file in use.

    Raises FrameRejectedError.
    """
    try:
        state = os.stat(path)  # noqa: PTH116 - the path may hold what pathlib would normalise away
        if not stat.S_ISREG(state.st_mode):  # a FIFO would block for ever
            refuse(name, "unsupported", "is no ordinary file")
        with open_shared(path) as file:
            head = file.read(HEAD_BYTES) or b""
            reader = _reader(head, name)
            if reader.by_path:
                return reader, Source(path, name, b"")
            if state.st_size > limits.file_bytes:
                refuse(name, "too_large", f"is a file of {state.st_size} bytes, {limits.file_bytes} are allowed")
            content = b""
            file.seek(0)
            while piece := file.read(min(state.st_size, limits.file_bytes) + 1 - len(content)):
                content = content + piece if content else piece  # usually one piece; network drives and 2 GiB make more
    except FrameRejectedError:
        raise
    except OSError as error:
        cause = "vanished" if error.errno in GONE else "unreadable"
        refuse(name, cause, "is gone" if cause == "vanished" else f"cannot be read ({error.strerror or error})")
    except ValueError as error:
        refuse(name, "unreadable", f"cannot be read ({error})")
    return reader, Source(path, name, content)


def _reader(head: bytes, name: str) -> Reader:
    if not head:
        refuse(name, "empty", "holds no bytes")
    reader = reader_of(head, name)
    if reader is not None:
        return reader
    seems, expected = describe(head), promised(name)
    if expected is not None:
        refuse(name, "wrong_type", f"is named as {expected.name} but is {seems}")
    return refuse(name, "unsupported", f"is {seems}")


def _ends_early(reader: Reader, source: Source) -> bool:
    if not reader.by_path:
        return ends_early(reader, io.BytesIO(source.content), len(source.content))
    try:
        with io.BufferedReader(open_shared(source.path)) as file:
            return ends_early(reader, file, file.seek(0, io.SEEK_END))
    except OSError:
        return False


def _within(name: str, limits: DecodeLimits, pages: Iterator[Page]) -> Iterator[Page]:
    taken = 0
    for count, page in enumerate(pages, 1):
        taken += page.values.nbytes
        if count > limits.frames:
            refuse(name, "too_large", f"holds more than {limits.frames} frames")
        if taken > limits.decoded_bytes:
            refuse(name, "too_large", f"its frames come to more than {limits.decoded_bytes} bytes")
        yield page


def _some_of(stack: Stack, first: int, name: str, limits: DecodeLimits, ends_early: Callable[[], bool]) -> Portion | None:
    """A portion's frames; None of a file that holds none, and will not."""
    if stack.count > limits.stack_frames:
        refuse(name, "too_large", f"says that it holds {stack.count} images, {limits.stack_frames} are allowed")
    if stack.count == 0 and not stack.growing:
        return None
    frames: list[Frame] = []
    refused: list[RefusedFrame] = []
    taken, place, begun_s = 0, first, time.monotonic()
    while place < stack.count and not (
        place - first >= LEAST_FRAMES
        and (
            place - first >= limits.portion_frames
            or taken >= limits.portion_bytes
            or time.monotonic() - begun_s > limits.time_s * SHARE_OF_TIME
        )
    ):
        done = _used(partial(stack.page, place), place, stack.count, name, limits, ends_early)
        if isinstance(done, RefusedFrame):
            refused.append(done)
        else:
            frames.append(done)
            taken += done.pixels.nbytes
        place += 1
    if place < stack.count:
        return Portion(tuple(frames), tuple(refused), place, stack.growing)
    if stack.growing:
        last = frames[-1].frame_index if frames else -1
        refused = [frame for frame in refused if frame.frame_index < last]  # what is bad at the end may just not be written yet
    elif stack.count == 1:
        _refuse_file(name, refused)
    return Portion(tuple(frames), tuple(refused), None, stack.growing)


def _all_of(pages: list[Page], name: str, limits: DecodeLimits) -> Portion | None:
    if not pages:
        return None
    done = [_used(partial(pages.__getitem__, place), place, len(pages), name, limits, lambda: False) for place in range(len(pages))]
    refused = tuple(frame for frame in done if isinstance(frame, RefusedFrame))
    if len(pages) == 1:
        _refuse_file(name, refused)
    return Portion(tuple(frame for frame in done if isinstance(frame, Frame)), refused)


def _refuse_file(name: str, refused: Sequence[RefusedFrame]) -> None:
    """A file's only frame stands for the file."""
    for frame in refused:
        raise FrameRejectedError(name, frame.cause, frame.reason, frame.remedy)


def _used(
    read: Callable[[], Page], place: int, count: int, name: str, limits: DecodeLimits, ends_early: Callable[[], bool]
) -> Frame | RefusedFrame:
    page = None
    try:
        page = read()
        return _finish(page, place, count, name, limits)
    except FrameRejectedError as rejected:
        cause, reason, remedy = rejected.cause, rejected.reason, rejected.remedy
    except MemoryError:
        cause, reason, remedy = "too_large", NO_MEMORY, REMEDIES["too_large"]
    except Exception as error:  # noqa: BLE001 - decoders of others raise anything at all on a damaged image
        blame_medium(name, error)
        cause = "truncated" if ends_early() else "decoder_failed"
        reason, remedy = f"frame {place} cannot be decoded ({_one_line(error)})", REMEDIES[cause]
    stored = b"" if page is None else f"{page.values.shape} {page.values.dtype}\n".encode() + page.values.tobytes()
    return RefusedFrame(place, hashlib.sha256(stored).hexdigest() if stored else "", cause, reason[:REASON_LENGTH], remedy)


def _finish(page: Page, index: int, count: int, name: str, limits: DecodeLimits) -> Frame:
    where = f"frame {index}" if count > 1 else "the frame"
    if page.values.ndim == 1:
        refuse(name, "unsupported", f"{where} is a scan of {len(page.values)} points, and the models look at images")
    values = page.values[: page.values.shape[0] - page.bar_rows] if page.bar_rows else page.values
    height, width = values.shape[:2]
    if min(height, width) < limits.smallest_px:
        refuse(name, "too_small", f"{where} is {width} x {height} pixels, at least {limits.smallest_px} a side are needed")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        refuse(name, "not_finite", f"{where} holds values that are not numbers")
    pixels, note = to_grey(name, values)
    if not np.isfinite(pixels).all():
        refuse(name, "not_finite", f"{where} holds values beyond the range of 32-bit floats")
    if (pixels == pixels[0, 0]).all():
        refuse(name, "constant", f"every pixel of {where} is {pixels[0, 0]}")
    scale = full_scale_of(pixels, page.bits)
    if scale <= 0:
        refuse(name, "unsupported", f"{where} holds no value above 0")
    acquisition = bounded(page.acquisition)
    if note:
        acquisition = dataclasses.replace(acquisition, extra={**acquisition.extra, "colour": note})
    return Frame(pixels, scale, index, count, content_hash(pixels), acquisition, measure(pixels, scale))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
