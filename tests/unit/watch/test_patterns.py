import doctest

import pytest

from edge_agent.watch import patterns
from edge_agent.watch.patterns import PathFilter, natural_key


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("**/*.tif", "a.tif", True),
        ("**/*.tif", "a/b/c.TIF", True),
        ("*.tif", "a/b.tif", False),
        ("a/**", "a/b/c.png", True),
        ("a/*/c.png", "a/b/c.png", True),
        ("a/*/c.png", "a/b/b/c.png", False),
        ("?.tif", "/.tif", False),
        ("[ab]*.tif", "b1.tif", True),
        ("[!ab]*.tif", "b1.tif", False),
        ("*.tif", "pr\u00f6be \u8a66\u6599.tif", True),
        ("**/*.tif", "a.tif.part", False),
        ("**/*", ".hidden.tif", False),
        ("**/*", "~$open.tif", False),
        ("**/*", "scan.tmp", False),
        ("**/*", "scan.tif~", False),
    ],
)
def test_a_pattern_takes_what_pathlib_would_but_no_hidden_or_unfinished_file(pattern: str, path: str, taken: bool) -> None:
    assert PathFilter((pattern,), ()).takes(path) is taken


def test_excluded_files_are_left_alone() -> None:
    paths = PathFilter(("**/*.tif",), ("scratch/**", "*_thumb.tif"))
    assert [paths.takes(path) for path in ("a.tif", "scratch/a.tif", "a_thumb.tif")] == [True, False, False]


@pytest.mark.parametrize(
    ("path", "image"),
    [("a/1.txt", "a/1.tif"), ("a/1.tif.xml", "a/1.tif"), ("a/2.txt", None), ("a/1.log", None), ("b.hdr", "b.TIF"), (".1.txt", None)],
)
def test_a_side_car_has_the_stem_of_a_frame_file_beside_it(path: str, image: str | None) -> None:
    there = {"a/1.tif", "b.TIF"}
    assert PathFilter(("**/*.tif",), ()).image_of(path, there.__contains__) == image


@pytest.mark.parametrize(
    ("path", "image"),
    [
        ("a/STEM.emi", "a/STEM_1.ser"),
        ("a/EDS.emi", "a/EDS_2.ser"),
        ("a/other.emi", None),
        ("a/1-tif.hdr", "a/1.tif"),
        ("a/1-png.hdr", None),
        ("a/1.hdr", "a/1.tif"),
        ("e/Setting.txt", "e/Pattern.dat"),
        ("Setting.txt", None),
    ],
)
def test_vendors_name_side_cars_in_their_own_ways(path: str, image: str | None) -> None:
    there = {"a/1.tif", "a/STEM_1.ser", "a/STEM_2.ser", "a/EDS_2.ser", "e/Pattern.dat", "a/other_1.txt"}
    assert PathFilter(("**/*.tif", "**/*.ser", "**/*.dat"), ()).image_of(path, there.__contains__) == image


def test_numbers_in_names_count_as_numbers() -> None:
    assert sorted(["s10/f2", "s9/f10", "s9/f9"], key=natural_key) == ["s9/f9", "s9/f10", "s10/f2"]


def test_the_examples_hold() -> None:
    assert doctest.testmod(patterns).failed == 0
