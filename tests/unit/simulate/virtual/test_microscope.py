"""The virtual microscope: what it shows repeats, and what is done to it shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.core.errors import EdgeAgentError
from edge_agent.inference import Preprocessing, tile
from edge_agent.simulate import KNOWN_LOTS, UNSEEN_LOTS, Column, Filament, VirtualMicroscope
from edge_agent.simulate.virtual import find_lot
from edge_agent.simulate.virtual.lots import ideal_confusion

FROZEN = Path(__file__).with_name("frozen.npz")
"""Frames of seed 2021, sample 3, 64 x 64 pixels from the upper left corner; `frozen_corners` below made it."""
CASES = (("lot-00", 0.0), ("lot-11", 0.0), ("lot-29", 0.0), ("lot-11", 1.0), ("unseen-3", 0.0))


def frozen_corners():
    """Corners of the first and the fifth frame for every case, shape (cases, 2, 64, 64)."""
    microscope = VirtualMicroscope(2021)
    shown = [[view.pixels for view in microscope.frames(lot, 3, 5, filament=strength)] for lot, strength in CASES]
    return np.array([[frames[0][:64, :64], frames[4][:64, :64]] for frames in shown])


def test_version_1_still_shows_what_it_showed_when_it_was_frozen():
    with np.load(FROZEN) as file:
        frozen = file["corners"].astype(int)
    apart = np.abs(frozen_corners() - frozen)
    assert (apart > 1).mean() <= 1e-3  # another CPU's last bits may turn a rounding, and rarely which particle's rim is on top


def test_there_are_thirty_lots_and_eight_unseen_and_all_differ():
    assert (len(KNOWN_LOTS), len(UNSEEN_LOTS)) == (30, 8)
    assert len({replace(find_lot(name), name="") for name in (*KNOWN_LOTS, *UNSEEN_LOTS)}) == 38


def test_neighbouring_lots_overlap_as_much_as_the_docstring_says():
    confusion = ideal_confusion(1000)
    assert 1 - np.diag(confusion).mean() == pytest.approx(0.04, abs=0.01)
    assert confusion.sum(axis=1) == pytest.approx(1)


def test_a_sample_repeats_for_the_same_seed_and_however_many_frames_are_asked_for():
    few = [view.pixels for view in VirtualMicroscope(1).frames("lot-04", 2, 3)]
    many = list(VirtualMicroscope(1).frames("lot-04", 2, 6))
    assert all((view.pixels == pixels).all() for view, pixels in zip(many, few, strict=False))
    assert len({(view.top, view.left) for view in many}) == 6
    others = [(2, "lot-04", 2), (1, "lot-04", 1), (1, "lot-05", 2)]
    assert all((next(VirtualMicroscope(seed).frames(lot, sample, 1)).pixels != few[0]).mean() > 0.5 for seed, lot, sample in others)


@pytest.mark.parametrize("count", [0, 1, 6, 16])
def test_fields_are_bit_for_bit_what_inference_cuts_from_the_frames(count):
    microscope = VirtualMicroscope(3)
    fields = microscope.fields("lot-07", 0, count)
    preprocessing = Preprocessing(field_px=128, input_px=64, max_fields=4)
    cut = [tile(view.pixels, 255.0, preprocessing)[0] for view in microscope.frames("lot-07", 0, -(-count // 4))]
    assert (fields.shape, fields.dtype) == ((count, 64, 64), np.uint16)
    for field, seen in zip(fields, np.concatenate(cut)[:, 0] if cut else (), strict=False):
        assert ((field.astype(np.float32) * np.float32(0.25)) * np.float32(1 / 255) == seen).all()
        assert field / 1020 == pytest.approx(seen, abs=1e-7)


def variance_ratio(lot, samples=12):
    """Between-sample over within-sample variance of frames' mean grey level and mean gradient, shape (2,)."""
    fields = np.stack([VirtualMicroscope(0).fields(lot, sample, 16) for sample in range(samples)]) / 1020
    by_frame = np.stack([fields.mean(axis=(2, 3)), np.abs(np.diff(fields)).mean(axis=(2, 3))]).reshape(2, samples, 4, 4).mean(axis=3)
    within = by_frame.var(axis=2, ddof=1).mean(axis=1)
    return (by_frame.mean(axis=2).var(axis=1, ddof=1) - within / 4) / within


@pytest.mark.parametrize("lot", [KNOWN_LOTS[k] for k in (0, 9, 12, 21, 25, 29)])
def test_samples_of_a_lot_differ_more_than_frames_of_a_sample(lot):
    assert (variance_ratio(lot) > 1).all()


def test_frames_use_the_grey_scale_as_real_ones_do():
    for lot in KNOWN_LOTS[::7]:
        fields = VirtualMicroscope(5).fields(lot, 0, 4) / 1020
        assert 0.25 < fields.mean() < 0.6
        assert 0.1 < fields.std() < 0.3
        assert (fields == 1).mean() < 0.01


