"""Telling the kinds of shift apart: known lots, a changed filament, an unseen lot, something unrelated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model_repo.metrics.intervals import Interval, bootstrap, members_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo.metrics.intervals import Groups


@dataclass(frozen=True, slots=True)
class Telling:
    """How well the kinds are told apart on samples that the classifier was not fitted to.

    Attributes:
        kinds: in order of first appearance.
        confusion: shape (kinds, kinds), counts; row the true kind, column the told one.
        balanced_accuracy: mean over kinds of the share told right, with its interval over samples; 1 / kinds is luck.
        samples: independent samples.
        folds: of the cross-validation, whole samples in each.
    """

    kinds: tuple[str, ...]
    confusion: NDArray[np.int64]
    balanced_accuracy: Interval
    samples: int
    folds: int


def tell_kinds_apart(
    features: NDArray[Any], kinds: Groups, groups: Groups, *, folds: int = 5, seed: int = 0, replicates: int = 500
) -> Telling:
    """Cross-validated multinomial logistic regression on standardised features, kinds weighing the same, samples kept whole.

    Args:
        features: shape (n, d), such as entropy, mutual information, log distance, p-value and acquisition statistics; of frames, or of
            samples (`sample_means`).
        kinds: shape (n,).
        groups: shape (n,); a specimen that is shown under several kinds is one group, so that it never helps to recognise itself.
        folds: at most; fewer where a kind has fewer samples.
        seed: of folds and bootstrap.
        replicates: of the bootstrap.

    Raises:
        ValueError: a feature is not finite, there is one kind only, or a kind has a single sample.
    """
    x, told, belongs = np.asarray(features, np.float64), np.asarray(kinds), np.asarray(groups)
    if not np.isfinite(x).all():
        raise ValueError(f"feature {int(np.flatnonzero(~np.isfinite(x).all(axis=0))[0])} is not a finite number in every row")
    names = tuple(dict.fromkeys(told.tolist()))
    if len(names) < 2:
        raise ValueError("there is one kind only: nothing to tell apart")
    truth = np.array([names.index(kind) for kind in told.tolist()])
    held = {name: len(set(belongs[truth == k].tolist())) for k, name in enumerate(names)}
    fewest = min(held, key=lambda name: held[name])
    if held[fewest] < 2:
        raise ValueError(f"kind {fewest!r} has a single sample: it cannot be both learnt and tested")
    splits = min(folds, held[fewest])
    found = np.empty(len(truth), np.int64)
    for fit, test in StratifiedGroupKFold(splits, shuffle=True, random_state=seed).split(x, truth, belongs):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, class_weight="balanced"))
        found[test] = model.fit(x[fit], truth[fit]).predict(x[test])
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (truth, found), 1)
    accuracy = bootstrap(
        lambda index: _balanced(truth[index], found[index]), belongs, rng=np.random.default_rng(seed), replicates=replicates
    )
    return Telling(names, confusion, accuracy, len(set(belongs.tolist())), splits)


def sample_means(features: NDArray[Any], kinds: Groups, groups: Groups) -> tuple[NDArray[np.float64], list[Any], list[Any]]:
    """Features averaged over each sample's frames of one kind, with their kinds and groups: what one sample tells."""
    told, belongs = np.asarray(kinds).tolist(), np.asarray(groups).tolist()
    pairs = list(zip(told, belongs, strict=True))
    number = {pair: k for k, pair in enumerate(dict.fromkeys(pairs))}
    means = [np.asarray(features, np.float64)[one].mean(axis=0) for one in members_of([number[pair] for pair in pairs])]
    return np.array(means), [kind for kind, _ in number], [group for _, group in number]


def _balanced(truth: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """Mean recall of the kinds that are there: a draw of samples may lack one."""
    return float(np.mean([(found[truth == kind] == kind).mean() for kind in np.unique(truth)]))
