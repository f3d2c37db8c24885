"""Intervals that know which frames belong together: whole samples are drawn again, never frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo.metrics.roc import auc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Groups = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % percentile interval over independent groups (Efron & Tibshirani 1993, ch. 13)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As reports show it.

        >>> str(Interval(0.912, 0.88, 0.94))
        '0.912 [0.880, 0.940]'
        """
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def members_of(groups: Groups) -> list[NDArray[np.int64]]:
    """The indices of every group's elements, groups in order of first appearance."""
    _, first, place = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    found = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    return [found[k] for k in np.argsort(first)]


def resamples(group_lists: Sequence[Groups], rng: np.random.Generator, replicates: int) -> Iterable[list[NDArray[np.int64]]]:
    """Yield `replicates` times one index array for each population, its groups drawn with replacement."""
    members = [members_of(groups) for groups in group_lists]
    for _ in range(replicates):
        yield [np.concatenate([held[k] for k in rng.integers(0, len(held), len(held))]) for held in members]


def bootstrap_interval(
    figure: Callable[..., float], group_lists: Sequence[Groups], *, rng: np.random.Generator, replicates: int = 500
) -> tuple[float, float]:
    """95 % percentile interval of `figure`, called with one index array for each list, by resampling whole groups.

    Args:
        figure: takes an index array for each of `group_lists`.
        group_lists: for each population, every element's group.
        rng: source of the replicates.
        replicates: how many.
    """
    low, high = np.percentile([figure(*indices) for indices in resamples(group_lists, rng, replicates)], [2.5, 97.5])
    return float(low), float(high)


def bootstrap(figure: Callable[[NDArray[np.int64]], float], groups: Groups, *, rng: np.random.Generator, replicates: int = 500) -> Interval:
    """`figure` of all elements, with its interval over `groups`."""
    return Interval(float(figure(np.arange(len(groups)))), *bootstrap_interval(figure, [groups], rng=rng, replicates=replicates))


def paired_difference(
    one: Callable[[NDArray[np.int64]], float],
    other: Callable[[NDArray[np.int64]], float],
    groups: Groups,
    *,
    rng: np.random.Generator,
    replicates: int = 500,
) -> Interval:
    """`one` less `other`, both on the same elements: what the two methods share cancels, so their difference is surer than either.

    Args:
        one: a figure (accuracy, ECE, NLL, risk at 90 %) of one method for an index array of elements.
        other: the same figure of the other method.
        groups: every element's sample.
        rng: source of the replicates.
        replicates: how many.
    """
    return bootstrap(lambda index: one(index) - other(index), groups, rng=rng, replicates=replicates)


def auc_table(
    scores: Mapping[str, NDArray[Any]], kinds: Groups, groups: Groups, *, normal: str, rng: np.random.Generator, replicates: int = 500
) -> dict[str, dict[str, Interval]]:
    """AUC by kind and by score against the frames of kind `normal`, each with its interval over samples.

    Args:
        scores: by name, shape (n,), larger when stranger.
        kinds: every frame's kind, shape (n,).
        groups: every frame's sample, shape (n,).
        normal: the kind that the others are told from.
        rng: source of the replicates.
        replicates: how many.

    Raises:
        ValueError: no frame is `normal`, or a score is not finite.
    """
    kind_of, group_of = np.asarray(kinds), np.asarray(groups)
    if normal not in kind_of:
        raise ValueError(f"no frame is of kind {normal!r}: there is nothing to tell the others from")
    if spoilt := [name for name, values in scores.items() if not np.isfinite(values).all()]:
        raise ValueError(f"{', '.join(spoilt)}: a score is not a finite number")
    table: dict[str, dict[str, Interval]] = {}
    for kind in dict.fromkeys(kind_of.tolist()):
        if kind == normal:
            continue
        populations = [np.flatnonzero(kind_of == normal), np.flatnonzero(kind_of == kind)]
        drawn = list(resamples([group_of[one] for one in populations], rng, replicates))
        row = {}
        for name, values in scores.items():
            usual, strange = (values[one] for one in populations)
            low, high = np.percentile([auc(usual[i], strange[j]) for i, j in drawn], [2.5, 97.5])
            row[name] = Interval(auc(usual, strange), float(low), float(high))
        table[str(kind)] = row
    return table
