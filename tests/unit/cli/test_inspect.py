"""`edge-agent inspect`: what was understood of a file, with or without a model."""

from __future__ import annotations

import doctest
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.cli.inspect import command as inspect_verb
from edge_agent.core.errors import EdgeAgentError, ModelError
from edge_agent.core.frame import Acquisition
from edge_agent.frames import readers, understanding
from edge_agent.frames.page import Page
from edge_agent.frames.readers import BUILT_IN
from edge_agent.frames.understanding import MOST_SHOWN, UnderstoodFrame, understand_here
from edge_agent.inspection import formats, whole, words
from tests.hostile_files import HOSTILE, micrograph, picture, tiff
from tests.microscope_files import dm, dm_image, mrc, ser
from tests.real_formats import FORMATS, real_format
from tests.unit.frames.test_tiff_vendors import JEOL

if TYPE_CHECKING:
    from click.testing import Result

SMALL_BYTES = 1_000_000
DEPLOY = Path(__file__).parents[3] / "deploy" / "README.md"


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that do no harm need no process of their own, which takes a second each."""
    monkeypatch.setattr(whole, "understand", understand_here)


def inspect(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["inspect", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, (SystemExit, EdgeAgentError)):
        raise result.exception
    return result


def said(*arguments: str | Path) -> str:
    result = inspect(*arguments)
    assert result.exit_code == 0, result.exception
    return result.output


@pytest.mark.usefixtures("_in_this_process")
def test_every_value_stands_in_a_unit_beside_the_tag_that_told_it(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(picture("BMP"))
    (tmp_path / "a.txt").write_text(JEOL, newline="")
    lines = [" ".join(line.split()) for line in said("--no-model", tmp_path / "a.bmp").splitlines()]
    rule = "complete. A file is complete when it is as long as its header says"
    assert lines[:2] == [f"{tmp_path / 'a.bmp'}: BMP, read by pillow; {rule}", "frame 0, 1 in the file"]
    assert lines[2].startswith("80 x 64 pixels, uint8, values 0 to 25")
    assert lines[2].endswith("; the 4 rows of its data bar are left out")
    for line in (
        "acquired at 2019-03-12 10:21:55 UTC a.txt: $CM_DATE, $CM_TIME",
        "acceleration voltage 15 kV a.txt: $CM_ACCEL_VOLT",
        "pixel size 31.25 nm a.txt: $$SM_MICRON_MARKER / $$SM_MICRON_BAR",
        "working distance 8.1 mm a.txt: $$SM_WD",
        "stage y -3.25 mm a.txt: $CM_STAGE_POS 2",
        "magnification 5000 a.txt: $CM_MAG",
        "side-car: a.txt",
        "14 further keys of the vendor's, shown with --all",
    ):
        assert line in lines
    assert "CM_TITLE = A17" in said("--no-model", "--all", tmp_path / "a.bmp")


@pytest.mark.usefixtures("_in_this_process")
def test_of_a_stack_what_is_not_as_in_the_frame_before_is_shown_or_one_frame_alone(tmp_path: Path) -> None:
    planes = np.stack([micrograph(seed=seed).astype(np.int8) for seed in range(11)])
    (tmp_path / "a.mrc").write_bytes(mrc(planes))
    told = said("--no-model", tmp_path / "a.mrc")
    assert [told.count(f"frame {place}, 11 in the file") for place in (0, 7, 8)] == [1, 1, 0]
    assert told.count("pixel size") == 1
    assert "3 more frames in the file: say --frame N, from 0 to 10" in told
    (tmp_path / "b.mrc").write_bytes(mrc(planes[:9]))
    assert "\n1 more frame in the file: say" in said("--no-model", tmp_path / "b.mrc")
    only = said("--no-model", "--frame", "10", tmp_path / "a.mrc")
    assert only.count("frame ") == 1
    assert f"values {planes[10].min()} to {planes[10].max()}" in only
    refused = inspect("--no-model", "--frame", "11", tmp_path / "a.mrc")
    assert str(refused.exception) == "--frame 11: a.mrc holds 11 frames; say 0 to 10"


def test_a_model_is_asked_of_the_frame_that_is_wanted_and_of_frames_that_it_can_look_at(tmp_path: Path, models: Path) -> None:
    stack = np.stack([micrograph(600, 600, seed=seed) for seed in range(3)])
    stack[1] = 7
    (tmp_path / "a.dm4").write_bytes(dm({"ImageList": [dm_image(stack)]}))
    told = [json.loads(line) for line in said("--json", "--model", models / "tiny", tmp_path / "a.dm4").splitlines()]
    assert [(one["frame_index"], one["frame_count"], "score" in one) for one in told] == [(0, 3, True), (1, 3, False), (2, 3, True)]
    assert told[1]["refused"]["cause"] == "constant"
    alone = json.loads(said("--json", "--frame", "2", "--model", models / "tiny", tmp_path / "a.dm4"))
    assert (alone["frame_index"], alone["content_hash"]) == (2, told[2]["content_hash"])
    assert "NOT ASKED OF A MODEL: constant" in said("--model", models / "tiny", tmp_path / "a.dm4")


@pytest.mark.usefixtures("_in_this_process")
def test_a_scan_is_told_with_its_axis_and_no_model_is_asked(tmp_path: Path) -> None:
    (tmp_path / "a.ser").write_bytes(ser(np.arange(1000, dtype=np.int32)[None], step=10.0))
    told = said(tmp_path / "a.ser")
    assert "a scan of 1000 points along energy from 5 to 9995 eV, int32, values 0 to 999" in told
    assert "NOT ASKED OF A MODEL: unsupported: the frame is a scan of 1000 points" in told
    plain = json.loads(said("--json", tmp_path / "a.ser"))
    assert plain["axis"] == {"quantity": "energy", "first": 5.0, "last": 9995.0, "unit": "eV"}
    assert "score" not in plain


@pytest.mark.usefixtures("_in_this_process")
def test_without_a_model_that_fits_what_was_understood_is_shown_all_the_same(tmp_path: Path) -> None:
    streams = "".join(
        f'[[stream]]\nname = "{name}"\npath = "{tmp_path.as_posix()}/{name}"\nmodel.name = "{name}"\ntime_zone = "Europe/Zurich"\n'
        for name in ("sem", "xrd")
    )
    (tmp_path / "edge-agent.toml").write_text(streams)
    (tmp_path / "a.tif").write_bytes(tiff(micrograph()))
    result = inspect("--config", tmp_path / "edge-agent.toml", tmp_path / "a.tif")
    assert result.exit_code == 0
    assert "80 x 64 pixels" in result.stdout
    assert "no model was asked: " in result.stderr
    assert "say --model NAME" in result.stderr
    (tmp_path / "sem").mkdir()
    (tmp_path / "sem" / "a.bmp").write_bytes(picture("BMP"))
    (tmp_path / "sem" / "a.txt").write_text(JEOL)
    result = inspect("--config", tmp_path / "edge-agent.toml", tmp_path / "sem" / "a.bmp")
    assert "2019-03-12 09:21:55 UTC" in result.stdout, "the stream's time zone holds"
    assert "no model was asked: " in result.stderr
    assert isinstance(inspect("--model", "no-such", tmp_path / "a.tif").exception, ModelError)
    assert "leave --map out" in str(inspect("--no-model", "--map", tmp_path / "map.png", tmp_path / "a.tif").exception)


@pytest.mark.parametrize("case", ["half a TIFF", "a small bomb", "complex numbers"])
def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, case: str) -> None:
    name, make, cause = HOSTILE[case]
    (tmp_path / name).write_bytes(make())
    result = inspect("--no-model", tmp_path / name)
    if result.exception is None:
        assert f"NOT ASKED OF A MODEL: {cause}" in result.output
        return
    assert (result.exit_code, result.output, result.exception.cause) == (1, "", cause)
    assert "\n" not in str(result.exception)


@pytest.mark.usefixtures("_in_this_process")
def test_a_growing_file_is_said_to_be_incomplete_as_far_as_it_is_understood(tmp_path: Path) -> None:
    (tmp_path / "a.ser").write_bytes(ser(np.stack([micrograph(), micrograph(seed=1)]))[:-4000])
    told = said("--no-model", tmp_path / "a.ser")
    assert "SER, read by edge-agent itself; INCOMPLETE." in told
    assert "NOT ASKED OF A MODEL: truncated: ends within frame 1" in told


def test_its_help_tells_how_many_frames_are_shown() -> None:
    assert f"Of a stack the first {MOST_SHOWN} frames are shown" in " ".join(str(inspect_verb.__doc__).split())


@pytest.mark.parametrize(("bar_rows", "greatest"), [(0, 255.0), (4, 7.0)])
def test_the_range_is_that_of_the_frame_without_its_data_bar(bar_rows: int, greatest: float) -> None:
    values = np.full((16, 8), 7, np.uint8)
    values[-4:] = 255
    told = understanding._told(0, Page(values, bar_rows=bar_rows), None)
    assert (told.least, told.greatest) == (7.0, greatest)


def test_the_data_bar_is_told_beside_the_range_and_one_key_is_one() -> None:
    frame = UnderstoodFrame(0, (64, 80), "uint8", None, 4, 0.0, 255.0, Acquisition(extra={"CM_TITLE": "A17"}))
    stored, further = words.lines_of(frame)
    assert stored == "80 x 64 pixels, uint8, values 0 to 255; the 4 rows of its data bar are left out"
    assert further == "1 further key of the vendor's, shown with --all"
    (stored, _) = words.lines_of(replace(frame, bar_rows=0))
    assert stored == "80 x 64 pixels, uint8, values 0 to 255"


def test_a_file_is_needed_and_formats_need_none() -> None:
    assert "name a frame file, or say --formats" in str(inspect().exception)
    told = said("--formats")
    listed = [json.loads(line) for line in said("--formats", "--json").splitlines()]
    assert [one["name"] for one in listed] == [reader.name for reader in readers()]
    for one in listed:
        assert f"{one['name']:<12}" in told
        assert f"complete when {one['rule']}" in told
        assert one["installed"], f"{one['library']} is in the extras of tests"


def test_deploy_lists_the_formats_that_ship() -> None:
    rows = {line.split("|")[1].strip(): line for line in DEPLOY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")}
    for reader in BUILT_IN:
        one = next(one for one in formats() if one.name == reader.name)
        suffixes = " ".join(f"`{suffix}`" if suffix in one.usual else f"(`{suffix}`)" for suffix in one.suffixes)
        assert rows.get(one.name) == f"| {one.name} | {suffixes} | {one.library or 'none'} | {one.rule} |", one.name


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("64x64_diffraction_acquire_1.ser", "acceleration voltage 200 kV 64x64_diffraction_acquire.emi: AcceleratingVoltage"),
        ("FEI-Helios-Ebeam-8bits.tif", "pixel size 3.3724 \u00b5m [EScan] PixelWidth"),
        ("HAADFscan.mrc", "dwell 10 ms FEI2 Dwell time"),
        ("test-1.dm4", "2 x 2 pixels, int16, values 1 to 4"),
        ("test_STEM_image.dm3", "magnification 225000 Microscope Info:Indicated Magnification"),
        ("test_tiff_Zeiss_SEM_1k.tif", "working distance 14.808 mm AP_WD"),
    ],
)
def test_real_files_are_understood(name: str, expected: str) -> None:
    assert expected in [" ".join(line.split()) for line in said("--no-model", real_format(name)).splitlines()]


@pytest.mark.usefixtures("_in_this_process")
def test_every_real_file_is_understood_or_told_in_one_line() -> None:
    real_format("HAADFscan.mrc")
    for path in sorted(path for path in FORMATS.iterdir() if path.stat().st_size < SMALL_BYTES):
        result = inspect("--no-model", "--json", path)
        assert result.exit_code in {0, 1}, path
        assert (result.exit_code == 0) == bool(result.output), path


def test_the_examples_hold() -> None:
    assert doctest.testmod(words).failed == 0


@pytest.mark.usefixtures("_in_this_process")
def test_what_is_no_image_is_told_by_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(picture("BMP"))
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(JEOL, newline="")
    for name, reason in (
        ("c.tif", "there is no such file that you may see; check its path"),
        (".", "is a folder; name a file in it"),
        ("a.txt", "is the side-car of a.bmp; inspect a.bmp: what it says is shown with it"),
        ("b.txt", "is text; save it as grey TIFF or PNG, or exclude it"),
    ):
        assert str(inspect("--no-model", tmp_path / name).exception).endswith(reason)


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.skipif(sys.platform == "win32", reason="only some accounts may make links")
def test_links_that_lead_nowhere_are_told_in_one_line(tmp_path: Path) -> None:
    stream = f'[[stream]]\nname = "sem"\npath = "{tmp_path.as_posix()}/round"\nmodel.name = "sem"\n'
    (tmp_path / "edge-agent.toml").write_text(stream)
    for name, target in (("loop.png", "loop.png"), ("gone.png", "none.png"), ("round", "round")):
        (tmp_path / name).symlink_to(target)
    for name, why in (("loop.png", "Too many levels of symbolic links"), ("gone.png", "No such file or directory")):
        told = inspect("--no-model", "--config", tmp_path / "edge-agent.toml", tmp_path / name).exception
        assert str(told) == f"{tmp_path / name}: cannot be looked at ({why}); name the file that the link should lead to"
    (tmp_path / "a.tif").write_bytes(tiff(micrograph()))
    assert "80 x 64 pixels" in said("--no-model", "--config", tmp_path / "edge-agent.toml", tmp_path / "a.tif")
