"""Readers of other packages, found by their entry points: a tiny installed distribution is written, and a new process looks at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import os
import numpy as np
from edge_agent.frames.page import Axis, Page
from edge_agent.core.frame import Acquisition

class Theirs:
    name, suffixes, rule, by_path, library = "Theirs", (".theirs",), "it ends with END", False, "their-reader"

    def recognises(self, head, name):
        return head.startswith(b"THEIRS")

    def lacks(self, file, size):
        return not file.read().endswith(b"END")

    def read(self, source, limits, time_zone):
        if b"ABORT" in source.content:
            os.abort()
        pixels = np.arange(64 * 80, dtype=np.uint16).reshape(64, 80)
        yield Page(pixels, Acquisition(magnification=7.0), sources={"magnification": "their tag"})

class Incomplete:
    name = "Incomplete"
"""
ENTRY_POINTS = """[edge_agent.readers]
a = their_reader:Theirs
b = their_reader:Incomplete
c = no_such_module:Reader
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which `their-reader` 1.2 is installed."""
    place = tmp_path / "site"
    about = place / "their_reader-1.2.dist-info"
    about.mkdir(parents=True)
    (place / "their_reader.py").write_text(MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-reader\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}


def edge_agent(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from edge_agent.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_format_of_another_package_is_read_like_ours(installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "a.theirs").write_bytes(b"THEIRS END")
    said = edge_agent(installed, "inspect", "--no-model", "--json", tmp_path / "a.theirs")
    told = json.loads(said.stdout)
    assert (told["format"], told["library"], told["completeness"], told["stored_shape"]) == ("Theirs", "their-reader", "complete", [64, 80])
    assert (told["acquisition"], told["sources"]) == ({"magnification": 7.0}, {"magnification": "their tag"})


def test_formats_lists_it_and_readers_that_cannot_be_loaded_are_told_and_left_out(installed: dict[str, str]) -> None:
    said = edge_agent(installed, "inspect", "--formats")
    assert "Theirs      (.theirs)" in said.stdout
    assert "their-reader 1.2" in said.stdout
    assert "Incomplete" not in said.stdout
    assert "it is no Reader, for it has no suffixes, no rule, no by_path" in said.stderr
    assert "no_such_module" in said.stderr


def test_a_reader_that_crashes_takes_only_its_own_process_with_it(installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "a.theirs").write_bytes(b"THEIRS ABORT END")
    said = edge_agent(installed, "inspect", "--no-model", tmp_path / "a.theirs")
    assert said.returncode == 1
    assert said.stderr.splitlines()[-1].startswith("edge-agent: a.theirs: the decoder was lost over it (exit code -")
