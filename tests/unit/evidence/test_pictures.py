"""The strip and the map show the frames that were judged, and say of every other why it is not there."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge_agent.evidence import worker
from edge_agent.evidence.canvas import legible, shortened, width_of, wrapped
from edge_agent.evidence.colours import LEVELS, colours, table
from edge_agent.evidence.task import Standing, Task, Wanted
from edge_agent.frames import DecodeLimits, decode
from tests.an_agent import frame, write_frame
from tests.served_model import write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

TITLE = ("Alert on sem of pc7: a change in how the frames are taken.", "Episode 0123.")


def wanted(root: Path, name: str, seed: int, **known: object) -> Wanted:
    path = write_frame(root / name, frame(seed, (128, 160)))
    (held,) = decode(str(path), name)
    return Wanted(root, name, 0, held.content_hash, **{"sample": "S1", "lot": "ebc", "entropy": 0.2, "distance": float(seed), **known})


def opened(content: bytes | None) -> Image.Image:
    assert content is not None
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        return picture.convert("RGB")


def test_what_can_be_read_is_shown_and_the_rest_is_named(tmp_path: Path) -> None:
    evidence = [wanted(tmp_path, f"S1/{number}.tif", number) for number in range(5)]
    (tmp_path / "S1/1.tif").unlink()
    write_frame(tmp_path / "S1/2.tif", frame(77, (128, 160)))
    (tmp_path / "S1/3.tif").write_bytes(b"II*\0 no image any more")
    before = [wanted(tmp_path, f"S0/{number}.tif", 10 + number) for number in range(4)]
    (tmp_path / "S0/0.tif").unlink()
    drawn = worker.draw(Task(TITLE, tuple(before), tuple(evidence), None, DecodeLimits()))

    assert drawn.evidence == (Standing.SHOWN, Standing.GONE, Standing.CHANGED, Standing.CHANGED, Standing.SHOWN)
    assert drawn.before == (2, 1), "the first two that can be read, in order of time"
    assert [note.split(":")[0] for note in drawn.notes] == ["S1/1.tif [frame 0]", "S1/2.tif [frame 0]", "S1/3.tif [frame 0]"]
    assert drawn.local_map is None
    assert opened(drawn.strip).width > 5 * 200


def test_without_any_frame_there_is_a_note_and_no_picture(tmp_path: Path) -> None:
    evidence = wanted(tmp_path, "S1/0.tif", 1)
    (tmp_path / "S1/0.tif").unlink()
    drawn = worker.draw(Task(TITLE, (), (evidence,), None, DecodeLimits()))
    assert (drawn.strip, drawn.local_map) == (None, None)
    assert drawn.notes[0] == "No picture was made: none of the evidence frames can be shown."


@pytest.mark.parametrize("name", ["../outside.tif", "S1/../../outside.tif", "/etc/hostname"])
def test_no_name_leads_out_of_the_streams_folder(tmp_path: Path, name: str) -> None:
    outside = wanted(tmp_path, "outside.tif", 1)
    (tmp_path / "images").mkdir()
    drawn = worker.draw(Task(TITLE, (), (Wanted(tmp_path / "images", name, 0, outside.content_hash),), None, DecodeLimits()))
    assert drawn.evidence == (Standing.GONE,)


def test_the_map_lies_over_the_frame_that_is_farthest_from_the_training_set(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny", with_map=True)
    evidence = [wanted(tmp_path, f"S1/{number}.tif", number, distance=distance) for number, distance in enumerate((1.0, 9.0, 3.0))]
    before = (wanted(tmp_path, "S0/9.tif", 9),)
    drawn = worker.draw(Task(TITLE, before, tuple(evidence), model, DecodeLimits()))
    assert drawn.mapped == 1
    pixels = np.asarray(opened(drawn.local_map)).astype(int)
    coloured = (pixels.max(axis=2) - pixels.min(axis=2) > 40).mean()
    assert coloured > 0.1, "a map is there, not only a grey frame"
    line = pixels[-36:-17]  # the last of what the colours mean: letters on white, and no picture any more
    assert (line.max(axis=2) < 90).any(axis=0).sum() > 20
    assert (line.min(axis=2) > 250).all(axis=0).mean() > 0.5
    (tmp_path / "S1/1.tif").unlink()
    assert worker.draw(Task(TITLE, before, tuple(evidence), model, DecodeLimits())).mapped == 2


def test_a_model_that_cannot_be_asked_costs_the_map_and_not_the_strip(tmp_path: Path) -> None:
    drawn = worker.draw(Task(TITLE, (), (wanted(tmp_path, "a.tif", 1),), tmp_path / "no model", DecodeLimits()))
    assert drawn.strip is not None
    assert drawn.local_map is None
    assert any("No local map" in note for note in drawn.notes)


def test_a_change_of_brightness_is_not_scaled_away(tmp_path: Path) -> None:
    def brightness(level: float) -> Wanted:
        path = write_frame(tmp_path / f"{level}.tif", frame(1, (128, 160), level=level))
        return Wanted(tmp_path, path.name, 0, decode(str(path), path.name)[0].content_hash)

    drawn = worker.draw(Task(TITLE, (brightness(60.0),), (brightness(180.0),), None, DecodeLimits()))
    grey = np.asarray(opened(drawn.strip).convert("L")).astype(int)
    row = grey[-150 - 68]  # within the centres' row of the two tiles
    left, right = row[40:180], row[260:400]
    assert right.mean() > left.mean() + 60


def test_odd_names_are_legible_and_fit() -> None:
    assert legible("Grüße µm.tif") in {"Grüße µm.tif", "Gr\\xfc\\xdfe \\xb5m.tif"}, "as the system's fonts allow"
    assert legible("a\ue123b\U0010fffdc") == "a\\ue123b\\U0010fffdc"
    assert legible("bad\udcff\n.tif") == "bad\\udcff\\x0a.tif"
    long = shortened("a" * 300 + "_0042.tif", 13, 200)
    assert long.endswith("042.tif")
    assert width_of(long, 13) <= 200
    assert all(width_of(line, 13) <= 150 for line in wrapped("several words and one_very_long_word_" + "x" * 200, 13, 150))


def test_the_scale_of_colours_grows_lighter_all_along() -> None:
    lightness = table().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert len(lightness) == LEVELS
    assert (np.diff(lightness) > -0.5).all()
    assert lightness[-1] - lightness[0] > 180
    same = colours(np.full((2, 2), 3.0), 3.0, 3.0)
    assert (same == same[0, 0]).all(), "a map of one value has one colour"
    assert colours(np.array([np.nan, 0.0]), 0.0, 1.0).tolist()[0] == table()[0].tolist()
