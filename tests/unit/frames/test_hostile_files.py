import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.errors import QUARANTINE_REASONS, FrameRejectedError
from edge_agent.frames import DecodeLimits, DecoderPool, decode
from tests.conftest import absent
from tests.hostile_files import HOSTILE, micrograph, picture, tiff

GOOD = {"TIFF": tiff(micrograph()), "PNG": picture("PNG"), "JPEG": picture("JPEG"), "BMP": picture("BMP")}


@pytest.mark.parametrize("what", HOSTILE)
def test_each_bad_file_is_refused_for_its_own_cause(tmp_path: Path, what: str) -> None:
    name, make, cause = HOSTILE[what]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(tmp_path / name), f"S1/{name}")
    assert refused.value.cause == cause
    assert refused.value.thing == f"S1/{name}"
    assert "\n" not in str(refused.value)
    assert refused.value.remedy


async def test_after_every_bad_file_the_next_good_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "good.tif").write_bytes(GOOD["TIFF"])
    pool = DecoderPool()
    for name, make, cause in HOSTILE.values():
        (tmp_path / name).write_bytes(make())
        try:
            (refused,) = (await pool.read(str(tmp_path / name), name)).refused  # a stack with one bad frame
            found = refused.cause
        except FrameRejectedError as rejected:
            found = rejected.cause
        assert found == cause
        assert len((await pool.read(str(tmp_path / "good.tif"), "good.tif")).frames) == 1
    await pool.close()


def test_a_huge_header_costs_no_memory(tmp_path: Path) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for what in ("a huge TIFF header", "a huge PNG header"):
        name, make, _ = HOSTILE[what]
        (tmp_path / name).write_bytes(make())
        with pytest.raises(FrameRejectedError):
            decode(str(tmp_path / name), name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


@pytest.mark.parametrize(
    ("limits", "cause"),
    [
        (DecodeLimits(file_bytes=100), "too_large"),
        (DecodeLimits(frame_pixels=100), "too_large"),
        (DecodeLimits(decoded_bytes=100), "too_large"),
        (DecodeLimits(smallest_px=65), "too_small"),
    ],
)
def test_each_limit_is_kept(tmp_path: Path, limits: DecodeLimits, cause: str) -> None:
    (tmp_path / "a.tif").write_bytes(GOOD["TIFF"])
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(tmp_path / "a.tif"), "a.tif", limits)
    assert refused.value.cause == cause


def test_a_stack_may_not_hold_too_many_frames(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(micrograph(64 * 5).reshape(5, 64, 80)))
    with pytest.raises(FrameRejectedError, match="more frames than can be read at once: 4 and some"):
        decode(str(tmp_path / "a.tif"), "a.tif", DecodeLimits(frames=4))


@pytest.mark.parametrize(
    ("make", "cause"),
    [(lambda path: None, "vanished"), (lambda path: path.mkdir(), "unsupported"), (os.mkfifo, "unsupported")],
    ids=["gone", "a folder", "a pipe that would block"],
)
def test_what_is_no_file_is_refused(tmp_path: Path, make, cause: str) -> None:
    make(tmp_path / "a.tif")
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(tmp_path / "a.tif"), "a.tif")
    assert refused.value.cause == cause


def test_a_file_whose_permissions_forbid_reading_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        (tmp_path / "a.tif").write_bytes(GOOD["TIFF"])
        (tmp_path / "a.tif").chmod(0)
        with pytest.raises(FrameRejectedError) as refused:
            decode(str(tmp_path / "a.tif"), "a.tif")
        assert refused.value.cause == "unreadable"
        return
    (tmp_path / "a.tif").write_bytes(GOOD["TIFF"])
    (tmp_path / "a.tif").chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    program = (
        "import sys, os\n"
        "from edge_agent.frames import decode\nfrom edge_agent.core.errors import FrameRejectedError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: decode(sys.argv[1], 'a.tif')\n"
        "except FrameRejectedError as refused: print(refused.cause, refused.reason)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.tif")], capture_output=True, text=True, check=False)
    if "Permission denied: " in answer.stderr:
        absent("root", "the unprivileged user cannot reach the test's folder")
    assert answer.stdout.startswith("unreadable cannot be read (Permission denied)"), answer.stderr


def test_names_may_be_long_and_in_any_script(tmp_path: Path) -> None:
    for name in ("pr\u00f6be \u8a66\u6599 \U0001f52c.tif", "x" * 200 + ".tif"):
        (tmp_path / name).write_bytes(GOOD["TIFF"])
        assert len(decode(str(tmp_path / name), name)) == 1


@given(form=st.sampled_from(sorted(GOOD)), place=st.floats(0, 1), value=st.integers(0, 255), cut=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_whatever_is_damaged_the_answer_is_frames_or_one_of_the_reasons(
    tmp_path_factory: pytest.TempPathFactory, form: str, place: float, value: int, cut: float
) -> None:
    content = bytearray(GOOD[form])
    content[int(place * (len(content) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: 1 + int(cut * len(content))] if cut < 0.5 else content)
    try:
        cause = "" if decode(str(path), "damaged") else "no frames"
    except FrameRejectedError as refused:
        cause = refused.cause
    assert cause in {"", *QUARANTINE_REASONS}
