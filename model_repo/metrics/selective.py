"""Which uncertainty sends a frame to a person: the threshold for a wanted coverage, or for a wanted risk with a bound on it.

Two bounds, for two kinds of evidence:

- `referral_for_risk`, the one to use: frames of a sample resemble each other, so each SAMPLE is one piece of evidence and weighs
  one, however many frames it has. Valid for independent samples, whatever happens within them.
- `referral_for_risk_of_independent_frames`: valid only when every frame is independent of every other (one frame a sample). On frames
  that share samples it promises more than it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import beta

from model_repo.metrics.intervals import members_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_repo.metrics.intervals import Groups

STAKES = ((1.0, 0.5), (0.5, 0.25), (0.25, 0.125), (0.125, 0.125))
"""Stakes of the sample-level bound's bets, each with its part of the first wealth; hedged, so that none is chosen by looking."""
STARTS = (0.7, 0.82, 0.94)
"""Where the walk to laxer thresholds may begin, as shares of the candidates; each start pays for itself with its part of the error.
Of `entropy_candidates` these are 3, 13 and 50 % of the largest entropy, for sure networks and for doubtful ones."""
BISECTIONS = 50


@dataclass(frozen=True, slots=True)
class Referral:
    """A threshold: frames whose uncertainty is above it go to a person.

    Attributes:
        threshold: in the unit of the uncertainty.
        coverage: share of calibration frames accepted, each sample weighing one.
        risk: share of wrong answers among those, each sample weighing one; 0 when none is accepted.
        risk_bound: the risk that is not exceeded with probability `confidence`; None when none was asked for.
        confidence: over the draw of calibration samples; None with `risk_bound`.
        samples: independent samples it rests on.
    """

    threshold: float
    coverage: float
    risk: float
    risk_bound: float | None
    confidence: float | None
    samples: int


def entropy_candidates(lots: int, count: int = 120) -> NDArray[np.float64]:
    """Thresholds fixed before any frame is seen, as the bound demands: from 1e-5 of the largest entropy to all of it, nats, ascending."""
    return np.asarray(np.log(lots) * np.geomspace(1e-5, 1.0, count))


