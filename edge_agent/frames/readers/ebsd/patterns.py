"""What the formats of patterns have in common: where one lies, and where on the scan it was taken."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from edge_agent.frames.refusal import refuse
from edge_agent.frames.share import open_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge_agent.frames.readers.record import Record

MICRON_M = 1e-6


@contextmanager
def opened(path: str) -> Iterator[tuple[BinaryIO, int]]:
    """The file, buffered, so that it reads all that it is asked for, and its size; nobody is kept from renaming it meanwhile."""
    with io.BufferedReader(open_shared(path)) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        yield file, size


def pattern_at(file: BinaryIO, begins: int, shape: tuple[int, int], dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """The pattern of the shape (height, width) that begins at a byte."""
    needed = shape[0] * shape[1] * dtype.itemsize
    file.seek(begins)
    content = file.read(needed)
    if len(content) < needed:
        refuse(name, "truncated", f"holds {len(content)} of the {needed} bytes of a pattern")
    return np.frombuffer(content, dtype).reshape(shape)


def take_place(record: Record, place: int, columns: int, step_m: tuple[float | None, float | None], where: str) -> None:
    """Take where on a rectangular scan, row by row, a pattern was taken: `step_m` along columns and along rows."""
    row, column = divmod(place, columns)
    record.take("scan_row", row, where)
    record.take("scan_column", column, where)
    for term, steps, step in (("scan_x_m", column, step_m[0]), ("scan_y_m", row, step_m[1])):
        record.take(term, float(f"{steps * step:.12g}") if step is not None else None, where)
