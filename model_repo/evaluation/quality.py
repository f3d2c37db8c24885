"""How right and how honest the answers on the test side are, and by how much one method is better than another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.uncertainty import entropy
from model_repo import metrics
from model_repo.evaluation.answers import groups_of, labels_of, member_probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from model_repo.evaluation.answers import Answer, Level
    from model_repo.metrics import Interval

FIGURES = ("accuracy", "nll", "ece", "risk_at_90")


@dataclass(frozen=True, slots=True)
class Quality:
    """One row of the table of answers on the test side; ECE over 20 equal bins, NLL in nats, risk at 90 % coverage by entropy."""

    level: str
    method: str
    frames: int
    groups: int
    count: int
    accuracy: Interval
    nll: Interval
    ece: Interval
    risk_at_90: Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """One method less another on the same frames, and the ratio of their risks: paired, with intervals over the same samples."""

    level: str
    method: str
    other: str
    accuracy: Interval
    nll: Interval
    ece: Interval
    risk_at_90: Interval
    risk_ratio: Interval


class Voter:
    """The answers of one method to the test frames, as figures of any choice of their elements."""

    def __init__(self, answers: Sequence[Answer], level: Level, lots: Sequence[str], *, alone: bool = False) -> None:
        p = member_probabilities(answers, level)
        self.frames = len(answers)
        self.labels = labels_of(answers, level, lots)
        self.groups = groups_of(answers, level)
        self._votes = [p[:, k] for k in range(p.shape[1])] if alone else [p.mean(axis=1)]
        self._entropies = [entropy(vote) for vote in self._votes]

    def figure(self, name: str) -> Callable[[NDArray[np.int64]], float]:
        """A figure of FIGURES of an index array of elements; the mean over members where each votes alone."""

        def value(index: NDArray[np.int64]) -> float:
            return float(np.mean([self._one(name, k, index) for k in range(len(self._votes))]))

        return value

    def _one(self, name: str, k: int, index: NDArray[np.int64]) -> float:
        p, labels = self._votes[k][index], self.labels[index]
        if name == "risk_at_90":
            return metrics.risk_at_coverage(p, labels, self._entropies[k][index])
        functions = {"accuracy": metrics.accuracy, "nll": metrics.nll, "ece": metrics.expected_calibration_error}
        return functions[name](p, labels)


def quality(voter: Voter, level: Level, method: str, rng: np.random.Generator, replicates: int) -> Quality:
    """One row."""
    found = {name: metrics.bootstrap(voter.figure(name), voter.groups, rng=rng, replicates=replicates) for name in FIGURES}
    return Quality(level, method, voter.frames, len(set(voter.groups)), len(voter.labels), **found)


def difference(voters: Mapping[str, Voter], level: Level, one: str, other: str, rng: np.random.Generator, replicates: int) -> Difference:
    """`one` less `other`."""
    found = {
        name: metrics.paired_difference(
            voters[one].figure(name), voters[other].figure(name), voters[one].groups, rng=rng, replicates=replicates
        )
        for name in FIGURES
    }
    mine, theirs = voters[one].figure("risk_at_90"), voters[other].figure("risk_at_90")

    def ratio(index: NDArray[np.int64]) -> float:
        divisor = theirs(index)
        return mine(index) / divisor if divisor else np.nan

    whole = np.arange(len(voters[one].labels))
    draws = [ratio(index) for (index,) in metrics.resamples([voters[one].groups], rng, replicates)]
    low, high = (float(end) for end in np.nanpercentile(draws, [2.5, 97.5])) if np.isfinite(draws).any() else (np.nan, np.nan)
    return Difference(level, one, other, **found, risk_ratio=metrics.Interval(ratio(whole), low, high))
