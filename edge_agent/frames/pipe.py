"""What passes between the agent and a decoder process, which may have been taken over by the file it read.

A message is the length of its head (4 bytes, little-endian), the head, JSON in ASCII, and then the bytes of the arrays within it as they
are, uncopied. Nothing in it can name a class or run code, and both lengths are bounded before anything of their size is allocated.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypeVar, cast

import numpy as np

from edge_agent.core.errors import QUARANTINE_REASONS, FrameRejectedError
from edge_agent.core.frame import Frame
from edge_agent.core.portion import Portion
from edge_agent.frames.plain import pack, unpacker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray

    from edge_agent.core.portion import RefusedFrame
    from edge_agent.frames.limits import DecodeLimits

LENGTH = struct.Struct("<I")
HEAD = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
READY = "ready"
"""What a decoder says once it has started."""
HEAD_BYTES = 1 << 20
"""The longest head: one frame's metadata with all its texts. Parsed, it comes to some twenty times its length at most."""
HEADS_BYTES = 32 << 20
"""The most that the heads of one file's frames may come to."""
TEXT_LENGTH = 4096
"""The longest reason or remedy of a refusal."""
SHA_256 = re.compile(r"[0-9a-f]{64}")

Message = TypeVar("Message")


class BadMessageError(ValueError):
    """What came is no message, or not the one that belongs here."""


@dataclass(frozen=True, slots=True)
class Request:
    """One file to decode, or a portion of it; the arguments of `decode_portion`."""

    path: str
    name: str
    limits: DecodeLimits
    time_zone: tzinfo | None
    first: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file holds no frames; see FrameRejectedError."""

    cause: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands before a portion's frames: how many follow, none with a refusal of the file; and the rest of the portion."""

    frames: int
    refusal: Refusal | None = None
    refused: tuple[RefusedFrame, ...] = ()
    next_first: int | None = None
    growing: bool = False


def send(pipe: BinaryIO, message: Any) -> None:
    """Write a message; raises ValueError, with nothing written, for one that cannot travel."""
    _write(pipe, *_packed(message))
    pipe.flush()


def receive(pipe: BinaryIO, kind: type[Message], most_bytes: int = 0, *, for_people: bool = False) -> Message:
    """Read what `send` wrote.

    Args:
        pipe: the other side's output.
        kind: the only class, or simple type, that is accepted.
        most_bytes: what the bytes beside the head may come to.
        for_people: whether halves of surrogate pairs are written out, which no database takes; names of files need to stay as they are.

    Raises EOFError when the other side is gone, BadMessageError when it sent anything else.
    """
    return _receive(pipe, kind, _Beside(pipe, most_bytes, for_people=for_people), HEAD_BYTES)[0]


def send_frames(pipe: BinaryIO, outcome: Portion | FrameRejectedError) -> None:
    """Write what became of a file, or of a portion of it."""
    if isinstance(outcome, FrameRejectedError):
        _refuse(pipe, outcome.cause, outcome.reason, outcome.remedy)
        return
    try:
        head = _packed(Outcome(len(outcome.frames), None, outcome.refused, outcome.next_first, outcome.growing))
        messages = [_packed(frame) for frame in outcome.frames]
    except ValueError as error:
        _refuse(pipe, "decoder_failed", f"its metadata cannot be used ({error})", "exclude it, or look into the program that wrote it")
        return
    if sum(len(head) for head, _ in messages) > HEADS_BYTES:
        _refuse(pipe, "too_large", f"its metadata come to more than {HEADS_BYTES} bytes", "save it in parts, or exclude it")
        return
    for message, beside in [head, *messages]:
        _write(pipe, message, beside)
    pipe.flush()


def receive_frames(pipe: BinaryIO, request: Request) -> Portion | FrameRejectedError:
    """Read what `send_frames` wrote about `request`, and believe nothing that its limits forbid; raises as `receive`."""
    outcome = receive(pipe, Outcome, for_people=True)
    if (refusal := outcome.refusal) is not None:
        if outcome.frames or outcome.refused or not _is_refusal(refusal):
            _bad("a refusal without a known cause")
        return FrameRejectedError(request.name, refusal.cause, refusal.reason, refusal.remedy)
    told = outcome.frames + len(outcome.refused)
    fewest = 0 if outcome.growing or request.first else 1  # a stack may have become shorter than it was
    if outcome.frames < 0 or not fewest <= told <= request.limits.frames:
        _bad(f"{outcome.frames} frames")
    beside = _Beside(pipe, request.limits.answer_bytes, for_people=True)
    left = HEADS_BYTES
    frames: list[Frame] = []
    for _ in range(outcome.frames):
        frame, length = _receive(pipe, Frame, beside, min(HEAD_BYTES, left))
        left -= length
        _check(frame, frames[-1] if frames else None, request.limits)
        frames.append(frame)
    _check_order(frames, outcome, request.limits)
    return Portion(tuple(frames), outcome.refused, outcome.next_first, outcome.growing)


