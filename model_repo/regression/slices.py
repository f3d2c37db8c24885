"""Where a composition model is good and where it is not: its error and the honesty of its band by kind of compound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_repo.regression.composition import Compounds
    from model_repo.regression.methods import Gaussian

ACTINIDES = frozenset({"Ac", "Th", "Pa", "U", "Np", "Pu"})
LANTHANIDES = frozenset({"La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu"})
HALOGENS = frozenset({"F", "Cl", "Br", "I"})
LIGHT = frozenset({"H", "C", "N"})
ANIONS = HALOGENS | LIGHT | frozenset({"O", "S", "Se", "Te", "P"})

KINDS: dict[str, Callable[[frozenset[str], float], bool]] = {
    "all": lambda _elements, _enthalpy: True,
    "2 elements": lambda elements, _: len(elements) == 2,
    "3 elements": lambda elements, _: len(elements) == 3,
    "4 and more elements": lambda elements, _: len(elements) >= 4,
    "with oxygen": lambda elements, _: "O" in elements,
    "with a halogen": lambda elements, _: bool(elements & HALOGENS),
    "with hydrogen, carbon or nitrogen": lambda elements, _: bool(elements & LIGHT),
    "no H C N O P S Se Te or halogen": lambda elements, _: not elements & ANIONS,
    "with a lanthanide": lambda elements, _: bool(elements & LANTHANIDES),
    "with an actinide": lambda elements, _: bool(elements & ACTINIDES),
    "enthalpy below -1 eV/atom": lambda _, enthalpy: enthalpy < -1,
    "enthalpy above +1 eV/atom": lambda _, enthalpy: enthalpy > 1,
}


def slices(test: Compounds, answer: Gaussian) -> list[dict[str, Any]]:
    """Give for each of KINDS: compounds, systems, MAE (eV/atom), bias (predicted less true), mean z^2 and the 90 % band's coverage.

    A kind without compounds is left out. Mean z^2 is 1 and the coverage 0.9 where the band is honest.
    """
    elements = [frozenset(system.split("-")) for system in test.systems]
    error = answer.mean - test.enthalpy_ev
    z = error / np.sqrt(answer.variance)
    rows = []
    for kind, belongs in KINDS.items():
        chosen = np.array([belongs(e, h) for e, h in zip(elements, test.enthalpy_ev, strict=True)])
        if not chosen.any():
            continue
        rows.append(
            {
                "kind": kind,
                "compounds": int(chosen.sum()),
                "systems": len({test.systems[k] for k in np.flatnonzero(chosen)}),
                "mae": float(np.abs(error[chosen]).mean()),
                "bias": float(error[chosen].mean()),
                "mean_z2": float((z[chosen] ** 2).mean()),
                "coverage_90": float((np.abs(z[chosen]) <= 1.6449).mean()),
            }
        )
    return rows
