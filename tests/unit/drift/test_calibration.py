"""A calibration: conservative with few samples, refused when it is wrong."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from edge_agent.core.errors import ModelError
from edge_agent.drift import COMPONENTS, AlteredFrames, Calibration, CalibrationFrame, fit_calibration, load_calibration
from edge_agent.drift.fit import inflation
from tests.streams import BETWEEN, WITHIN, Stage, calibration


def test_spreads_cover_the_true_ones_and_few_samples_widen_them():
    few, many = calibration(3), calibration(40)
    for lot in ("ebc", "powder"):
        spread = many.lots[lot].spread["log_noise"]
        assert WITHIN * 0.9 < spread.within < WITHIN * 1.1
        assert BETWEEN * 0.7 < spread.between < BETWEEN * 1.3
        assert (spread.degrees, few.lots[lot].spread["log_noise"].degrees) == (39, None)
        assert few.lots[lot].spread["log_noise"].between > spread.between * 0.8


def test_inflation_falls_towards_one():
    factors = [inflation(degrees) for degrees in (0, 1, 2, 5, 20, 21, 100, 10_000)]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1.0, abs=0.03)


def test_training_frames_count_for_the_acquisition_only():
    stage = Stage(0)
    held = [CalibrationFrame("ebc", f"G{n}", f"G{n}", o.score, o.statistics) for n in range(3) for o in stage.sample(6)]
    trained = [CalibrationFrame("ebc", f"T{n}", f"T{n}", None, o.statistics) for n in range(4) for o in stage.sample(6)]
    lot = fit_calibration(held + trained, model_digest="0" * 64, members=5, source="a test").lots["ebc"]
    assert (lot.samples, lot.acquisition_samples, lot.frames) == (3, 7, 18)


def test_frames_without_any_score_are_refused():
    frame = Stage(0).sample(1)[0]
    with pytest.raises(ValueError, match="no scored frames of ebc"):
        fit_calibration([CalibrationFrame("ebc", "G", "G", None, frame.statistics)], model_digest="0", members=5, source="a test")


def test_what_is_written_is_what_is_read(tmp_path):
    written = calibration()
    (tmp_path / "calibration.json").write_text(written.model_dump_json(), encoding="utf-8")
    read = load_calibration(tmp_path / "calibration.json")
    assert read == written
    assert read.digest == written.digest
    assert list(read.distances["ebc"].values) == sorted(read.distances["ebc"].values)


def test_each_group_weighs_one_in_the_p_values_though_one_has_more_frames():
    stage = Stage(0)
    uneven = [CalibrationFrame("ebc", f"G{n}", f"G{n}", o.score, o.statistics) for n in range(3) for o in stage.sample(2 + 4 * (n == 0))]
    scores = fit_calibration(uneven, model_digest="0" * 64, members=5, source="a test").distances["ebc"]
    assert scores.samples == 3
    assert sorted(scores.weights.round(6)) == [round(1 / 18, 6)] * 6 + [round(1 / 6, 6)] * 4
    of_the_first = sorted(round(frame.score.distance, 6) for frame in uneven[:6])
    assert [value for value, weight in zip(scores.values, scores.weights, strict=True) if weight < 0.1] == of_the_first


def test_a_calibration_from_before_weights_counts_its_samples(tmp_path):
    content = json.loads(calibration().model_dump_json())
    for lot in content["lots"].values():
        del lot["distance_weight"]
    (tmp_path / "calibration.json").write_text(json.dumps(content), encoding="utf-8")
    scores = load_calibration(tmp_path / "calibration.json").distances["ebc"]
    assert scores.weights.sum() == pytest.approx(1)
    assert len(set(scores.weights)) == 1
    assert scores.samples == calibration().lots["ebc"].samples


@pytest.mark.parametrize("content", ["", "{}", '{"schema_version": 3}'])
def test_an_unreadable_calibration_is_a_model_error(tmp_path, content):
    path = tmp_path / "calibration.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match="calibrate with this release"):
        load_calibration(path)
    with pytest.raises(ModelError, match="copy the whole model folder"):
        load_calibration(tmp_path / "absent.json")


def test_tables_must_ascend():
    body = calibration().model_dump()
    body["lots"]["ebc"]["distance"] = (2.0, 1.0)
    with pytest.raises(ValidationError, match="ascend"):
        Calibration.model_validate(body)


def test_a_calibration_of_version_one_is_still_read(tmp_path):
    spread = {"centre": 0.1, "within": 0.25, "between": 0.5, "contrast": 1e-7}
    lot = {"samples": 2, "acquisition_samples": 2, "frames": 2, "limit_fraction": 0.0, "spread": dict.fromkeys(COMPONENTS, spread)}
    scores = {"distance": [1.0, 2.5], "entropy": [0.1], "mutual_information": [0.0]}
    held = {"schema_version": 1, "model_digest": "0", "members": 5, "lots": {"ebc": lot | scores}, "source": "a test"}
    (tmp_path / "calibration.json").write_text(json.dumps(held), encoding="utf-8")
    first = load_calibration(tmp_path / "calibration.json")
    assert first.lots["ebc"].spread["entropy"].degrees is None
    weighed = Calibration.model_validate(held | {"lots": {"ebc": lot | scores | {"distance_weight": [1.0, 2.0]}}})
    assert weighed.digest != first.digest


def test_a_signature_is_what_a_change_does_to_the_very_samples_it_was_shown_on():
    stage = Stage(3)
    visits = [stage.sample(200) for _ in range(8)]
    held = [CalibrationFrame("ebc", f"G{n}", f"G{n}", o.score, o.statistics) for n, visit in enumerate(visits) for o in visit]
    strange = max(range(8), key=lambda n: sum(o.score.distance for o in visits[n]))
    shown = [CalibrationFrame("ebc", f"G{strange}", f"G{strange}", o.score, o.statistics) for o in visits[strange]]
    altered = [AlteredFrames("nothing at all", 1.0, shown)]
    lot = fit_calibration(held, altered, model_digest="0" * 64, members=5, source="a test").lots["ebc"]
    assert lot.signatures[0].shift == pytest.approx([0.0] * len(COMPONENTS), abs=1e-6)
