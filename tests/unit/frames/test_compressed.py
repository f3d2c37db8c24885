import bz2
import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import DecodeLimits, completeness, decode
from tests.conftest import absent
from tests.detector_files import cbf, counts, edf, raxis, sfrm100, smv
from tests.reading import read, refused

PACKED = {".gz": lambda content: gzip.compress(content, mtime=0), ".bz2": bz2.compress}


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.cbf", cbf(counts())),
        ("a.EDF", edf(counts(), "SignedInteger")),
        ("a.img", smv(counts().astype("<i4"), "signed_long")),
    ],
)
def test_a_packed_file_is_what_it_holds(tmp_path: Path, suffix: str, name: str, content: bytes) -> None:
    (frame,) = read(tmp_path, name + suffix, PACKED[suffix](content))
    np.testing.assert_array_equal(frame.pixels, counts().clip(0))
    assert completeness(tmp_path / (name + suffix)) == "complete"


@pytest.mark.parametrize("suffix", PACKED)
def test_a_packed_file_that_ends_in_the_middle_is_truncated(tmp_path: Path, suffix: str) -> None:
    content = PACKED[suffix](edf(np.random.default_rng(0).integers(0, 60_000, (200, 200)).astype("<u2"), "UnsignedShort"))
    seen = []
    for length in [*range(9, len(content) - 1, len(content) // 50), len(content) - 1]:
        assert refused(tmp_path, "a.edf" + suffix, content[:length])[0] == "truncated", length
        seen.append(completeness(tmp_path / ("a.edf" + suffix)))
    assert seen.count("growing") >= len(seen) - {".gz": 2, ".bz2": 0}[suffix]  # gzip has no mark of its end


@pytest.mark.parametrize("suffix", PACKED)
def test_several_members_are_one_content(tmp_path: Path, suffix: str) -> None:
    content = edf(counts(), "SignedInteger")
    packed = PACKED[suffix](content[:3000]) + PACKED[suffix](b"") + PACKED[suffix](content[3000:])
    (frame,) = read(tmp_path, "a.edf" + suffix, packed)
    np.testing.assert_array_equal(frame.pixels, counts().clip(0))


@pytest.mark.parametrize("suffix", PACKED)
def test_a_bomb_is_refused_before_it_takes_memory(tmp_path: Path, suffix: str) -> None:
    bomb = PACKED[suffix](edf(np.zeros((2000, 2000), "<u2"), "UnsignedShort"))
    assert len(bomb) < 20_000
    limits = DecodeLimits(decoded_bytes=1 << 20)
    assert refused(tmp_path, "a.edf" + suffix, bomb, limits=limits) == ("too_large", "holds more than 1048576 bytes once it is unpacked")


@pytest.mark.parametrize("suffix", PACKED)
def test_damage_inside_is_told(tmp_path: Path, suffix: str) -> None:
    content = bytearray(PACKED[suffix](cbf(counts())))
    content[len(content) // 2] ^= 0xFF
    assert refused(tmp_path, "a.cbf" + suffix, bytes(content))[0] == "decoder_failed"


@pytest.mark.parametrize("suffix", PACKED)
def test_an_archive_of_something_else_stays_one(tmp_path: Path, suffix: str) -> None:
    assert refused(tmp_path, "a.cbf" + suffix, PACKED[suffix](b"hello"))[0] == "wrong_type"
    cause, reason = refused(tmp_path, "notes" + suffix, PACKED[suffix](cbf(counts())))
    assert (cause, reason.split()[-1]) == ("unsupported", "archive")


def test_a_real_packed_frame() -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "formats" / "thau_3_2_0001.cbf.bz2"
    if not path.is_file():
        absent("shared", f"{path} is absent")

    (frame,) = decode(str(path), path.name)
    assert completeness(path) == "complete"
    assert (frame.pixels.shape, int(frame.pixels.sum(dtype=np.int64)), frame.acquisition.detector) == (
        (2527, 2463),
        21135765,
        "PILATUS3 6M",
    )


def test_the_marks_of_the_end(tmp_path: Path) -> None:
    path: Any = tmp_path / "a.cbf.bz2"
    for size in range(1000, 1100, 7):  # the mark of bzip2 stands at any bit
        content = bz2.compress(np.random.default_rng(size).integers(0, 255, size).astype("u1").tobytes())
        path.write_bytes(content)
        assert completeness(path) == "complete"
        path.write_bytes(content[:-1])
        assert completeness(path) == "growing"


@pytest.mark.parametrize(
    ("name", "content", "module"),
    [
        ("a.cbf", cbf(counts()), "fabio.compression"),
        ("a.cbf.gz", gzip.compress(cbf(counts())), "fabio.compression"),
        ("a.sfrm", sfrm100(counts().clip(0)), "fabio.bruker100image"),
        ("a.osc", raxis(counts().clip(0, 30_000)), "fabio.raxisimage"),
    ],
)
def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FrameRejectedError) as rejected:
        decode(str(tmp_path / name), name)
    assert rejected.value.cause == "unsupported"
    assert "fabio" in rejected.value.reason
    assert "[formats]" in str(rejected.value)