def referral_for_coverage(uncertainty: NDArray[Any], wrong: NDArray[Any], groups: Groups, coverage: float) -> Referral:
    """The smallest uncertainty of a calibration frame at which at least `coverage` of the frames are accepted, each sample weighing one.

    Args:
        uncertainty: shape (n,).
        wrong: whether the frame's answer is wrong, shape (n,).
        groups: every frame's sample, shape (n,).
        coverage: in (0, 1].

    Raises:
        ValueError: there is no frame, an uncertainty is not finite, or `coverage` is outside (0, 1].
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage {coverage:g} is not in (0, 1]")
    _check(uncertainty, wrong, groups)
    weight = _weights(groups)
    order = np.argsort(uncertainty, kind="stable")
    reached = np.cumsum(weight[order])
    place = min(int(np.searchsorted(reached, coverage - 1e-9)), len(order) - 1)
    threshold = float(uncertainty[order[place]])
    return _measured(threshold, uncertainty, wrong, weight, len(set(np.asarray(groups).tolist())))


def referral_for_risk(
    uncertainty: NDArray[Any],
    wrong: NDArray[Any],
    groups: Groups,
    risk: float,
    *,
    candidates: NDArray[Any],
    confidence: float = 0.9,
) -> Referral:
    """The laxest candidate at which the risk of new samples is at most `risk`, with probability `confidence`.

    Candidates are tested from three starts towards laxer ones until one fails (fixed-sequence testing: Angelopoulos et al. 2021,
    arXiv:2110.01052, sec. 2.3), each start with a third of the error; so no number of candidates costs anything, and the risk need not
    grow with the threshold. The test is `risk_bound`.

    Args:
        uncertainty: shape (n,).
        wrong: whether the frame's answer is wrong, shape (n,).
        groups: every frame's sample, shape (n,).
        risk: wanted, in (0, 1): wrong answers among those accepted, each sample weighing one.
        candidates: thresholds chosen without these frames, ascending, such as `entropy_candidates`.
        confidence: over the draw of the samples.

    Raises:
        ValueError: no candidate reaches the risk; the message says what would be needed at best.
    """
    if not 0 < risk < 1 or not 0 < confidence < 1:
        raise ValueError(f"risk {risk:g} and confidence {confidence:g} must lie between 0 and 1")
    _check(uncertainty, wrong, groups)
    members = members_of(groups)
    level = 1 - (1 - confidence) / len(STARTS)
    walk = _Walk(uncertainty, np.asarray(wrong, bool), members, risk, level)
    last = -1
    for start in STARTS:
        place = min(int(start * len(candidates)), len(candidates) - 1)
        while place < len(candidates) and (place <= last or walk.holds_at(float(candidates[place]))):
            last, place = max(last, place), place + 1
    if last < 0:
        raise ValueError(
            f"no threshold keeps the risk at {risk:g} with confidence {confidence:g} on {len(members)} samples "
            f"(without one wrong answer it would take {_fewest_samples(risk, level)}): calibrate on more samples, or allow more risk"
        )
    found = _measured(float(candidates[last]), uncertainty, wrong, _weights(groups), len(members))
    return Referral(found.threshold, found.coverage, found.risk, risk, confidence, found.samples)


def risk_bound(accepted: NDArray[Any], wrong: NDArray[Any], groups: Groups, confidence: float = 0.9) -> float:
    """Upper bound on the risk of accepted answers of new samples, each sample weighing one; 1 when the samples do not suffice.

    With a the share of a sample's frames that is accepted and w the share that is accepted and wrong, a risk of at least r means
    E[w - r a] >= 0, so that no bet of the form prod(1 + s (r a - w)) grows in the mean; when it did grow beyond 1 / (1 - confidence), r
    is refused (Waudby-Smith & Ramdas 2023, JRSS B 86(1), sec. 4, with the stakes s hedged over). Exact for any number of samples and
    any dependence within them.

    Args:
        accepted: whether the frame is below the threshold, shape (n,).
        wrong: whether its answer is wrong, shape (n,).
        groups: its sample, shape (n,); samples are independent.
        confidence: for a threshold that was chosen without these frames.
    """
    members = members_of(groups)
    taken = np.asarray(accepted, bool)
    a = np.array([taken[held].mean() for held in members])
    w = np.array([(taken & np.asarray(wrong, bool))[held].mean() for held in members])
    return _smallest_refused(a, w, confidence)


def referral_for_risk_of_independent_frames(
    uncertainty: NDArray[Any], wrong: NDArray[Any], risk: float, *, confidence: float = 0.9
) -> Referral:
    """Selection with guaranteed risk (Geifman & El-Yaniv 2017, arXiv:1705.08500, algorithm 1): binary search, exact binomial bound.

    Valid for independent frames whose risk grows with the threshold; each of the ceil(log2 n) steps has its part of the error.

    Args:
        uncertainty: shape (n,).
        wrong: whether the frame's answer is wrong, shape (n,).
        risk: wanted, in (0, 1).
        confidence: over the draw of the frames.

    Raises:
        ValueError: no threshold reaches the risk.
    """
    groups = np.arange(len(uncertainty))
    _check(uncertainty, wrong, groups)
    order = np.argsort(uncertainty, kind="stable")
    levels, mistakes = np.asarray(uncertainty)[order], np.cumsum(np.asarray(wrong, bool)[order])
    steps = max(int(np.ceil(np.log2(len(order)))), 1)
    low, high, best = 1, len(order), 0
    for _ in range(steps):
        middle = (low + high + 1) // 2
        count = int(np.searchsorted(levels, levels[middle - 1], side="right"))
        if binomial_bound(int(mistakes[count - 1]), count, 1 - (1 - confidence) / steps) <= risk:
            low, best = middle, max(best, count)
        else:
            high = max(middle - 1, 1)
    if not best:
        raise ValueError(f"no threshold keeps the risk at {risk:g} with confidence {confidence:g} on {len(order)} frames")
    found = _measured(float(levels[best - 1]), uncertainty, wrong, _weights(groups), len(order))
    return Referral(found.threshold, found.coverage, found.risk, risk, confidence, found.samples)


def binomial_bound(wrong: int, count: int, confidence: float = 0.9) -> float:
    """Upper bound on a share of which `wrong` in `count` independent trials were seen (Clopper & Pearson 1934).

    >>> round(binomial_bound(0, 100, 0.95), 4)  # 1 - 0.05 ** (1 / 100)
    0.0295
    """
    return 1.0 if wrong >= count else float(beta.ppf(confidence, wrong + 1, count - wrong))


class _Walk:
    """Tests one wanted risk at candidate after candidate."""

    def __init__(
        self, uncertainty: NDArray[Any], wrong: NDArray[np.bool_], members: Sequence[NDArray[np.int64]], risk: float, level: float
    ) -> None:
        self._held = [(np.sort(uncertainty[one]), np.sort(uncertainty[one][wrong[one]]), len(one)) for one in members]
        self._risk = risk
        self._needed = 1 / (1 - level)

    def holds_at(self, threshold: float) -> bool:
        a, w = (np.array([np.searchsorted(held[k], threshold, side="right") / held[2] for held in self._held]) for k in (0, 1))
        return _wealth(a, w, self._risk) >= self._needed


def _wealth(a: NDArray[np.float64], w: NDArray[np.float64], risk: float) -> float:
    """What the hedged bets against a risk of `risk` or more have made of 1; a and w of shape (samples,)."""
    gains = risk * a - w
    return float(sum(part * np.exp(min(np.log1p(stake * gains).sum(), 700.0)) for stake, part in STAKES))  # no overflow


def _fewest_samples(risk: float, level: float) -> int:
    """Samples, all accepted and all right, that would make `risk` refused."""
    most = int(np.ceil(np.log(1 / (STAKES[0][1] * (1 - level))) / np.log1p(risk)))
    counts = np.arange(1, most + 1)
    return 1 + int(np.argmax(sum(part * (1 + stake * risk) ** counts for stake, part in STAKES) >= 1 / (1 - level)))


def _smallest_refused(a: NDArray[np.float64], w: NDArray[np.float64], confidence: float) -> float:
    needed = 1 / (1 - confidence)
    if _wealth(a, w, 1.0) < needed:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):  # the wealth grows with the risk, so halving finds the border
        middle = (low + high) / 2
        low, high = (low, middle) if _wealth(a, w, middle) >= needed else (middle, high)
    return high


def _weights(groups: Groups) -> NDArray[np.float64]:
    """Every frame's weight when each sample weighs the same; they sum to 1."""
    _, place, count = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return np.asarray(1 / (count[place] * len(count)))


def _measured(threshold: float, uncertainty: NDArray[Any], wrong: NDArray[Any], weight: NDArray[np.float64], samples: int) -> Referral:
    accepted = np.asarray(uncertainty) <= threshold
    coverage = float(weight[accepted].sum())
    mistaken = float(weight[accepted & np.asarray(wrong, bool)].sum())
    return Referral(threshold, min(coverage, 1.0), mistaken / coverage if coverage else 0.0, None, None, samples)


def _check(uncertainty: NDArray[Any], wrong: NDArray[Any], groups: Groups) -> None:
    if not len(uncertainty):
        raise ValueError("there is no calibration frame to choose a threshold on")
    if not len(uncertainty) == len(wrong) == len(groups):
        raise ValueError(f"{len(uncertainty)} uncertainties, {len(wrong)} answers and {len(groups)} samples do not belong together")
    if not np.isfinite(uncertainty).all():
        raise ValueError("an uncertainty is not a finite number")