def _is_refusal(refusal: Refusal | RefusedFrame) -> bool:
    return refusal.cause in QUARANTINE_REASONS and max(len(refusal.reason), len(refusal.remedy)) <= TEXT_LENGTH


def _check(frame: Frame, previous: Frame | None, limits: DecodeLimits) -> None:
    height, width = frame.pixels.shape
    if min(height, width) < limits.smallest_px or height * width > limits.frame_pixels:
        _bad(f"a frame of {width} x {height} pixels")
    if not 0 <= frame.frame_index < frame.frame_count <= limits.stack_frames or (previous and frame.frame_count != previous.frame_count):
        _bad("more frames than the file holds")
    if frame.full_scale <= 0 or not SHA_256.fullmatch(frame.content_hash):
        _bad("a frame without full scale or content hash")
    if frame.pixels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # infinities of both signs
            total = frame.pixels.sum(dtype=np.float64)  # finite if every pixel is: 32-bit floats cannot overflow it
        if not np.isfinite(total):
            _bad("pixels that are not finite")


def _check_order(frames: Sequence[Frame], outcome: Outcome, limits: DecodeLimits) -> None:
    """Good and refused frames stand in order each, and together leave no gap; the next portion begins right behind them."""
    if not all(_is_refusal(frame) and (not frame.content_hash or SHA_256.fullmatch(frame.content_hash)) for frame in outcome.refused):
        _bad("a refused frame without a known cause")
    good, bad = [frame.frame_index for frame in frames], [frame.frame_index for frame in outcome.refused]
    places = sorted(good + bad)
    if good != sorted(good) or bad != sorted(bad) or places != list(range(places[0], places[0] + len(places)) if places else []):
        _bad("frames out of order")
    if (places and not 0 <= places[0] <= places[-1] < limits.stack_frames) or (
        outcome.next_first is not None and (not places or outcome.next_first != places[-1] + 1)
    ):
        _bad("a portion that goes on elsewhere")


def _refuse(pipe: BinaryIO, cause: str, reason: str, remedy: str) -> None:
    send(pipe, Outcome(0, Refusal(cause, reason[:TEXT_LENGTH], remedy[:TEXT_LENGTH])))


def _packed(message: Any) -> tuple[bytes, list[NDArray[Any] | bytes]]:
    beside: list[NDArray[Any] | bytes] = []
    head = HEAD(pack(message, beside)).encode("ascii")
    if len(head) > HEAD_BYTES:
        raise ValueError(f"metadata of {len(head)} bytes are too long")
    return head, beside


def _write(pipe: BinaryIO, head: bytes, beside: Sequence[NDArray[Any] | bytes]) -> None:
    for part in (LENGTH.pack(len(head)) + head, *beside):
        view = _bytes_of(part)
        while view:  # an unbuffered pipe may take less than all
            view = view[pipe.write(view) :]


def _receive(pipe: BinaryIO, kind: type[Message], beside: _Beside, most_head: int) -> tuple[Message, int]:
    (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
    if length > most_head:
        _bad(f"a head of {length} bytes")
    try:
        return cast("Message", unpacker(cast("Any", kind))(json.loads(_exactly(pipe, length).decode("ascii")), beside)), length
    except BadMessageError:
        raise
    except (ValueError, RecursionError) as error:  # JSON nested too deeply is one of the latter
        return _bad(" ".join(str(error).split())[:200])


def _bad(what: str) -> NoReturn:
    raise BadMessageError(what)


def _bytes_of(part: NDArray[Any] | bytes | bytearray) -> memoryview:
    return part.reshape(-1).view(np.uint8).data if isinstance(part, np.ndarray) else memoryview(part)


def _exactly(pipe: BinaryIO, size: int) -> bytearray:
    target = bytearray(size)
    _fill(pipe, memoryview(target))
    return target


def _fill(pipe: BinaryIO, view: memoryview) -> None:
    while view:
        count = pipe.readinto(view)  # type: ignore[attr-defined] # both ends are raw or buffered binary files
        if not count:
            raise EOFError("the decoder's pipe is closed")
        view = view[count:]


class _Beside:
    """The bytes beside a head, as they come from the pipe, and how many may still come."""

    def __init__(self, pipe: BinaryIO, most_bytes: int, *, for_people: bool) -> None:
        self._pipe = pipe
        self._left = most_bytes
        self._for_people = for_people

    def text(self, value: str) -> str:
        return value.encode("utf-8", "backslashreplace").decode() if self._for_people else value

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        size = dtype.itemsize
        for side in shape:
            size *= side
        self._take(size)
        values = np.empty(shape, dtype)
        _fill(self._pipe, _bytes_of(values))
        return values.astype(dtype.newbyteorder("="), copy=False)

    def content(self, size: int) -> bytes:
        self._take(size)
        return bytes(_exactly(self._pipe, size))

    def _take(self, size: int) -> None:
        if not 0 <= size <= self._left:
            _bad(f"{size} bytes, {self._left} are allowed")
        self._left -= size
