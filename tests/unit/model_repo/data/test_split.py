"""A split is refused whenever one source could be on two sides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import model_repo
from model_repo.data.split import SIDES, SplitError, load_split

COMMITTED = Path(model_repo.__file__).parent / "data" / "splits" / "sem.json"


def entry(path, side, group, lot="ebc", sample=None):
    return {"path": path, "lot": lot, "sample": sample or group, "group": group, "side": side}


SOUND = [entry("a", "train", "g1"), entry("b", "calibration", "g2"), entry("c", "test", "g3")]


def write(folder, images):
    path = folder / "split.json"
    path.write_text(json.dumps({"name": "s", "rule": "r", "images": images}))
    return path


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([*SOUND, entry("d", "test", "g1")], "group g1 of lot ebc stands on two sides: test, train"),
        ([*SOUND, entry("a", "train", "g1")], "a stands twice"),
        ([*SOUND, entry("d", "test", "g4", sample="g1")], "sample g1 of lot ebc belongs to two groups"),
        (SOUND[:2], "lot ebc has too few sources: nothing for test"),
        ([*SOUND, entry("d", "unseen", "g4")], "lot ebc has too few sources: nothing for training alone"),
        ([*SOUND, entry("d", "elsewhere", "g4")], "Input should be"),
    ],
)
def test_a_split_that_leaks_or_lacks_a_side_is_refused(tmp_path, images, reason):
    with pytest.raises(SplitError, match=reason):
        load_split(write(tmp_path, images))


def test_a_missing_split_says_what_to_do(tmp_path):
    with pytest.raises(SplitError, match="name the split file in the recipe"):
        load_split(tmp_path / "none.json")


def test_the_committed_split_has_every_lot_on_every_side_and_the_melt_pool_on_none():
    split = load_split(COMMITTED)
    assert split.lots == ("ebc", "powder", "superalloy")
    counts = split.counts()
    assert all(set(counts[lot]) == set(SIDES) for lot in split.lots)
    assert set(counts["am_meltpool"]) == {"unseen"}


def test_overlapping_tiles_and_stage_variants_of_one_place_stay_together():
    by_path = {image.path: image for image in load_split(COMMITTED).images}
    together = [
        ("powder/Sc1Tile_001-001-000_0-000.png", "powder/Sc1Tile_001-002-000_0-000.png"),
        ("superalloy/spot1_0d_0.png", "superalloy/spot1_180d_5.png"),
        ("ebc/040617_2_S127_2_0015.png", "ebc/040617_3_S0410018.png"),
    ]
    assert all(by_path[a].group == by_path[b].group for a, b in together)
