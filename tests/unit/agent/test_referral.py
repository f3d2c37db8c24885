"""What a configuration says of referral, met with what the model's manifest knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.agent.compose import find_served_model
from edge_agent.config import load_settings
from edge_agent.core.errors import ConfigurationError, ModelError
from tests.served_model import edit_manifest, write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

COVERAGE_POINTS = [{"coverage": 0.8, "entropy_threshold": 0.2}, {"coverage": 0.9, "entropy_threshold": 0.4, "risk": 0.03}]
RISK_POINTS = [
    {"coverage": 0.7, "entropy_threshold": 0.1, "risk": 0.004, "risk_bound": 0.02, "confidence": 0.9},
    {"coverage": 0.85, "entropy_threshold": 0.33, "risk": 0.01, "risk_bound": 0.05, "confidence": 0.9},
]


def threshold(folder: Path, points: list[dict[str, Any]], referral: str) -> float | None:
    edit_manifest(write_tiny_model(folder / "models" / "tiny"), referral=points)
    path = folder / "edge-agent.toml"
    path.write_text(
        f"[agent]\nmodel_dirs = ['models']\n[[stream]]\nname = 'sem'\npath = 'images'\nmodel.name = 'tiny'\n[stream.referral]\n{referral}\n"
    )
    settings = load_settings(path, {})
    return find_served_model(settings, settings.stream[0]).referral_threshold


@pytest.mark.parametrize(
    ("referral", "expected"),
    [("", 0.4), ("coverage = 0.85", 0.3), ("coverage = 1", None), ("risk = 0.02", 0.1), ("risk = 0.04", 0.1), ("risk = 0.05", 0.33)],
)
def test_points_made_for_a_risk_and_for_a_coverage_are_kept_apart(tmp_path: Path, referral: str, expected: float | None) -> None:
    found = threshold(tmp_path, [*RISK_POINTS, *COVERAGE_POINTS], referral)
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_model_from_before_risks_were_bounded_still_refers_by_coverage(tmp_path: Path) -> None:
    assert threshold(tmp_path, [{"coverage": 0.9, "entropy_threshold": 0.5}], "") == 0.5


@pytest.mark.parametrize("points", [[], RISK_POINTS])
def test_a_coverage_that_was_asked_for_and_never_measured_stops_the_start(tmp_path: Path, points: list[dict[str, Any]]) -> None:
    with pytest.raises(ConfigurationError, match=r"\[stream sem\] referral.coverage: coverage 0.9 was not measured.*remove the line"):
        threshold(tmp_path, points, "coverage = 0.9")


@pytest.mark.parametrize("referral", ["", "coverage = 1"])
def test_a_model_without_measured_coverages_refers_nothing_where_nothing_was_asked_for(tmp_path: Path, referral: str) -> None:
    assert threshold(tmp_path, [], referral) is None


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (COVERAGE_POINTS, "model tiny: this model's calibration bounds no risk; allow more risk, set referral.coverage"),
        (RISK_POINTS, "a risk of 0.01 cannot be promised: the smallest that this model's calibration bounds is 0.02"),
    ],
)
def test_a_risk_that_cannot_be_promised_stops_the_start(tmp_path: Path, points: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        threshold(tmp_path, points, "risk = 0.01")
    assert said in str(caught.value)
    assert str(caught.value).startswith("[stream sem] referral.risk")
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("referral", "said"),
    [
        ("risk = 0.01\ncoverage = 0.9", "[stream sem] referral: coverage and risk are two ways"),
        ("risk = 1.0", "[stream sem] referral.risk: input should be less than 1"),
        ("risk = 0", "[stream sem] referral.risk: input should be greater than 0"),
    ],
)
def test_a_referral_that_means_nothing_is_refused(tmp_path: Path, referral: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        threshold(tmp_path, COVERAGE_POINTS, referral)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "point",
    [
        {"coverage": 0.9, "entropy_threshold": 0.5, "risk_bound": 0.02},
        {"coverage": 0.9, "entropy_threshold": 0.5, "confidence": 0.9},
        {"coverage": 0.9, "entropy_threshold": 0.5, "risk": 1.5},
    ],
)
def test_half_a_promise_in_a_manifest_is_refused(tmp_path: Path, point: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="referral"):
        threshold(tmp_path, [point], "")


def test_the_settings_of_a_risk_survive_their_own_text(tmp_path: Path) -> None:
    from edge_agent.config import ReferralSettings

    by_risk = ReferralSettings(risk=0.02)
    assert by_risk.coverage is None
    assert ReferralSettings.model_validate_json(by_risk.model_dump_json()) == by_risk
