"""`config validate` tells what the lab's own words come to: the threshold, the run length and how soon a shift is told."""

from __future__ import annotations

import pytest

from edge_agent.agent import check
from edge_agent.config import Settings
from edge_agent.core.errors import ConfigurationError


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
