"""A calibration: conservative with few samples, refused when it is wrong."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edge_agent.core.errors import ModelError
from edge_agent.drift import Calibration, CalibrationFrame, fit_calibration, load_calibration
from edge_agent.drift.fit import inflation
from tests.streams import BETWEEN, WITHIN, Stage, calibration


def test_spreads_cover_the_true_ones_and_few_samples_widen_them():
    few, many = calibration(3), calibration(40)
    for lot in ("ebc", "powder"):
        spread = many.lots[lot].spread["log_noise"]
        assert WITHIN * 0.9 < spread.within < WITHIN * 1.1
        assert BETWEEN < spread.between < 2 * BETWEEN
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
    assert list(read.distances["ebc"]) == sorted(read.distances["ebc"])


@pytest.mark.parametrize("content", ["", "{}", '{"schema_version": 2}'])
def test_an_unreadable_calibration_is_a_model_error(tmp_path, content):
    path = tmp_path / "calibration.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match="calibrate the model again"):
        load_calibration(path)
    with pytest.raises(ModelError, match="copy the whole model folder"):
        load_calibration(tmp_path / "absent.json")


def test_tables_must_ascend():
    body = calibration().model_dump()
    body["lots"]["ebc"]["distance"] = (2.0, 1.0)
    with pytest.raises(ValidationError, match="ascend"):
        Calibration.model_validate(body)
