"""`edge-agent replay` as it is typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.core.errors import EdgeAgentError
from tests.past_of import FRAMES, SAMPLES, STRANGE, work_off, write_calibration, write_past

if TYPE_CHECKING:
    from pathlib import Path


def replay(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["replay", *map(str, arguments)])
    if isinstance(result.exception, EdgeAgentError):
        return result.exception.exit_code, str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    home = tmp_path_factory.mktemp("lab")
    work_off(write_past(home, models))
    write_calibration(models, home / "wide.json", (6.0, 48.0))
    return home


def test_the_table_puts_what_would_be_beside_what_was(home: Path) -> None:
    code, said = replay("--journal", "--config", home / "edge-agent.toml")
    assert code == 0
    assert f"{SAMPLES * FRAMES} frames of stream sem (journal), taken from 2026-09-01 08:00:00 to 2026-09-01 09:03:00 UTC." in said
    assert f"{SAMPLES * FRAMES} of {SAMPLES * FRAMES} frames are judged as they were recorded." in said
    assert f"sample S{STRANGE[0]}, " in said
    assert said.rstrip().endswith(" same")
    code, said = replay("--journal", "--config", home / "edge-agent.toml", "--calibration", home / "wide.json", "--stream", "sem")
    assert code == 0
    assert said.rstrip().endswith(" no longer")


def test_programs_get_json_and_a_picture(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    since = f"2026-09-01T08:{STRANGE[0] * FRAMES}:00"
    picture = tmp_path / "replay.png"
    code, said = replay("--journal", "--json", "--since", since, "--plot", picture, "--config", home / "edge-agent.toml")
    assert code == 0
    told = json.loads(said)
    assert (told["frames"], told["frames_before"]) == ((SAMPLES - STRANGE[0]) * FRAMES, STRANGE[0] * FRAMES)
    assert told["frames_judged_as_recorded"] == told["frames"]
    alarm = told["alarms"][0]
    assert alarm["standing"] == "same"
    assert alarm["replayed"] == alarm["raised"]
    assert alarm["replayed"]["onset"]["sample"] == f"S{STRANGE[0]}"
    assert alarm["replayed"]["evidence"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_demonstration_says_alarms_as_they_come(home: Path) -> None:
    code, said = replay("--journal", "--speed", "1e6", "--config", home / "edge-agent.toml")
    assert code == 0
    assert said.startswith("opened: ")
    assert said.index("closed: ") < said.index("frames of stream sem")


def test_a_folder_has_nothing_to_be_compared_with(home: Path) -> None:
    code, said = replay(home / "images", "--config", home / "edge-agent.toml")
    assert code == 0
    assert "Left out: 1 files that cannot be read." in said
    assert "beside those that were raised" not in said
    assert not any(standing in said for standing in (" new", " same", "no longer"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give a folder or --journal"),
        (("images", "--journal"), 2, "give a folder or --journal"),
        (("--journal", "--speed", "0"), 2, "--speed"),
        (("--journal", "--speed", "nan"), 2, "--speed"),
        (("--journal", "--since", "yesterday"), 2, "--since"),
        (("--journal", "--since", "2026-09-02", "--until", "2026-09-01"), 2, "lies after --until"),
        (("--journal", "--stream", "tem"), 78, "--stream tem: there is no such stream in the configuration; known: sem"),
        (("--journal", "--since", "2027-01-01"), 1, "none of 64 frames was taken in the period"),
        (("--journal", "--false-alarms-per-month", "0"), 78, "--false-alarms-per-month 0"),
        (("--journal", "--calibration", "none.json"), 78, "none.json: cannot be read"),
        (("--journal", "--plot", "picture.odd"), 78, "--plot picture.odd: its ending names no form of picture"),
        (("no such folder",), 78, "there is no such folder"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(home: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    found, told = replay(*arguments, "--config", home / "edge-agent.toml")
    assert (found, said in " ".join(told.split())) == (code, True), told


def test_its_help_shows_an_example() -> None:
    assert "Example: edge-agent replay --journal" in replay("--help")[1]
