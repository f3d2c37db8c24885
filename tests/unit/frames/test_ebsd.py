import hashlib
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.frames import DecodeLimits, DecoderPool, Source, completeness, decode, decode_portion, readers
from edge_agent.frames.reader import StackReader
from tests.conftest import absent
from tests.detector_files import NORDIF_SETTINGS, ebsp, patterns, up
from tests.reading import check_growth, read, refused

FORMATS = Path(__file__).parents[4] / "shared" / "data" / "formats"
NAMES = {"UP": "a.up1", "EBSP": "a.ebsp", "NORDIF": "Pattern.dat"}
WRITERS: dict[str, Any] = {"UP": up, "EBSP": ebsp, "NORDIF": lambda values: values.tobytes()}
HEADER_BYTES = {"UP": 16, "EBSP": 8 + 8 * 6, "NORDIF": 0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Setting.txt").write_text(NORDIF_SETTINGS, "latin-1")
    return tmp_path


@pytest.mark.parametrize("form", NAMES)
def test_each_pattern_is_a_frame(folder: Path, form: str) -> None:
    frames = read(folder, NAMES[form], WRITERS[form](patterns()))
    np.testing.assert_array_equal([frame.pixels for frame in frames], patterns())
    assert [frame.acquisition.extra["scan_index"] for frame in frames] == list("012345")


@pytest.mark.parametrize("form", NAMES)
def test_one_can_begin_at_any_pattern(folder: Path, form: str) -> None:
    (folder / NAMES[form]).write_bytes(WRITERS[form](patterns()))
    (reader,) = (one for one in readers() if one.recognises((folder / NAMES[form]).read_bytes()[:1024], NAMES[form]))
    assert isinstance(reader, StackReader)
    with reader.stack(Source(str(folder / NAMES[form]), NAMES[form], b""), DecodeLimits(), None) as stack:
        assert stack.count == 6
        np.testing.assert_array_equal(stack.page(4).values, patterns()[4])
        np.testing.assert_array_equal(stack.page(1).values, patterns()[1])


@pytest.mark.parametrize("form", NAMES)
def test_a_file_grows_until_its_last_pattern(folder: Path, form: str) -> None:
    content = WRITERS[form](patterns())
    last = len(content) - (18 if form == "EBSP" else 0)
    begins = HEADER_BYTES[form]
    lengths = {begins + 1, begins + 36 * 40 - 1, last - 36 * 40 - 1} | ({9, begins - 1, begins} if begins else set())
    check_growth(folder, NAMES[form], content, last, sorted(lengths))


@pytest.mark.parametrize(("dtype", "name"), [("u1", "a.up1"), ("<u2", "a.UP2")])
@pytest.mark.parametrize("version", [1, 3, 4])
def test_patterns_of_8_and_16_bits_in_either_version(tmp_path: Path, dtype: str, name: str, version: int) -> None:
    values = patterns(dtype=dtype)
    frames = read(tmp_path, name, up(values, version, 2, 3))
    np.testing.assert_array_equal([frame.pixels for frame in frames], values)
    told = [{term: frame.acquisition.extra.get(f"scan_{term}") for term in ("row", "column", "x_m", "y_m")} for frame in frames]
    if version >= 3:
        assert told[3] == {"row": "1", "column": "1", "x_m": "1.5e-06", "y_m": "3e-06"}
        assert told[0] == {"row": "0", "column": "0", "x_m": "0", "y_m": "0"}
    else:
        assert told[3] == {"row": None, "column": None, "x_m": None, "y_m": None}


def test_a_scan_of_edax_is_growing_until_it_has_all_its_patterns(tmp_path: Path) -> None:
    content = up(patterns(), 3, 2, 3)
    check_growth(tmp_path, "a.up1", content, len(content), (17, 41, 42, 42 + 36 * 40, 42 + 5 * 36 * 40))
    (tmp_path / "hexagonal.up1").write_bytes(up(patterns(5), 3, 2, 3, hexagonal=True))
    assert completeness(tmp_path / "hexagonal.up1") == "complete"
    assert len(decode(str(tmp_path / "hexagonal.up1"), "hexagonal.up1")) == 5


@pytest.mark.parametrize(
    "head", [(2, 36, 40, 16), (1, 0, 40, 16), (1, 36, 100_000, 16), (1, 36, 40, 4), (1, 36, -40, 16), (70, 36, 40, 16)]
)
def test_a_header_of_edax_that_makes_no_sense_is_none(tmp_path: Path, head: tuple[int, ...]) -> None:
    assert refused(tmp_path, "a.up1", struct.pack("<4i", *head) + bytes(9000))[0] == "wrong_type"


def test_absurd_sizes_are_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    assert refused(tmp_path, "a.up1", up(patterns(), 3, 2**31, 2**31))[0] == "truncated"
    assert refused(tmp_path, "a.up1", struct.pack("<4i", 1, 16_000, 16_000, 16) + bytes(9000))[0] == "too_large"


@pytest.mark.parametrize("version", [0, 1, 2, 4, 5])
def test_every_version_of_oxford(tmp_path: Path, version: int) -> None:
    frames = read(tmp_path, "a.ebsp", ebsp(patterns(), version))
    np.testing.assert_array_equal([frame.pixels for frame in frames], patterns())
    expected = (None, None) if version == 0 else ("1.5e-06", "1.5e-06")
    assert (frames[4].acquisition.extra.get("scan_x_m"), frames[4].acquisition.extra.get("scan_y_m")) == expected


def test_dark_pixels_behind_the_table_are_no_part_of_it(tmp_path: Path) -> None:
    values = np.zeros((6, 40, 36), np.uint8)
    values[:, ::5, ::9] = 3
    frames = read(tmp_path, "a.ebsp", ebsp(values))
    np.testing.assert_array_equal([frame.pixels for frame in frames], values)


@pytest.mark.parametrize(("options", "cause"), [({"missing": (2, 3)}, "empty"), ({"compressed": (2, 3)}, "unsupported")])
async def test_a_pattern_that_cannot_be_read_costs_only_itself(tmp_path: Path, options: dict[str, Any], cause: str) -> None:
    (tmp_path / "a.ebsp").write_bytes(ebsp(patterns(), **options))
    assert completeness(tmp_path / "a.ebsp") == "complete"
    pool = DecoderPool()
    portion = await pool.read(str(tmp_path / "a.ebsp"), "a.ebsp")
    await pool.close()
    assert [frame.frame_index for frame in portion.frames] == [0, 1, 4, 5]
    assert [(frame.frame_index, frame.cause) for frame in portion.refused] == [(2, cause), (3, cause)]
    assert f"pattern {portion.refused[0].frame_index}" in portion.refused[0].reason


def test_a_scan_that_was_ended_early_has_no_frames_behind_its_last(tmp_path: Path) -> None:
    (tmp_path / "a.ebsp").write_bytes(ebsp(patterns(), missing=(2, 4, 5)))
    portion = decode_portion(str(tmp_path / "a.ebsp"), "a.ebsp")
    assert [(frame.frame_index, frame.frame_count) for frame in portion.frames] == [(0, 4), (1, 4), (3, 4)]
    assert [frame.frame_index for frame in portion.refused] == [2]


def test_patterns_of_two_bytes_and_of_odd_lengths(tmp_path: Path) -> None:
    frames = read(tmp_path, "a.ebsp", ebsp(patterns(dtype="<u2")))
    np.testing.assert_array_equal([frame.pixels for frame in frames], patterns(dtype="<u2"))
    content = bytearray(ebsp(patterns()))
    (begins,) = struct.unpack_from("<q", content, 8)
    struct.pack_into("<i", content, begins + 12, 40 * 36 - 1)
    assert refused(tmp_path, "a.ebsp", bytes(content)) == ("unsupported", "pattern 0 has 1439 bytes for 36 x 40 pixels")


@pytest.mark.parametrize(
    ("table", "expected"),
    [((40, 20), "decoder_failed"), ((9, 9), "decoder_failed"), ((0, 0), "truncated"), ((10**17, 10**17), "truncated")],
)
def test_a_table_that_makes_no_sense(tmp_path: Path, table: tuple[int, ...], expected: str) -> None:
    content = struct.pack("<q2q", -2, *table)
    assert refused(tmp_path, "a.ebsp", content + b"\xff" * 500 if expected == "decoder_failed" else content)[0] == expected


def test_a_table_without_end_is_left_to_the_decoder(tmp_path: Path) -> None:
    with (tmp_path / "a.ebsp").open("wb") as file:
        file.write(struct.pack("<q", -2))
        file.truncate(40 << 20)
    assert completeness(tmp_path / "a.ebsp") == "unknown"
    limits = DecodeLimits(stack_frames=1000)
    with pytest.raises(Exception, match="holds more than 1000 patterns"):
        decode(str(tmp_path / "a.ebsp"), "a.ebsp", limits)


def test_the_settings_of_nordif_are_told_with_where_they_stand(folder: Path) -> None:
    frames = read(folder, "Pattern.dat", patterns().tobytes())
    told = frames[4].acquisition
    assert (told.instrument, told.detector, told.sample_id) == ("Hitachi SU-6600", "UF1100", "Ni")
    assert (told.acceleration_voltage_v, told.magnification, told.working_distance_m) == (20_000, 200, 0.0247)
    terms = ("exposure_s", "scan_row", "scan_column", "scan_x_m", "scan_y_m")
    assert [told.extra[term] for term in terms] == ["0.0035", "1", "1", "1.5e-06", "1.5e-06"]


def test_nordif_without_its_settings_says_so(tmp_path: Path) -> None:
    assert refused(tmp_path, "Pattern.dat", patterns().tobytes()) == (
        "unsupported",
        "has no Setting.txt beside it, which tells how large its patterns are",
    )
    assert completeness(tmp_path / "Pattern.dat") == "complete"
    (tmp_path / "Setting.txt").write_text("[Area]\t\nNumber of samples\tmany\t#\n", "latin-1")
    assert refused(tmp_path, "Pattern.dat", patterns().tobytes())[0] == "unsupported"


def test_a_size_that_the_settings_do_not_bear_out_is_refused(folder: Path) -> None:
    assert refused(folder, "Pattern.dat", patterns(7).tobytes())[0] == "decoder_failed"
    assert refused(folder, "other.dat", patterns().tobytes())[0] == "wrong_type"


@pytest.mark.parametrize("name", ["edax_binary.up1", "patterns.ebsp", "Pattern.dat"])
def test_real_files_of_three_makers_hold_the_same_nine_patterns_of_nickel(tmp_path: Path, name: str) -> None:
    if not (FORMATS / name).is_file():
        absent("shared", f"{FORMATS / name} is absent")
    for one in (name, "Setting.txt"):
        shutil.copy(FORMATS / one, tmp_path / one)
    frames = decode(str(tmp_path / name), name)
    assert completeness(tmp_path / name) == "complete"
    stack = np.stack([frame.pixels for frame in frames])
    assert stack.shape == (9, 60, 60)
    assert int(stack.sum()) == 4732574
    assert hashlib.sha256(stack.tobytes()).hexdigest().startswith("ffab6bc6c2f20015")
    extra = frames[5].acquisition.extra
    if name != "edax_binary.up1":  # version 1 tells no scan
        assert (extra["scan_x_m"], extra["scan_y_m"]) == ("3e-06", "1.5e-06")
    if name == "Pattern.dat":
        told = frames[5].acquisition
        assert (told.acceleration_voltage_v, told.working_distance_m, told.extra["exposure_s"]) == (20_000, 0.0247, "0.0035")
        assert (told.instrument, told.detector, told.sample_id) == ("Hitachi SU-6600", "UF1100", "Ni")
