"""Chemical formulas to vectors of atomic fractions, strictly: what cannot be read is refused with its place."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd "
    "Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac "
    "Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
ELEMENTS: tuple[str, ...] = tuple(SYMBOLS.split())
TOKEN = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")


class FormulaError(EdgeAgentError):
    """A formula that cannot be read, or that holds an element the network never met."""


def parse_formula(formula: str) -> dict[str, float]:
    """Return the amount of each element; an element that stands twice is added up.

    >>> parse_formula("CH3OH")
    {'C': 1.0, 'H': 4.0, 'O': 1.0}
    >>> parse_formula("Fe0.5Ni0.5")
    {'Fe': 0.5, 'Ni': 0.5}

    Raises:
        FormulaError: an empty formula, an unknown element, an amount of nought, brackets, charges or any other sign.
    """
    if not formula:
        raise FormulaError("a formula", "is empty", "write element symbols and amounts, for example Fe2O3")
    amounts: dict[str, float] = {}
    place = 0
    while place < len(formula):
        token = TOKEN.match(formula, place)
        if token is None:
            reason = f"cannot be read from {formula[place:]!r} on, character {place + 1}"
            raise FormulaError(f"formula {formula!r}", reason, "write only element symbols and amounts, without brackets: Ca3P2O8")
        element, amount = token[1], float(token[2] or 1)
        if element not in ELEMENTS:
            near = ", ".join(difflib.get_close_matches(element, ELEMENTS, n=3, cutoff=0.4)) or "none"
            raise FormulaError(f"formula {formula!r}", f"{element} is no element", f"nearest symbols: {near}")
        if amount <= 0:
            raise FormulaError(f"formula {formula!r}", f"{element} has the amount {token[2]}", "leave the element out")
        amounts[element] = amounts.get(element, 0.0) + amount
        place = token.end()
    return amounts


def chemical_system(formula: str) -> str:
    """Name the set of elements of a formula, in alphabetical order.

    >>> chemical_system("O3Fe2")
    'Fe-O'
    """
    return "-".join(sorted(parse_formula(formula)))


def fractions(formulas: Iterable[str], elements: Sequence[str]) -> NDArray[np.float32]:
    """Return atomic fractions (n, elements), rows summing to 1 (Jha 2020, section 3.3.1); raise FormulaError for other elements."""
    columns = {element: k for k, element in enumerate(elements)}
    rows = []
    for formula in formulas:
        amounts = parse_formula(formula)
        if strange := sorted(set(amounts) - set(columns)):
            raise FormulaError(f"formula {formula!r}", f"{strange[0]} is not among the network's elements", "train with such compounds")
        row = np.zeros(len(columns), np.float32)
        for element, amount in amounts.items():
            row[columns[element]] = amount
        rows.append(row / row.sum())
    return np.stack(rows) if rows else np.zeros((0, len(columns)), np.float32)
