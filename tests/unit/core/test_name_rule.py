"""A stream's rule reads the sample's name off path or metadata."""

from __future__ import annotations

import pytest

from edge_agent.core.frame import Acquisition
from edge_agent.core.naming import NameRule

ACQUISITION = Acquisition(sample_id="A17", extra={"Sample.Holder": "H3"})


@pytest.mark.parametrize(
    ("rule", "path", "name"),
    [
        ("folder", "a/b/1.tif", "a/b"),
        ("folder", "1.tif", None),
        ("none", "a/1.tif", None),
        ("name:(S[0-9]+)_", "a/S12_1.tif", "S12"),
        ("name:(S[0-9]+)_", "a/1.tif", None),
        ("metadata:sample_id", "1.tif", "A17"),
        ("metadata:Sample.Holder", "1.tif", "H3"),
        ("metadata:detector", "1.tif", None),
        ("metadata:nothing", "1.tif", None),
    ],
)
def test_the_rule_reads_the_name(rule: str, path: str, name: str | None) -> None:
    assert NameRule.parse(rule).read(path, ACQUISITION) == name


@pytest.mark.parametrize("rule", ["", "folders", "name:", "name:(", "name:a", "name:(a)(b)", "metadata:", "folder:x"])
def test_an_unusable_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"folder|group|expression"):
        NameRule.parse(rule)
