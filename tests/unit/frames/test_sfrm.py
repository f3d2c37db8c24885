from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.frames import DecoderPool, completeness
from tests.conftest import absent
from tests.detector_files import counts, sfrm86, sfrm100
from tests.reading import check_growth, read, refused

FORMATS = Path(__file__).parents[4] / "shared" / "data" / "formats"


def values() -> Any:
    return counts().clip(0) + 40  # on both sides of the baseline


@pytest.mark.parametrize("written", [sfrm86, sfrm100])
def test_counts_beyond_a_byte_come_from_their_tables(tmp_path: Path, written: Any) -> None:
    (frame,) = read(tmp_path, "a.sfrm", written(values()))
    np.testing.assert_array_equal(frame.pixels, values())
    assert frame.pixels.max() == 3_000_040
    assert frame.acquisition.extra["saturated_pixels"] == "1"


def test_what_fabio_writes_is_read(tmp_path: Path) -> None:
    from fabio.bruker100image import Bruker100Image

    Bruker100Image(data=values().astype(np.int32)).write(str(tmp_path / "a.sfrm"))
    (frame,) = read(tmp_path, "a.sfrm", (tmp_path / "a.sfrm").read_bytes())
    np.testing.assert_array_equal(frame.pixels, values())


@pytest.mark.parametrize("written", [sfrm86, sfrm100])
def test_how_it_was_taken_is_told_in_common_terms(tmp_path: Path, written: Any) -> None:
    (frame,) = read(tmp_path, "a.sfrm", written(values()))
    told = frame.acquisition
    assert told.acquired_at == datetime(2022, 10, 8, 14, 37, 13, tzinfo=UTC)
    assert (told.instrument, told.detector, told.sample_id, told.dwell_s) == ("D8 VENTURE", "CMOS-PHOTONIII-C14", "A17", None)
    assert told.acceleration_voltage_v is None  # SOURCEK is an X-ray tube's
    terms = [told.extra[term] for term in ("exposure_s", "wavelength_m", "detector_distance_m", "beam_centre_px", "saturation_counts")]
    assert terms == ["12.5", "7.1073e-11", "0.05", "31.5 20.25", "163810"]
    assert told.extra["TITLE"] == "caf\xe9 at 300 K"


@pytest.mark.parametrize("written", [sfrm86, sfrm100])
def test_a_file_grows_until_its_last_table_ends(tmp_path: Path, written: Any) -> None:
    content = written(values())
    check_growth(tmp_path, "a.sfrm", content, len(content), (80, 2559, 2560, 7679, 7680, 7680 + 48 * 64, len(content) - 17))


@pytest.mark.parametrize("written", [sfrm86, sfrm100])
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"NROWS": "100000", "NCOLS": "100000"}, "too_large"),
        ({"NROWS": "-1"}, "decoder_failed"),
        ({"NPIXELB": "3 1"}, "unsupported"),
        ({"NOVERFL": "999999999 999999999 999999999"}, "truncated"),
        ({"NOVERFL": "some"}, "decoder_failed"),
    ],
)
def test_a_header_that_says_otherwise_is_refused_by_name(tmp_path: Path, written: Any, keys: dict[str, Any], expected: str) -> None:
    assert refused(tmp_path, "a.sfrm", written(values(), **keys))[0] == expected


def test_a_header_that_claims_to_be_endless_is_left_to_the_decoder(tmp_path: Path) -> None:
    (tmp_path / "a.sfrm").write_bytes(sfrm100(values(), HDRBLKS="99999999"))
    assert completeness(tmp_path / "a.sfrm") == "unknown"
    assert refused(tmp_path, "a.sfrm", sfrm100(values(), HDRBLKS="99999999"))[0] == "truncated"
    assert refused(tmp_path, "a.sfrm", b"FORMAT :101".ljust(9000))[0] == "wrong_type"


def tables_undone(content: bytes) -> Any:
    """As the description says, without the library."""
    shape, baseline, place = (1024, 768), 64, 15 * 512
    flat = np.frombuffer(content, np.uint8, 1024 * 768, place).astype(np.int64)
    place += flat.size
    below_count, over_count, _ = (int(part) for part in content[:7680].split(b"NOVERFL:")[1][:72].split())
    below = np.frombuffer(content, np.int8, below_count, place)
    over = np.frombuffer(content, "<u2", over_count, place + -(-below_count // 16) * 16)
    counted = flat + baseline
    counted[flat == 255] = over.astype(np.int64) + baseline
    counted[flat == 0] = below
    return counted.reshape(shape)


@pytest.mark.parametrize(
    ("name", "when", "exposure_s", "total", "most"),
    [
        ("powCeO2_00.sfrm", datetime(2022, 10, 8, 14, 37, 13, tzinfo=UTC), "180", 138035888, 3082),
        ("powCeO2_01.sfrm", datetime(2021, 2, 26, 8, 42, 21, tzinfo=UTC), "60", 107258296, 3620),
    ],
)
def test_real_bruker_frames_hold_the_counts_that_they_state(
    name: str, when: datetime, exposure_s: str, total: int, most: int, tmp_path: Path
) -> None:
    if not (FORMATS / name).is_file():
        absent("shared", f"{FORMATS / name} is absent")
    content = (FORMATS / name).read_bytes()
    (frame,) = read(tmp_path, name, content)
    np.testing.assert_array_equal(frame.pixels, tables_undone(content))
    assert int(frame.pixels.max()) == most
    assert abs(int(frame.pixels.sum(dtype=np.int64)) - total) <= 8  # NCOUNTS was summed in 32-bit floats
    assert (frame.acquisition.acquired_at, frame.acquisition.detector) == (when, "CMOS-PHOTONIII-C14")
    assert (frame.acquisition.extra["exposure_s"], frame.acquisition.extra["wavelength_m"]) == (exposure_s, "7.1073e-11")


async def test_a_confined_decoder_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a.sfrm").write_bytes(sfrm100(values()))
    pool = DecoderPool()
    (frame,) = (await pool.read(str(tmp_path / "a.sfrm"), "a.sfrm")).frames
    await pool.close()
    np.testing.assert_array_equal(frame.pixels, values())
