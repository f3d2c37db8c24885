"""What passes between the agent and a decoder process.

A message is the length of its head (8 bytes, little-endian), the head, a pickle, and then the arrays within it as they are, uncopied.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits

LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Request:
    """One file to decode; the arguments of `decode`."""

    path: str
    name: str
    limits: DecodeLimits
    time_zone: tzinfo | None


def send(pipe: BinaryIO, message: Any) -> None:
    """Write a message; arrays within it go out of band, uncopied."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    head = pickle.dumps((len(body), [len(part) for part in raw]))
    pipe.write(LENGTH.pack(len(head)) + head + body)
    pipe.writelines(raw)
    pipe.flush()


def receive(pipe: BinaryIO) -> Any:
    """Read what `send` wrote; raises EOFError when the other side is gone."""
    (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
    body_bytes, buffer_bytes = pickle.loads(_exactly(pipe, length))  # noqa: S301 - our own process's other end
    body = _exactly(pipe, body_bytes)
    return pickle.loads(body, buffers=[_exactly(pipe, size) for size in buffer_bytes])  # noqa: S301 - as above


def _exactly(pipe: BinaryIO, size: int) -> bytearray:
    target = bytearray(size)
    view = memoryview(target)
    done = 0
    while done < size:
        count = pipe.readinto(view[done:])  # type: ignore[attr-defined] # both ends are raw or buffered binary files
        if not count:
            raise EOFError("the decoder's pipe is closed")
        done += count
    return target
