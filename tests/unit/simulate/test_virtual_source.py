"""The virtual microscope as an instrument that writes files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.frames import decode, measure
from edge_agent.simulate import KNOWN_LOTS, UNSEEN_LOTS, Micrographs, VirtualLots, VirtualMicroscope, plan_samples, simulate, views


def plan(samples, **how):
    return plan_samples(VirtualLots(VirtualMicroscope(3)), samples, np.random.default_rng(3), **how)


def test_virtual_frames_are_read_by_our_decoder_with_what_the_column_was_set_to(tmp_path):
    planned = plan(4, filament={1: 1.0, 2: 0.0}, unseen=[2], unrelated=[3])
    truth = simulate(planned, tmp_path / "frames", frames=2, seed=3)
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    assert [line["shift"] for line in lines[::2]] == [None, "filament", "unseen", "unrelated"]
    assert [line["strength"] for line in lines[::2]] == [0.0, 1.0, 0.0, 0.0]
    assert lines[0]["lot"] in KNOWN_LOTS
    assert lines[4]["lot"] in UNSEEN_LOTS
    read = [decode(str(tmp_path / "frames" / line["path"]), line["path"])[0] for line in lines]
    assert {frame.pixels.shape for frame in read} == {(256, 256)}
    for sample in planned:
        for frame, view in zip(read[2 * sample.number :], views(sample, 2, 3), strict=False):
            assert np.array_equal(frame.pixels, view.pixels)
    acquired = read[1].acquisition
    assert acquired.pixel_size_m == pytest.approx(50e-9)
    assert acquired.dwell_s == pytest.approx(3e-6)
    assert acquired.acceleration_voltage_v == 5000
    assert acquired.beam_current_a == pytest.approx(60e-12, rel=0.15)
    assert (acquired.stage_x_m, acquired.stage_y_m) == (pytest.approx(256 * 50e-9), 0)


def test_every_known_lot_is_shown_before_any_comes_again_and_no_sample_twice():
    planned = plan(60)
    assert {sample.lot for sample in planned[:30]} == set(KNOWN_LOTS)
    assert len({sample.subject for sample in planned}) == 60


def test_only_the_first_lots_are_shown_when_asked():
    assert {sample.lot for sample in plan(9, lots=3)} == set(KNOWN_LOTS[:3])


@pytest.mark.parametrize("source", [VirtualLots(VirtualMicroscope(0)), Micrographs.shipped()], ids=["virtual", "real"])
def test_an_ageing_filament_gets_darker_until_it_is_replaced(source):
    planned = plan_samples(source, 6, np.random.default_rng(0), ageing=0.1, filament={4: 0.0})
    assert [sample.current for sample in planned] == pytest.approx([1, 0.9, 0.81, 0.729, 1, 0.9])
    subject = planned[0].subject
    level = [next(subject.show(1, 0.0, current, np.random.default_rng(0))).pixels.mean() for current in (1.0, 0.9, 0.5)]
    assert level == sorted(level, reverse=True)
    assert level[2] == pytest.approx(level[0] / 2, rel=0.05)


def test_a_virtual_filament_change_is_seen_in_the_acquisition_statistics():
    subject = plan(1)[0].subject
    noise = [measure(next(subject.show(1, s, 1.0, np.random.default_rng(0))).pixels, 255.0).log_noise for s in (0.0, 1.0, 2.0)]
    assert noise == sorted(noise)


@pytest.mark.parametrize("ageing", [-0.1, 1.0, float("nan")])
def test_an_impossible_ageing_is_refused(ageing):
    with pytest.raises(ConfigurationError, match="ageing"):
        plan(2, ageing=ageing)


@pytest.mark.parametrize("ageing", [0.9, 0.5])
def test_a_filament_that_ages_to_nothing_is_refused_and_one_that_is_replaced_in_time_is_not(ageing):
    with pytest.raises(ConfigurationError, match=r"leaves sample \d+ less than 0\.4% .* --filament \d+:0"):
        plan(9, ageing=ageing)
    assert len(plan(9, ageing=ageing, filament=dict.fromkeys(range(2, 9, 2), 0.0))) == 9


def test_a_lot_cannot_be_known_and_unseen(tmp_path):
    for side in ("known", "unseen"):
        (tmp_path / side / "steel").mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / side / "steel" / "a.png")
    with pytest.raises(EdgeAgentError, match="steel as known and as unseen"):
        Micrographs.of(tmp_path)