def test_the_share_of_pores_is_the_porosity_asked_for():
    specimen = VirtualMicroscope(0).specimen("lot-15", 4)
    spots = np.stack([specimen.spot(np.random.default_rng(number)) for number in range(4)])
    assert np.isfinite(spots).all()
    assert (spots < 0.17).mean() == pytest.approx(specimen.sample.porosity, rel=0.15)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_a_filament_change_is_as_strong_here_as_on_real_micrographs(strength):
    """Level and noise of an even surface follow the one definition in Filament."""
    column, even = Column(charging=0.0, brightness=0.0, electronic_noise=0.0), np.full((256, 256), 0.5, np.float32)

    def seen(filament):
        signal = column.expose(even, 256, filament)[None]
        return column.detect(signal, [np.random.default_rng(0)], filament)[0] / 255

    other = Filament(strength).apply(even, np.random.default_rng(1))
    assert seen(strength).mean() == pytest.approx(other.mean(), abs=0.003)
    own_shot_noise = seen(0.0).var() * (1 - 0.2 * strength)
    assert seen(strength).var() - own_shot_noise == pytest.approx(other.var(), rel=0.1)


def test_a_stronger_filament_change_blurs_more_and_is_noisier():
    column, edge = Column(charging=0.0), np.zeros((64, 64), np.float32)
    edge[:, 16:48] = 1.0
    steepest, noise = [], []
    for strength in (0.0, 0.5, 1.0, 2.0, 4.0):
        signal = column.expose(edge, 64, strength)
        steepest.append(np.diff(signal[0]).max() / signal.max())
        level = np.full((1, 256, 256), 0.4, np.float32)
        noise.append(column.detect(level, [np.random.default_rng(0)], strength).std())
    assert steepest == sorted(steepest, reverse=True)
    assert noise == sorted(noise)


def spot():
    return VirtualMicroscope(0).specimen("lot-20", 0).spot(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "what"),
    [({"defocus_nm": 120.0}, "sharpness"), ({"astigmatism_nm": 120.0}, "sharpness"), ({"astigmatism_nm": -120.0}, "sharpness"),
     ({"current_pa": 30.0}, "level"), ({"contrast": 0.7}, "level"), ({"earlier_scans": 5}, "level"), ({"charging": 1.0}, "level")],
)  # fmt: skip
def test_a_misadjusted_column_shows(change, what):
    def measured(column):
        signal = column.expose(spot(), 256)
        return {"level": signal.mean(), "sharpness": np.abs(np.diff(signal, axis=0)).mean() * np.abs(np.diff(signal, axis=1)).mean()}[what]

    assert measured(Column(**change)) < 0.97 * measured(Column())


@pytest.mark.parametrize("drift", [-1.5, 1.5])
def test_drift_shifts_the_last_rows_of_a_frame_by_its_amount(drift):
    x = np.arange(512) * (2 * np.pi * 4 / 512)
    wave = np.tile(0.5 + 0.2 * np.sin(x), (512, 1)).astype(np.float32)
    seen = Column(charging=0.0, drift_px=drift).expose(wave, 256)
    phase = [np.angle(np.fft.rfft(row)[4]) for row in (seen[0], seen[255], seen[256])]
    assert (phase[1] - phase[0]) / (2 * np.pi * 4 / 512) == pytest.approx(drift * 255 / 256, abs=0.02)
    assert phase[2] == pytest.approx(phase[0])


@pytest.mark.parametrize(
    ("call", "said"),
    [(("lot-30", 0, 1), "lot-00 to lot-29"), (("lot-00", -1, 1), "sample -1"), (("lot-00", 0, -1), "count"),
     (("lot-00", 0, 1, 5.0), "strength"), (("lot-00", 0, 1, float("nan")), "strength")],
)  # fmt: skip
@pytest.mark.parametrize("method", ["frames", "fields"])
def test_what_cannot_be_shown_is_refused_at_once(method, call, said):
    lot, sample, count, filament = (*call, 0.0)[:4]
    with pytest.raises(EdgeAgentError, match=said):
        getattr(VirtualMicroscope(0), method)(lot, sample, count, filament=filament)


@pytest.mark.parametrize(
    "wrong", [{"current_pa": 0.0}, {"dwell_us": float("nan")}, {"defocus_nm": -1.0}, {"drift_px": 3.0}, {"contamination": 2.0}]
)
def test_an_impossible_column_is_refused(wrong):
    with pytest.raises(ValueError, match=r"is|are"):
        Column(**wrong)


def test_a_negative_seed_is_refused():
    with pytest.raises(EdgeAgentError, match="seed"):
        VirtualMicroscope(-1)
