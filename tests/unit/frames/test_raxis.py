import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.detector_files import counts, raxis
from tests.reading import check_growth, read, refused


def values() -> Any:
    return counts().clip(0, 100_000) // 8 * 8


def test_flagged_counts_are_multiplied_and_the_header_is_told(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, "a.osc", raxis(values()))
    np.testing.assert_array_equal(frame.pixels, values())
    assert frame.pixels.max() == 100_000
    told = frame.acquisition
    assert (told.instrument, told.pixel_size_m, told.dwell_s) == ("RAXIS-IV", 1e-4, None)
    terms = [told.extra[term] for term in ("exposure_s", "wavelength_m", "detector_distance_m", "beam_centre_px")]
    assert terms == ["120", "1.5418e-10", "0.12", "31.5 20.25"]


def test_bytes_behind_the_image_do_not_shift_it(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, "a.osc", raxis(values()) + bytes(1000))
    np.testing.assert_array_equal(frame.pixels, values())


def test_a_file_grows_until_its_last_pixel(tmp_path: Path) -> None:
    content = raxis(values())
    check_growth(tmp_path, "a.osc", content, len(content), (20, 700, 1399, 2047, 2048, 4000))


@pytest.mark.parametrize(("size", "expected"), [((2**30, 2**30), "too_large"), ((-4, 10), "decoder_failed"), ((0, 0), "decoder_failed")])
def test_sizes_that_cannot_be_are_refused(tmp_path: Path, size: tuple[int, int], expected: str) -> None:
    content = bytearray(raxis(values()))
    struct.pack_into(">ii", content, 768, *size)
    assert refused(tmp_path, "a.osc", bytes(content))[0] == expected
