"""Every kind of shifted frame, put to the model and to the methods beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from model_repo.evaluation.answers import LEVELS
from model_repo.evaluation.detection import Detection, detection, families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from model_repo.data.source import Kind, Origin, Probe
    from model_repo.evaluation.answers import Answer, Questioned, Usual
    from model_repo.metrics import Interval

OTHERS_REPLICATES = 100
KNOWN = "known lots"


@dataclass(frozen=True, slots=True)
class OtherDetection:
    """What another method's entropy notices, beside which the model's own scores stand."""

    method: str
    kind: str
    origin: str
    entropy: Interval
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Shifted:
    """What came of the shifts.

    Attributes:
        by_kind: the model's answers, KNOWN first; those to shifted frames are kept without pixels.
        maps: of each kind one frame and its local map.
        detections: of the model, by kind and then by family, at each level.
        others: of the methods beside it, whole frames.
    """

    by_kind: Mapping[str, Sequence[Answer]]
    maps: Mapping[str, tuple[Probe, NDArray[np.float32]]]
    detections: tuple[Detection, ...]
    others: tuple[OtherDetection, ...]


def ask_of_shifts(
    methods: Mapping[str, Questioned],
    on_test: Mapping[str, Sequence[Answer]],
    kinds: Iterator[Kind],
    usual: Usual,
    rng: np.random.Generator,
    replicates: int,
) -> Shifted:
    """Put every kind to every method, the model's own being the first of `methods` and of their answers `on_test`."""
    (own, model), *others = methods.items()
    detect = partial(detection, usual=usual, lots=model.manifest.lots, rng=rng)
    by_kind: dict[str, Sequence[Answer]] = {KNOWN: on_test[own]}
    maps = _map(model, KNOWN, on_test[own])
    origins: dict[str, Origin] = {}
    rows: list[Detection] = []
    noticed: list[OtherDetection] = []
    for kind in kinds:
        origins[kind.name] = kind.origin
        found = model.answers(kind.probes)
        maps |= _map(model, kind.name, found)
        by_kind[kind.name] = _without_pixels(found)
        rows += [detect(kind.name, kind.origin, level, on_test[own], by_kind[kind.name], replicates=replicates) for level in LEVELS]
        for name, other in others:
            row = detect(kind.name, kind.origin, "frame", on_test[name], other.answers(kind.probes), replicates=OTHERS_REPLICATES)
            noticed.append(OtherDetection(name, kind.name, kind.origin, row.auc["entropy"], row.accuracy))
    rows += _of_families(partial(detect, replicates=replicates), by_kind, origins)
    return Shifted(by_kind, maps, tuple(rows), tuple(noticed))


def _of_families(
    detect: Callable[..., Detection], by_kind: Mapping[str, Sequence[Answer]], origins: Mapping[str, Origin]
) -> Iterator[Detection]:
    """The kinds of each family taken together; several unseen lots are resampled as lots."""
    for family, joined in families(by_kind).items():
        origin = " and ".join(sorted({found for kind, found in origins.items() if kind.startswith(family)}))
        by_lot = family == "unseen" and len({a.probe.group.partition("/")[0] for a in joined}) > 1
        for level in LEVELS:
            yield detect(f"all {family}", origin, level, by_kind[KNOWN], joined, by_lot=by_lot)


def _map(model: Questioned, kind: str, answers: Sequence[Answer]) -> dict[str, tuple[Probe, NDArray[np.float32]]]:
    """The local map of the kind's frame of median distance."""
    ordered = sorted(answers, key=lambda answer: answer.score.distance)
    chosen = ordered[len(ordered) // 2].probe
    local = model.local_map(chosen)
    return {} if local is None else {kind: (chosen, local)}


def _without_pixels(answers: Sequence[Answer]) -> list[Answer]:
    """Shifted frames are many; only known ones are looked at again."""
    nothing = np.zeros((0, 0), np.uint8)
    return [replace(answer, probe=replace(answer.probe, pixels=nothing)) for answer in answers]
