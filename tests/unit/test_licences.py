"""What edge-agent requires is free to use in any laboratory."""

from __future__ import annotations

import pytest

from tests.licences import EXTRAS, REVIEWED, Licensed, required


@pytest.mark.parametrize("extra", EXTRAS)
def test_everything_required_is_permissively_licensed(extra: str) -> None:
    assert [one.objection for one in required(extra) if one.objection] == []


def test_the_base_is_looked_through_to_its_ends() -> None:
    names = {one.name for one in required("")}
    assert {"numpy", "pydantic", "kafka-python", "grpcio", "protobuf", "h11", "markdown-it-py"} <= names
    assert not names & {"torch", "scipy", "pytest"}
    assert {one.name for one in required("")} & set(REVIEWED) <= {"protobuf"}, "an exception for what every laboratory installs"


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-only",
        "MIT AND AGPL-3.0",
        "GNU General Public License v3",
        "BUSL-1.1",
        "SSPL-1.0",
        "",
        "UNKNOWN",
        "LicenseRef-Mine",
        "LGPL-2.1",
    ],
)
def test_what_is_not_permissive_is_refused(licence: str) -> None:
    assert Licensed("a", "1", licence, "").objection


@pytest.mark.parametrize(
    "licence", ["MIT", "Apache-2.0 OR BSD-2-Clause", "The Unlicense (Unlicense)", "BSL-1.0", "Apache-2.0 WITH LLVM-exception"]
)
def test_what_is_permissive_is_not(licence: str) -> None:
    assert not Licensed("a", "1", licence, "").objection
