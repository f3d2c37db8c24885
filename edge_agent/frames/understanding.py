"""What a reader made of a file, told in full and without its pixels: what `edge-agent inspect` shows.

It is found out in a process of its own, as decoding is: the file may be a bad one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from edge_agent.core.errors import EdgeAgentError, FrameRejectedError
from edge_agent.core.frame import Acquisition
from edge_agent.core.portion import RefusedFrame
from edge_agent.frames.confinement import allow_time
from edge_agent.frames.decode import decode_portion, open_source
from edge_agent.frames.page import Axis  # noqa: TC001 - its annotation is looked up when it travels
from edge_agent.frames.pipe import BadMessageError, receive, send
from edge_agent.frames.process import DecoderLostError, DecoderProcess
from edge_agent.frames.reader import StackReader
from edge_agent.frames.worker import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page

MOST_SHOWN = 8
"""How many frames of a file are told of at once."""
THIS_MODULE = "edge_agent.frames.understanding"


@dataclass(frozen=True, slots=True)
class Question:
    """Which file; `first` is the first frame of interest. For the rest see `decode`."""

    path: str
    name: str
    limits: DecodeLimits
    time_zone: tzinfo | None
    first: int = 0


@dataclass(frozen=True, slots=True)
class UnderstoodFrame:
    """One stored image, or scan.

    Attributes:
        frame_index: place within its file, from 0.
        shape, dtype: as stored, data bar included; () and "" where it could not be read.
        bits: bits a pixel really uses, where the file says so.
        bar_rows: rows of the data bar at the bottom.
        least, greatest: the range of the frame's values that are finite numbers, without its data bar.
        acquisition, sources, side_car, axis: see Page.
        refused: why it is no frame for a model, if it is none.
    """

    frame_index: int
    shape: tuple[int, ...] = ()
    dtype: str = ""
    bits: int | None = None
    bar_rows: int = 0
    least: float | None = None
    greatest: float | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    sources: dict[str, str] = field(default_factory=dict)
    side_car: str = ""
    axis: Axis | None = None
    refused: RefusedFrame | None = None


@dataclass(frozen=True, slots=True)
class Understood:
    """A file.

    Attributes:
        form: the format's name.
        library: the distribution that reads it, "" for NumPy.
        rule: when a file of the format is complete.
        count: frames in the file.
        growing: whether its writer still has it open.
        shown: how many of them are told of.
        refused: why none of it can be used, if so.
    """

    form: str
    library: str
    rule: str
    count: int
    growing: bool
    shown: int
    refused: RefusedFrame | None = None


def understand(question: Question) -> tuple[Understood, tuple[UnderstoodFrame, ...]]:
    """Ask a process; raises FrameRejectedError for a file of which nothing is understood, EdgeAgentError when no answer is to be had."""
    process = DecoderProcess(THIS_MODULE)
    try:
        return _checked(question, process.ask(question, _receive, question.limits.time_s))
    except DecoderLostError as lost:
        raise EdgeAgentError(question.name, f"the decoder was lost over it ({lost})", "exclude the file, or look at it elsewhere") from None
    finally:
        process.stop()


def understand_here(question: Question) -> tuple[Understood, tuple[UnderstoodFrame, ...]]:
    """The same in this process, for a file that is known to do no harm."""
    file, frames = _answer(question)
    return _checked(question, (file, tuple(frames)))


def _checked(question: Question, answer: tuple[Understood, tuple[UnderstoodFrame, ...]]) -> tuple[Understood, tuple[UnderstoodFrame, ...]]:
    refused = answer[0].refused
    if not answer[0].form and refused is not None:
        raise FrameRejectedError(question.name, refused.cause, refused.reason, refused.remedy)
    return answer


def _receive(pipe: BinaryIO) -> tuple[Understood, tuple[UnderstoodFrame, ...]]:
    file = receive(pipe, Understood, for_people=True)
    if not 0 <= file.shown <= MOST_SHOWN:
        raise BadMessageError(f"{file.shown} frames")
    return file, tuple(receive(pipe, UnderstoodFrame, for_people=True) for _ in range(file.shown))


def _answer(question: Question) -> tuple[Understood, list[UnderstoodFrame]]:
    refused: dict[int, RefusedFrame] = {}
    whole = None
    try:
        portion = decode_portion(question.path, question.name, question.limits, question.time_zone, question.first)
        refused = {frame.frame_index: frame for frame in portion.refused}
    except FrameRejectedError as rejected:
        whole = RefusedFrame(0, "", rejected.cause, rejected.reason, rejected.remedy)
    try:
        return _read(question, refused, whole)
    except FrameRejectedError as rejected:
        told = whole or RefusedFrame(0, "", rejected.cause, rejected.reason, rejected.remedy)
    except Exception:  # noqa: BLE001 - what decoders of others raise was told by the refusal above
        told = whole or RefusedFrame(0, "", "decoder_failed", "cannot be read twice", "try again")
    return Understood("", "", "", 0, growing=False, shown=0, refused=told), []


def _read(question: Question, refused: dict[int, RefusedFrame], whole: RefusedFrame | None) -> tuple[Understood, list[UnderstoodFrame]]:
    reader, source = open_source(question.path, question.name, question.limits)
    frames: list[UnderstoodFrame] = []
    growing = False
    last = question.first + MOST_SHOWN
    if isinstance(reader, StackReader):
        with reader.stack(source, question.limits, question.time_zone) as stack:
            count, growing = stack.count, stack.growing
            for place in range(question.first, min(last, count)):
                try:
                    frames.append(_told(place, stack.page(place), refused.get(place, whole)))
                except Exception:  # noqa: BLE001 - an image that cannot be read is told as such
                    frames.append(UnderstoodFrame(place, refused=refused.get(place, whole)))
    else:
        count = 0
        for place, page in enumerate(_some(reader.read(source, question.limits, question.time_zone), question.limits)):
            count += 1
            if question.first <= place < last:
                frames.append(_told(place, page, refused.get(place, whole)))
    return Understood(reader.name, reader.library, reader.rule, count, growing, len(frames), whole), frames


def _some(pages: Iterator[Page], limits: DecodeLimits) -> Iterator[Page]:
    """No more than a decoder would take."""
    for count, page in enumerate(pages):
        if count >= limits.frames:
            return
        yield page


def _told(place: int, page: Page, refused: RefusedFrame | None) -> UnderstoodFrame:
    least, greatest = _range(page.values[: len(page.values) - page.bar_rows])
    return UnderstoodFrame(
        place,
        page.values.shape,
        str(page.values.dtype),
        page.bits,
        page.bar_rows,
        least,
        greatest,
        page.acquisition,
        dict(page.sources),
        page.side_car,
        page.axis,
        refused,
    )


def _range(values: NDArray[Any]) -> tuple[float | None, float | None]:
    if values.dtype.kind not in "biuf" or not values.size:
        return None, None
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return (float(finite.min()), float(finite.max())) if finite.size else (None, None)


def _in_time(question: Question) -> tuple[Understood, list[UnderstoodFrame]]:
    allow_time(question.limits.time_s)
    return _answer(question)


def _reply(pipe: BinaryIO, answer: tuple[Understood, list[UnderstoodFrame]]) -> None:
    file, frames = answer
    send(pipe, file)
    for frame in frames:
        try:
            send(pipe, frame)
        except ValueError as error:  # texts without measure, times without a zone
            reason = f"its metadata cannot be used ({str(error)[:200]})"
            refused = RefusedFrame(frame.frame_index, "", "decoder_failed", reason, "exclude it")
            send(pipe, UnderstoodFrame(frame.frame_index, refused=refused))


if __name__ == "__main__":
    serve(Question, _in_time, _reply)
