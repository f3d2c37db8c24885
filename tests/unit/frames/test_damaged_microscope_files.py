"""Damaged MRC and SER, and damaged side-cars: a look never raises and takes no more than a moment, decoding reads or refuses."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import completeness, decode
from edge_agent.frames.reader import TooMuchError
from edge_agent.frames.readers.ser.series import MOST_LOOKS, series_lacks
from tests.hostile_files import micrograph, picture
from tests.microscope_files import emi, fei_part, mrc, ser
from tests.unit.frames.test_tiff_vendors import HITACHI, JEOL, TESCAN

if TYPE_CHECKING:
    from pathlib import Path

STACK = np.stack([micrograph(dtype=np.uint16, seed=seed) for seed in range(2)])
WHOLE = {
    "a.mrc": mrc(STACK, extended=fei_part() * 2, kind=b"FEI1"),
    "b.mrc": mrc(STACK, ">", stamp=b""),
    "a_1.ser": ser(STACK, beam=(0.0, 0.0)),
    "b_1.ser": ser(STACK, wide=True),
}
BESIDE = {"a.txt": JEOL.encode(), "b.txt": HITACHI.encode("utf-16"), "c.hdr": TESCAN.encode(), "a.emi": emi(2)}
CHANGES = st.lists(st.tuples(st.integers(0, 1400), st.integers(0, 255)), min_size=1, max_size=10)


def looked_at(path: Path) -> None:
    assert completeness(path) in {"complete", "growing", "unknown"}
    try:
        frames = decode(str(path), path.name)
    except FrameRejectedError as refused:
        assert refused.reason  # noqa: PT017 - either is right
    else:
        assert frames


@given(st.sampled_from(sorted(WHOLE)), CHANGES, st.integers(0, 3000))
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(WHOLE[name])
    for place, value in changes:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / f"damaged_{name}"
    path.write_bytes(content[: len(content) - (cut if cut > 1500 else 0)])
    looked_at(path)


@given(st.sampled_from(sorted(BESIDE)), CHANGES)
@settings(max_examples=150, deadline=None)
def test_a_damaged_side_car_does_no_harm(tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[int, int]]) -> None:
    folder = tmp_path_factory.getbasetemp() / "beside"
    folder.mkdir(exist_ok=True)
    content = bytearray(BESIDE[name])
    for place, value in changes:
        content[place % len(content)] = value
    (folder / name).write_bytes(content)
    image = folder / (f"{name[0]}_1.ser" if name.endswith("emi") else f"{name[0]}.png")
    image.write_bytes(WHOLE["a_1.ser"] if name.endswith("emi") else picture("PNG"))
    frames = decode(str(image), image.name)
    assert frames[0].pixels.shape[1] == 80


def test_a_series_of_more_elements_than_a_look_takes_in_is_left_to_the_decoder() -> None:
    count = MOST_LOOKS // 2 + 1
    head = ser(STACK)[:68]
    content = head[:14] + struct.pack("<ii", count, count) + head[22:] + bytes(8 * count)
    with pytest.raises(TooMuchError):
        series_lacks(io.BytesIO(content), len(content))
