"""The simulated instrument: real micrographs, a filament, the truth beside the folder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.frames import decode, measure
from edge_agent.simulate import Filament, Micrographs, plan_samples, read_as_grey, simulate, unrelated_picture, views, visit


def plan(samples=4, seed=0, **how):
    return plan_samples(Micrographs.shipped(), samples, np.random.default_rng(seed), **how)


def test_no_filament_change_changes_nothing_and_a_stronger_one_is_noisier():
    pixels = read_as_grey(Micrographs.shipped().known["superalloy"][0])
    assert Filament(0.0).apply(pixels, np.random.default_rng(0)) is pixels
    noise = [measure(Filament(s).apply(pixels, np.random.default_rng(0)), 255.0).log_noise for s in (0.0, 0.5, 1.0, 2.0)]
    assert noise == sorted(noise)


@pytest.mark.parametrize(("dtype", "full_scale"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1.0)])
def test_a_filament_change_means_the_same_at_every_depth(dtype, full_scale):
    even = np.full((200, 200), 0.5 * full_scale).astype(dtype)
    seen = Filament(1.0).apply(even, np.random.default_rng(0)) / full_scale
    assert seen.mean() == pytest.approx(0.5 * 0.8 + 0.05, abs=0.005)
    assert seen.std() == pytest.approx((0.45 / 100) ** 0.5, rel=0.05)


@pytest.mark.parametrize("strength", [-0.1, 5.0, float("nan")])
def test_an_impossible_strength_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        Filament(strength)


def test_the_stage_shows_different_fields_and_repeats_them_for_the_same_seed():
    image = read_as_grey(Micrographs.shipped().known["superalloy"][0])
    shown = list(visit(image, 12, np.random.default_rng(3)))
    assert {view.pixels.shape for view in shown} == {(384, 384)}
    assert len({(view.top, view.left) for view in shown}) == 12
    again = list(visit(image, 12, np.random.default_rng(3)))
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(shown, again, strict=True))


def test_files_carry_vendor_tags_and_the_truth_names_every_one(tmp_path):
    directory = tmp_path / "frames"
    planned = plan(filament={1: 1.0, 2: 0.0}, unseen=[2], unrelated=[3])
    truth = simulate(planned, directory, frames=3, rate=0.0, seed=1)
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    assert truth == tmp_path / "frames.truth.jsonl"
    assert sorted(line["path"] for line in lines) == sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.tif"))
    assert [(line["shift"], line["strength"]) for line in lines[::3]] == [
        (None, 0.0),
        ("filament", 1.0),
        ("unseen", 0.0),
        ("unrelated", 0.0),
    ]
    assert set(lines[0]) == {"path", "lot", "sample", "shift", "strength"}
    [frame] = decode(str(directory / lines[0]["path"]), lines[0]["path"])
    assert frame.pixels.shape == (384, 384)
    assert frame.acquisition.acceleration_voltage_v == 10_000
    assert np.array_equal(frame.pixels, next(views(planned[0], 3, 1)).pixels)


def test_slow_frames_grow_in_place_and_end_whole(tmp_path):
    waited = []
    simulate(plan(1), tmp_path / "frames", frames=4, rate=2.0, sleep=waited.append)
    assert all(len(decode(str(path), path.name)) == 1 for path in (tmp_path / "frames").rglob("*.tif"))
    assert len(waited) > 4


def test_old_frames_are_not_overwritten(tmp_path):
    simulate(plan(1), tmp_path / "frames", frames=1)
    with pytest.raises(EdgeAgentError, match="is there already"):
        simulate(plan(1), tmp_path / "frames", frames=1)


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ({"lots": 9}, "lots"),
        ({"unseen": [4]}, "--unseen 4"),
        ({"filament": {0: 9.0}}, "strength"),
        ({"unseen": [1], "unrelated": [1]}, "at once"),
    ],
)
def test_an_impossible_plan_is_one_clear_line(how, word):
    with pytest.raises(ConfigurationError, match=word):
        plan(**how)


def test_every_lot_is_shown_before_any_comes_again():
    assert len({planned.lot for planned in plan(3)}) == 3


def test_own_images_need_a_known_lot(tmp_path):
    with pytest.raises(EdgeAgentError, match="known/LOT"):
        Micrographs.of(tmp_path)


def test_rubbish_comes_in_many_sorts():
    rng = np.random.default_rng(0)
    noise = [measure(unrelated_picture(rng), 255.0).log_noise for _ in range(20)]
    assert np.ptp(noise) > 3
