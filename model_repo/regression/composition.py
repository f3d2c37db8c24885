"""Compounds with their formation enthalpy, and the rule that splits them by chemical system."""

from __future__ import annotations

import csv
import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from edge_agent.core.errors import EdgeAgentError
from model_repo.regression.formula import chemical_system, fractions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")
FILE_NAME = "oqmd_formation_enthalpy.csv"
SPLIT_SEED = 2018
OUTLIER_SIGMAS = 5.0
RULE = (
    f"A compound's side is that of its chemical system (its set of elements): the SHA-256 of '{SPLIT_SEED}:<elements in alphabetical "
    "order, joined by ->' modulo 10 is 0-7 for train, 8 for validation, 9 for test. Compounds further than 5 standard deviations of the "
    "training side from its mean are dropped on every side (Jha 2020, section 3.3.1)."
)


class CompositionError(EdgeAgentError):
    """A table of compounds that cannot be used."""


@dataclass(frozen=True, slots=True)
class Compounds:
    """Compounds, in the file's order: formulas, chemical systems and formation enthalpies (n,), eV/atom."""

    formulas: tuple[str, ...]
    systems: tuple[str, ...]
    enthalpy_ev: NDArray[np.float64]

    def __len__(self) -> int:
        """Count the compounds."""
        return len(self.formulas)

    def where(self, chosen: NDArray[np.bool_]) -> Compounds:
        """Return those that `chosen` (n,) names."""
        places = np.flatnonzero(chosen)
        return Compounds(tuple(self.formulas[k] for k in places), tuple(self.systems[k] for k in places), self.enthalpy_ev[places])


@dataclass(frozen=True, slots=True)
class SplitCompounds:
    """The three sides, the elements of the training side, and how many outliers each side lost."""

    sides: dict[Side, Compounds]
    elements: tuple[str, ...]
    dropped: dict[Side, int]

    def inputs(self, side: Side) -> NDArray[np.float32]:
        """Atomic fractions (n, elements) of one side."""
        return fractions(self.sides[side].formulas, self.elements)


def read_compounds(path: Path) -> Compounds:
    """Read a table with the columns formula and target (eV/atom); raise CompositionError or FormulaError, naming the line."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise CompositionError(str(path), f"cannot be read ({error.strerror})", f"give the folder that holds {FILE_NAME}") from error
    if not rows or not {"formula", "target"} <= set(rows[0]):
        raise CompositionError(str(path), "has no rows with the columns formula and target", "write a CSV file with that heading")
    formulas, systems, targets = [], [], []
    seen: set[str] = set()
    for line, row in enumerate(rows, 2):
        try:
            target = float(row["target"])
        except (TypeError, ValueError):
            target = math.nan
        if not math.isfinite(target):
            raise CompositionError(f"{path}, line {line}", f"{row['target']!r} is no enthalpy in eV/atom", "mend or delete the line")
        if row["formula"] in seen:
            raise CompositionError(f"{path}, line {line}", f"{row['formula']} stands twice", "keep the lowest of its enthalpies")
        seen.add(row["formula"])
        formulas.append(row["formula"])
        systems.append(chemical_system(row["formula"]))
        targets.append(target)
    return Compounds(tuple(formulas), tuple(systems), np.array(targets))


def side_of(system: str) -> Side:
    """Return a chemical system's side, by the committed rule.

    >>> side_of("Fe-O") == side_of("Fe-O")
    True
    """
    tenth = int(hashlib.sha256(f"{SPLIT_SEED}:{system}".encode()).hexdigest(), 16) % 10
    return "train" if tenth < 8 else "validation" if tenth == 8 else "test"


def split_by_system(compounds: Compounds) -> SplitCompounds:
    """Split and clean by RULE; compounds of an element that the training side lacks are dropped as well and counted.

    Raises:
        CompositionError: a side stays empty.
    """
    place = np.array([side_of(system) for system in compounds.systems])
    raw: dict[Side, Compounds] = {side: compounds.where(place == side) for side in SIDES}
    if empty := [side for side in SIDES if not len(raw[side])]:
        raise CompositionError("the compounds", f"leave nothing for {empty[0]}", "give more chemical systems")
    middle, sigma = raw["train"].enthalpy_ev.mean(), raw["train"].enthalpy_ev.std()
    train = raw["train"].where(np.abs(raw["train"].enthalpy_ev - middle) <= OUTLIER_SIGMAS * sigma)
    elements = tuple(sorted({element for system in train.systems for element in system.split("-")}))
    sides: dict[Side, Compounds] = {}
    for side, found in raw.items():
        usual = np.abs(found.enthalpy_ev - middle) <= OUTLIER_SIGMAS * sigma
        sides[side] = found.where(usual & _known(found.systems, elements))
    return SplitCompounds(sides, elements, {side: len(raw[side]) - len(sides[side]) for side in SIDES})


def _known(systems: Sequence[str], elements: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([set(system.split("-")) <= set(elements) for system in systems], dtype=bool)
