"""A threshold for a risk is one that was proved, never one in between."""

from __future__ import annotations

import pytest

from edge_agent.uncertainty import referral_threshold_for_risk

POINTS = [(0.05, 0.8), (0.01, 0.1), (0.02, 0.3)]


@pytest.mark.parametrize(("risk", "threshold"), [(0.01, 0.1), (0.019, 0.1), (0.02, 0.3), (0.049, 0.3), (0.05, 0.8), (0.5, 0.8)])
def test_the_laxest_threshold_whose_bound_suffices_is_taken(risk: float, threshold: float) -> None:
    assert referral_threshold_for_risk(POINTS, risk) == threshold


def test_a_risk_that_was_not_bounded_is_refused_with_the_smallest_that_was() -> None:
    with pytest.raises(ValueError, match=r"a risk of 0\.005 cannot be promised: the smallest .* bounds is 0\.01"):
        referral_threshold_for_risk(POINTS, 0.005)
    with pytest.raises(ValueError, match="bounds no risk"):
        referral_threshold_for_risk([], 0.5)
