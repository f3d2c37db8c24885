"""Class-conditional conformal prediction when frames share samples: p-values, sets of lots, and how often these hold the true one.

Frames of a sample are exchangeable among themselves only, so a lot's calibration frames are not exchangeable with a frame of a new
sample; one frame drawn from each calibration sample is. A new draw for every new frame ("single subsampling": Dunn, Wasserman & Ramdas
2023, JASA 118, arXiv:1809.07441, sec. 2.3) makes smoothed p-values exactly uniform for new samples of the lot, for any number of
samples; the agent's own p-value averages over those draws instead (`edge_agent.uncertainty.conformal_p_value`), which is steadier for
one frame and keeps to the safe side for small p-values (Lee, Barber & Willett 2023, arXiv:2306.06342, sec. 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import beta

from model_repo.metrics.intervals import members_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo.metrics.intervals import Groups

FAMILY_WISE = 0.05


@dataclass(frozen=True, slots=True)
class LotCoverage:
    """How often the sets of one lot's frames hold that lot, each sample weighing one.

    Attributes:
        lot: index.
        samples: independent samples.
        coverage: mean over samples.
        standard_error: of `coverage`, over samples; infinite with one sample.
        missed: whether it is off the nominal coverage, family-wise 5 % over lots (Bonferroni, `binomial_p_value`).
    """

    lot: int
    samples: int
    coverage: float
    standard_error: float
    missed: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of prediction sets, each sample weighing one.

    Attributes:
        nominal: what was asked for, 1 - alpha.
        pooled: mean over all samples.
        standard_error: of `pooled`, over samples.
        lots: one row a lot that has test frames, by index.
        set_size: mean number of lots in a set.
    """

    nominal: float
    pooled: float
    standard_error: float
    lots: tuple[LotCoverage, ...]
    set_size: float

    @property
    def holds(self) -> bool:
        """Whether the pooled coverage is within two standard errors of nominal and no lot is missed."""
        return abs(self.pooled - self.nominal) <= 2 * self.standard_error and not any(lot.missed for lot in self.lots)


