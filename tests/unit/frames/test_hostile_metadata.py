"""Whatever metadata a file holds, its frame is scored, and what reaches the agent is short, finite and in a zone."""

import math
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.core.frame import Acquisition
from edge_agent.frames import decode
from edge_agent.frames.bounded import MOST_TEXT, NAME_LENGTH, TEXT_LENGTH, bounded
from tests.hostile.texts import with_text, zeiss


def test_ordinary_metadata_pass_as_they_are() -> None:
    usual = Acquisition(
        acquired_at=datetime(2024, 1, 2, tzinfo=UTC),
        instrument="Supra 55",
        acceleration_voltage_v=5e3,
        stage_x_m=-1e-3,
        extra={"AP_NOTE": "two\nlines"},
    )
    assert bounded(usual) == usual


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (np.float32(2.5), 2.5),
        (10**400, None),
        ("five", "five"),
        (b"5", 5.0),
        ([5.0], None),
    ],
)
def test_a_number_is_finite_or_none(given: Any, kept: Any) -> None:
    assert bounded(Acquisition(magnification=given)).magnification == kept


def test_names_are_short_lines_and_times_have_a_zone() -> None:
    made = bounded(Acquisition(sample_id=" S1\n\x1b[31m" + "x" * 10_000, detector="\n", acquired_at=datetime(2024, 1, 2)))  # noqa: DTZ001
    assert made.sample_id is not None
    assert made.sample_id.startswith("S1 ?[31mxxx")
    assert len(made.sample_id) == NAME_LENGTH
    assert made.detector is None
    assert made.acquired_at == datetime(2024, 1, 2, tzinfo=UTC)


def test_further_texts_keep_their_lines_and_lose_what_a_terminal_obeys() -> None:
    made = bounded(Acquisition(extra={"note": "5\N{NO-BREAK SPACE}kV\r\n\tfine", "\x1b]0;owned\x07": "\x1b[2Jgone\u202e"})).extra
    assert made == {"note": "5\N{NO-BREAK SPACE}kV\r\n\tfine", "?]0;owned?": "?[2Jgone?"}


def test_further_keys_come_to_so_much_at_most() -> None:
    made = bounded(Acquisition(extra={f"{number}{'k' * 5000}": "v" * 5000 for number in range(1000)})).extra
    assert made
    assert sum(len(key) + len(text) for key, text in made.items()) <= MOST_TEXT
    assert max(len(text) for text in made.values()) == TEXT_LENGTH


@pytest.mark.parametrize(
    "content",
    [
        with_text(34682, f"[User]\nSampleId={'s' * (1 << 20)}\n"),
        with_text(34682, "[User]\n" + "".join(f"K{n}={'v' * 40}\n" for n in range(50_000))),
        with_text(34682, "[Beam]\nBeam=EBeam\n[EBeam]\nHFW=5e-324\nHV=nan\n[Image]\nMagCanvasRealWidth=1e308\n"),
        with_text(34682, b"[User]\nSampleId=\xed\xa0\x80\n"),
        zeiss(f"SV_SAMPLE_ID\nSample ID = {'s' * (1 << 20)}"),
        zeiss("".join(f"AP_X{n}\nX{n} = {n} mm\n" for n in range(20_000))),
        zeiss("AP_MAG\nMag = 1e308 K X\nAP_DATE\nDate :31 Dec 99999\nAP_TIME\nTime :24:60:61"),
        with_text(270, '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "b">]><OME>&a;</OME>'),
        with_text(270, "x" * (4 << 20)),
    ],
    ids=[
        "a long name",
        "many keys",
        "no numbers",
        "half a character",
        "Zeiss' long name",
        "Zeiss' many keys",
        "Zeiss' 1e308",
        "XML",
        "long",
    ],
)
def test_a_frame_is_scored_whatever_its_metadata_say(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    (frame,) = decode(str(tmp_path / "a.tif"), "a.tif")
    told = [getattr(frame.acquisition, field.name) for field in fields(Acquisition) if field.name != "extra"]
    assert all(len(value) <= NAME_LENGTH for value in told if isinstance(value, str))
    assert all(math.isfinite(value) for value in told if isinstance(value, float))
    assert sum(len(key) + len(text) for key, text in frame.acquisition.extra.items()) <= MOST_TEXT
