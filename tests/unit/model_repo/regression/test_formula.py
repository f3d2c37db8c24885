"""Formulas are read strictly, and what cannot be read is named with its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_repo.regression.formula import ELEMENTS, FormulaError, chemical_system, fractions, parse_formula


@given(st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 99), min_size=1, max_size=6))
def test_what_is_written_is_read_back(amounts):
    formula = "".join(f"{element}{count}" for element, count in amounts.items())
    assert parse_formula(formula) == amounts
    assert chemical_system(formula).split("-") == sorted(amounts)
    row = fractions([formula], ELEMENTS)[0]
    assert row.sum() == pytest.approx(1, abs=1e-6)
    assert np.count_nonzero(row) == len(amounts)


def test_there_are_118_elements():
    assert len(set(ELEMENTS)) == 118


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("", "is empty"),
        ("Fe2o3", "from 'o3' on, character 4"),
        ("Ca3(PO4)2", "character 4"),
        ("Fe2+", "character 4"),
        (" Fe", "character 1"),
        ("Xq2", "Xq is no element; nearest symbols: Xe"),
        ("Fe0O1", "Fe has the amount 0"),
        ("Fe2.O", "character 4"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(formula, message):
    with pytest.raises(FormulaError, match=message.replace("(", r"\(")):
        parse_formula(formula)


def test_an_element_that_training_lacks_is_refused():
    with pytest.raises(FormulaError, match="Xe is not among the network's elements"):
        fractions(["Fe2O3", "XeO3"], ["Fe", "O"])