def nonconformity(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """How little each lot suits: 1 - p (Sadinle, Lei & Wasserman 2019, arXiv:1609.00451); members of (n, members, lots) are averaged."""
    p = np.asarray(probabilities, np.float64)
    return np.asarray(1 - (p.mean(axis=1) if p.ndim == 3 else p))


def label_p_values(
    scores: NDArray[Any],
    labels: NDArray[np.int64],
    groups: Groups,
    new_scores: NDArray[Any],
    smoothing: NDArray[Any],
    *,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """p-value of every lot for every new frame, each lot judged by its own calibration samples (Mondrian: Vovk et al. 2005, sec. 4.5).

    Args:
        scores: nonconformity of calibration frames, shape (n, lots).
        labels: their true lots, shape (n,).
        groups: their samples, shape (n,).
        new_scores: nonconformity of new frames, shape (m, lots).
        smoothing: uniform in (0, 1], `edge_agent.uncertainty.uniform_of` their contents, shape (m,).
        rng: draws a frame of every calibration sample for every new frame.

    Raises:
        ValueError: a lot has no calibration frame.
    """
    p_values = np.empty(new_scores.shape)
    for lot in range(scores.shape[1]):
        held = np.flatnonzero(labels == lot)
        if not len(held):
            raise ValueError(f"lot {lot} has no calibration frame: no p-value can be given for it")
        members = members_of(np.asarray(groups)[held])
        sizes = np.array([len(one) for one in members])
        values = scores[held[np.concatenate(members)], lot]
        drawn = values[np.cumsum(sizes) - sizes + (rng.random((len(new_scores), len(sizes))) * sizes).astype(int)]
        new = new_scores[:, lot, None]
        larger, as_large = (drawn > new).sum(axis=1), (drawn == new).sum(axis=1)
        p_values[:, lot] = (larger + smoothing * (as_large + 1)) / (len(sizes) + 1)
    return p_values


def prediction_sets(p_values: NDArray[Any], alpha: float) -> NDArray[np.bool_]:
    """Which lots are in each frame's set at level 1 - alpha; shape (m, lots). A set may be empty: the frame is like no lot."""
    return np.asarray(p_values > alpha)


def coverage(sets: NDArray[Any], labels: NDArray[np.int64], groups: Groups, alpha: float) -> Coverage:
    """How often sets hold the true lot.

    Its error is that of the test samples alone. Calibrating on K samples of a lot moves the coverage of all that lot's test samples
    together, by about sqrt(alpha (1 - alpha) / (K + 2)) (Vovk 2012, ACML, prop. 2a): one split may miss for that reason, which
    `coverage_over_splits` averages away.

    Args:
        sets: shape (n, lots), boolean, or the share of splits in which a lot was in the set.
        labels: true lots, shape (n,).
        groups: samples, shape (n,); a sample is of one lot.
        alpha: the sets' level.

    Raises:
        ValueError: one sample's frames have several labels.
    """
    holding = np.asarray(sets, np.float64)[np.arange(len(labels)), labels]
    members = members_of(groups)
    lot_of = np.array([_only_lot(labels[one]) for one in members])
    held = np.array([holding[one].mean() for one in members])
    present = np.unique(lot_of)
    rows = []
    for lot in present:
        mean, error = _mean_and_error(held[lot_of == lot])
        count = int((lot_of == lot).sum())
        missed = binomial_p_value(mean * count, count, 1 - alpha) <= FAMILY_WISE / len(present)
        rows.append(LotCoverage(int(lot), count, mean, error, missed))
    sizes = np.asarray(sets, np.float64).sum(axis=1)
    return Coverage(1 - alpha, *_mean_and_error(held), tuple(rows), float(np.mean([sizes[one].mean() for one in members])))


def binomial_p_value(covered: float, samples: int, nominal: float) -> float:
    """Two-sided p-value of `covered` in `samples` trials under a share of `nominal`: twice the smaller exact tail, at most 1.

    A lot is judged by this and not by its own spread (Student's t), for a lot whose samples are all covered has no spread, and any
    difference from nominal would seem sure: at a nominal 90 %, 16 of 16 has a probability of 0.19. A sample of which a part is covered
    counts as that part, the tails being continued by the incomplete beta function (Clopper & Pearson 1934): of all values between 0 and 1
    with the same mean, those that are 0 or 1 scatter most, so that the test errs on the side of no alarm.

    >>> round(binomial_p_value(16, 16, 0.9), 3), round(binomial_p_value(16, 100, 0.9), 3)
    (0.371, 0.0)
    """
    at_least = float(beta.cdf(nominal, covered, samples - covered + 1)) if covered > 0 else 1.0
    at_most = float(beta.sf(nominal, covered + 1, samples - covered)) if covered < samples else 1.0
    return min(1.0, 2 * min(at_least, at_most))


def coverage_over_splits(
    scores: NDArray[Any],
    labels: NDArray[np.int64],
    groups: Groups,
    smoothing: NDArray[Any],
    *,
    alpha: float = 0.1,
    splits: int = 20,
    rng: np.random.Generator,
) -> Coverage:
    """Coverage over random halvings of each lot's samples into calibration and test, averaged for each sample over its tests.

    The splits share their samples, so the standard error is over samples, not over splits, and rather too large than too small.

    Args:
        scores: nonconformity of frames that the network was not trained on, shape (n, lots).
        labels: their true lots, shape (n,).
        groups: their samples, shape (n,).
        smoothing: see `label_p_values`, shape (n,).
        alpha: the sets' level.
        splits: how many halvings; 20 at least for a report.
        rng: draws the halvings.

    Raises:
        ValueError: a lot has fewer than two samples, so it cannot be split, or a sample is of several lots.
    """
    members = members_of(groups)
    place = np.empty(len(labels), np.int64)
    for sample, one in enumerate(members):
        place[one] = sample
    lot_of = np.array([_only_lot(labels[one]) for one in members])
    counts = np.bincount(lot_of, minlength=scores.shape[1])
    if counts.min() < 2:
        raise ValueError(
            f"lot {int(counts.argmin())} has {counts.min()} samples: at least 2 are needed to calibrate on some and test on others"
        )
    inside, tests = np.zeros(scores.shape), np.zeros(len(labels))
    for _ in range(splits):
        calibrates = np.zeros(len(members), bool)
        for lot, count in enumerate(counts):
            calibrates[rng.permutation(np.flatnonzero(lot_of == lot))[: (count + 1) // 2]] = True
        held = calibrates[place]
        p = label_p_values(scores[held], labels[held], place[held], scores[~held], smoothing[~held], rng=rng)
        inside[~held] += prediction_sets(p, alpha)
        tests += ~held
    tested = tests > 0
    return coverage(inside[tested] / tests[tested, None], labels[tested], place[tested], alpha)


def _only_lot(labels: NDArray[np.int64]) -> int:
    if (labels != labels[0]).any():
        raise ValueError(f"one sample is said to be of lots {sorted(set(labels.tolist()))}: name samples so that each is of one lot")
    return int(labels[0])


def _mean_and_error(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard error over samples.

    Where all samples agree, their spread says nothing of what others would do: the binomial error of (k + 1) / (n + 2) stands in
    (Laplace's rule), as if one sample more had been covered and one more not.
    """
    count, mean = len(values), float(values.mean())
    if count < 2:
        return mean, np.inf
    share = (values.sum() + 1) / (count + 2)
    spread = values.std(ddof=1) if np.ptp(values) else np.sqrt(share * (1 - share))
    return mean, float(spread / np.sqrt(count))
