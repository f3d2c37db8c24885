"""Patterns and names that meet badly: found by fuzzing, and by hand."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from edge_agent.config.patterns import Pattern
from edge_agent.watch.patterns import PathFilter


@given(st.text("ab*?[]!-_", min_size=1, max_size=9), st.text("ab_-!]", max_size=9))
def test_a_part_of_a_pattern_takes_what_the_shell_would(pattern: str, name: str) -> None:
    if "**" not in pattern and name:
        assert PathFilter((pattern,), ()).takes(name) is fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize("pattern", ["[z-a]*.tif", "[!]", "[!`]?/[!]", "[a\xab\xab-z]b", "[]", "[!", "[^a]x"])
def test_a_class_that_makes_no_sense_is_no_error(pattern: str) -> None:
    PathFilter((pattern,), ()).takes("b.tif")


@pytest.mark.parametrize("pattern", ["*_*_*_*_*_*_*_*.tif", "**/*a*a*a*a*a*a*a*b", "*?*?*?*?*?*?*?*?*?*?x"])
def test_a_name_that_almost_fits_is_not_tried_in_every_way(pattern: str) -> None:
    for letter in "_a":
        assert not PathFilter((pattern,), ()).takes(f"{letter * 250}.tiff")


@pytest.mark.parametrize("pattern", ["**/*[9-0].tif", "[z-a]", "[!b-a]*"])
def test_a_range_that_goes_backwards_is_a_mistake_in_the_configuration(pattern: str) -> None:
    with pytest.raises(ValidationError, match="goes backwards"):
        TypeAdapter(Pattern).validate_python(pattern)
    assert TypeAdapter(Pattern).validate_python("**/*[0-9a-f][!x-z].tif")
