"""`config validate` tells what the lab's own words come to: the threshold, the run length and how soon a shift is told."""

from __future__ import annotations

import pytest

from edge_agent.agent import check
from edge_agent.config import Settings
from edge_agent.core.errors import ConfigurationError
from edge_agent.drift import load_calibration
from edge_agent.inference import find_model


def settings(tmp_path, **drift):
    (tmp_path / "images").mkdir(exist_ok=True)
    return Settings.model_validate(
        {
            "agent": {"state_dir": tmp_path / "state"},
            "stream": [{"name": "sem", "path": tmp_path / "images", "model": {"name": "sem-virtual"}, "drift": drift}],
        }
    )


def test_threshold_run_length_and_the_delay_of_the_smallest_shift_are_told(tmp_path):
    lines = list(check(settings(tmp_path, false_alarms_per_month=2, frames_per_hour=120, smallest_shift="filament 1")))
    assert any("43,200 frames between false alarms on average, 15 days of imaging" in line for line in lines)
    assert any(line.startswith("stream sem: filament 1: told after") for line in lines)


def test_a_stricter_rate_raises_the_threshold_and_the_delay(tmp_path):
    def told(rate):
        lines = list(check(settings(tmp_path, false_alarms_per_month=rate, smallest_shift="noise +15 %")))
        threshold = next(line for line in lines if "statistic reaches" in line)
        delay = next(line for line in lines if "told after" in line)
        return float(threshold.split("reaches ")[1].split(",")[0]), float(delay.split("told after ")[1].split()[0])

    (low, soon), (high, late) = told(20), told(0.5)
    assert low < high
    assert soon < late


def test_a_shift_beyond_what_was_calibrated_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(ConfigurationError, match=r"up to 2\.5, not 9"):
        list(check(settings(tmp_path, smallest_shift="blur +9 px")))


def with_lots(tmp_path, lots, rule="predicted"):
    """sem-virtual with a calibration that holds its lots under other names."""
    shipped = load_calibration(find_model("sem-virtual") / "calibration.json")
    held = dict(zip(lots, shipped.lots.values(), strict=False))
    (tmp_path / "own.json").write_text(shipped.model_copy(update={"lots": held, "strata": {}}).model_dump_json())
    one = settings(tmp_path)
    (stream,) = one.stream
    model = stream.model.model_copy(update={"calibration": tmp_path / "own.json"})
    return one.model_copy(update={"stream": (stream.model_copy(update={"model": model, "lot": rule}),)})


def test_a_calibration_of_no_lot_of_the_models_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none of the model's lots lot-00.* so no frame would be judged; run"):
        list(check(with_lots(tmp_path, ["alien"])))
    lines = list(check(with_lots(tmp_path, ["alien"], rule="folder")))
    assert any("only frames declared alien are judged" in line for line in lines)


def test_lots_that_will_not_be_judged_are_told(tmp_path):
    lines = list(check(with_lots(tmp_path, [f"lot-{number:02d}" for number in range(28)])))
    assert any("WARNING: the calibration does not hold lots lot-28, lot-29: frames taken for them" in line for line in lines)
    assert not any("WARNING" in line for line in check(settings(tmp_path)))


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    one = settings(tmp_path)
    (tmp_path / "images").rmdir()
    (tmp_path / "images").write_text("")
    with pytest.raises(ConfigurationError, match="it is a file; name the folder that it lies in"):
        list(check(one))
