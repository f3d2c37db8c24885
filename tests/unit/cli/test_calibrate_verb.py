"""`edge-agent calibrate` as an operator walks through it, with a real model and real files."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from edge_agent.agent.compose import find_served_model, make_judge
from edge_agent.calibrating import Material, from_folder, strangers
from edge_agent.cli import app, calibrate
from edge_agent.config import load_settings
from edge_agent.core.errors import EdgeAgentError
from edge_agent.drift import COMPONENTS, load_calibration
from edge_agent.inference import load_manifest
from edge_agent.simulate import known_changes
from tests.an_agent import frame, write_frame
from tests.hostile_files import tiff
from tests.past_of import FRAMES, SAMPLES, STRANGE, at, work_off, write_past

LOT = "superalloy"
"""What the tiny model takes every quiet frame for."""


def edge_agent(*arguments: str | Path, answers: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=answers)
    if isinstance(result.exception, EdgeAgentError):
        return result.exception.exit_code, str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def write_lot(folder: Path, lot: str, samples: int, *, noisy: frozenset[int] = frozenset(), first: int = 0) -> None:
    """`samples` samples of six frames in folder/lot/S*, of which those in `noisy` have eight times the noise."""
    for sample in range(samples):
        for number in range(6):
            path = folder / lot / f"S{sample}" / f"f{number}.tif"
            write_frame(path, frame(first + 1000 * sample + number, noise=48.0 if sample in noisy else 6.0))
            at(path, 10 * sample + number)


@pytest.fixture
def home(tmp_path: Path, models: Path) -> Path:
    """A configured laboratory without a journal."""
    (tmp_path / "images").mkdir()
    (tmp_path / "edge-agent.toml").write_text(
        f"[agent]\nname = 'lab'\nstate_dir = 'state'\nmodel_dirs = ['{models.as_posix()}']\nthreads = 1\n"
        "[[stream]]\nname = 'sem'\npath = 'images'\nmodel.name = 'tiny'\n"
    )
    return tmp_path


def verb(home: Path, *arguments: str | Path, answers: str | None = None) -> tuple[int, str]:
    return edge_agent("calibrate", "--config", home / "edge-agent.toml", *arguments, answers=answers)


def written(home: Path) -> list[Path]:
    """Calibrations in the order in which they were written: the later ones of a day have longer names."""
    return sorted((home / "state" / "calibrations").glob("*"), key=lambda path: len(path.name)) if (home / "state").exists() else []


def test_a_folder_becomes_a_calibration_that_the_configuration_and_replay_take(home: Path, models: Path) -> None:
    write_lot(home / "normal", LOT, 7)
    code, said = verb(home, "--from", home / "normal", "--yes")
    assert code == 0, said
    assert f"{LOT:20} {7:7d} {42:6d}  9 more samples are recommended" in said
    assert "2 lots (ebc, powder): no sample; frames that are taken for them will be scored, but not judged" in said
    assert "Limits are set for nominally 1 a month" in said
    (path,) = written(home)
    assert path.name.startswith("sem-2")
    calibration, manifest = load_calibration(path), load_manifest(models / "tiny")
    assert (calibration.model_digest, calibration.members) == (manifest.onnx.sha256, manifest.members)
    assert list(calibration.lots) == [LOT]
    assert calibration.lots[LOT].samples == 7
    signatures = {signature.change: dict(zip(COMPONENTS, signature.shift, strict=True)) for signature in calibration.lots[LOT].signatures}
    assert len(calibration.lots[LOT].signatures) == len(list(known_changes()))
    assert signatures["filament change"]["log_noise"] > 0.3
    assert signatures["fall in brightness"]["mean"] < -0.1

    line = f'model.calibration = "{path.as_posix()}"'
    assert line in said
    config = home / "edge-agent.toml"
    config.write_text(config.read_text() + line + "\n")
    write_lot(home / "images", LOT, 2, first=77)
    code, said = edge_agent("replay", home / "images", "--config", config, "--json")
    assert code == 0, said
    assert json.loads(said)["calibration"] == calibration.source
    assert "7 samples of stream sem of lab" in calibration.source


def test_one_sample_makes_no_calibration_to_use(home: Path) -> None:
    write_lot(home / "normal", LOT, 1)
    code, said = verb(home, "--from", home / "normal", "--yes", "--no-changes")
    if code == 0:
        assert "is written for a look, not for use: one sample a lot shows nothing of how samples differ" in said
    assert "model.calibration =" not in said


def test_many_lots_without_a_sample_are_one_line() -> None:
    (line,) = strangers(Material(Path(), "nothing"), [f"lot-{number:02d}" for number in range(30)])
    assert line.startswith("30 lots (lot-00, lot-01, lot-02, lot-03, lot-04 and 25 more): no sample; frames that are taken for them")


def as_taken(path: Path, kilovolts: int, detector: str = "ETD") -> None:
    """Give the frame at `path` the metadata of a Helios."""
    text = f"[Beam]\r\nBeam=EBeam\r\n[EBeam]\r\nHV={kilovolts}000\r\n[Detectors]\r\nName={detector}\r\n"
    with Image.open(path) as image:
        pixels = np.asarray(image)
    path.write_bytes(tiff(pixels, metadata=None, extratags=[(34682, 7, None, text.encode() + b"\0", True)]))


def test_a_calibration_knows_the_settings_it_was_made_at_and_frames_at_others_are_not_judged(home: Path) -> None:
    write_lot(home / "normal", LOT, 13)
    for sample in range(13):
        for path in (home / "normal" / LOT / f"S{sample}").iterdir():
            as_taken(path, 5 if sample < 7 else 20)
    code, said = verb(home, "--from", home / "normal", "--yes")
    assert code == 0, said
    assert f"settings ETD, 5 kV: samples of {LOT} 7\nsettings ETD, 20 kV: samples of {LOT} 6\n" in said
    (path,) = written(home)
    calibration = load_calibration(path)
    assert (calibration.stratum, list(calibration.strata)) == ("ETD, 5 kV", ["ETD, 20 kV"])
    for lots in (calibration.lots, *calibration.strata.values()):
        assert len(lots[LOT].signatures) == len(list(known_changes())), "changes are named at every settings"
    config = home / "edge-agent.toml"
    config.write_text(config.read_text() + f'model.calibration = "{path.as_posix()}"\n')
    code, said = edge_agent("config", "validate", "--config", config)
    assert "frames are judged at the settings ETD, 5 kV; ETD, 20 kV" in said
    settings = load_settings(config)
    judge = make_judge(settings.stream[0], find_served_model(settings, settings.stream[0]), None)
    for number, (kilovolts, detector, reason) in enumerate(
        [
            (5, "ETD", ""),
            (20, "ETD", ""),
            (30, "ETD", "the instrument says ETD, 30 kV; the calibration holds for ETD, 5 kV; ETD, 20 kV"),
            (5, "TLD", "the instrument says TLD, 5 kV; the calibration holds for ETD, 5 kV; ETD, 20 kV"),
        ]
    ):
        folder = home / f"one {number}"
        as_taken(write_frame(folder / LOT / "S" / "f.tif", frame(7)), kilovolts, detector)
        ((held,),) = from_folder(settings, settings.stream[0], folder, lambda: None).samples.values()
        assert judge.update(held.observation).not_judged == reason


def test_a_calibration_in_use_is_never_replaced(home: Path) -> None:
    write_lot(home / "normal", LOT, 2)
    for _ in range(2):
        assert verb(home, "--from", home / "normal", "--yes", "--no-changes")[0] == 0
    first, second = written(home)
    assert {path.name.count("-") for path in (first, second)} == {3, 4}
    assert load_calibration(first) == load_calibration(second)


def test_too_few_samples_are_said_to_be_and_give_no_guarantee(home: Path) -> None:
    write_lot(home / "normal", LOT, 4)
    code, said = verb(home, "--from", home / "normal", "--yes", "--no-changes")
    assert code == 0
    assert "no guarantee: image 2 more samples for one, 12 more as recommended" in said
    assert f"fewer than 6 independent calibration samples ({LOT} 4)" in said


def test_samples_that_look_wrong_are_named_and_left_out_on_request(home: Path) -> None:
    write_lot(home / "normal", LOT, 8, noisy=frozenset({5}))
    write_lot(home / "normal", "ebc", 1, first=5000)
    code, said = verb(home, "--from", home / "normal", "--yes", "--no-changes")
    assert code == 0
    wrong = [line for line in said.splitlines() if line.startswith("looks wrong: ")]
    assert wrong[0] == f"looks wrong: sample ebc/S0 of lot ebc: the model takes 6 of its 6 frames for {LOT}"
    assert len(wrong) == 2
    assert wrong[1].startswith(f"looks wrong: sample {LOT}/S5 of lot {LOT}: its ")
    assert f"it is kept; --exclude {LOT}/S5 leaves it out" in said
    code, said = verb(home, "--from", home / "normal", "--yes", "--no-changes", "--exclude", f"{LOT}/S5", "--exclude", "ebc/S0")
    assert code == 0
    assert "looks wrong" not in said
    assert load_calibration(written(home)[1]).lots[LOT].samples == 7


def test_on_a_terminal_each_step_is_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "_on_a_terminal", lambda: True)
    write_lot(home / "normal", LOT, 8, noisy=frozenset({5}))
    code, said = verb(home, "--from", home / "normal", answers="n\n")
    assert (code, written(home)) == (1, [])
    assert "Read and score the 48 files in" in said
    code, said = verb(home, "--from", home / "normal", answers="y\ny\nn\nn\n")
    assert (code, written(home)) == (1, []), "nothing is written against the operator's word"
    assert f"Leave sample {LOT}/S5 out?" in said
    assert "Show 14 frames to the model under every known change" in said
    assert "Write this calibration to" in said
    assert verb(home, "--from", home / "normal", answers="y\ny\nn\ny\n")[0] == 0
    lot = load_calibration(written(home)[0]).lots[LOT]
    assert (lot.samples, lot.signatures) == (7, ())


def test_the_streams_lot_rule_wins_over_folders(home: Path) -> None:
    config = home / "edge-agent.toml"
    config.write_text(config.read_text() + "lot = 'name:^([a-z]+)/'\nsample = 'name:/(S[0-9]+)/'\n")
    write_lot(home / "normal" / "shift", LOT, 2)
    settings = load_settings(config, {})
    material = from_folder(settings, settings.stream[0], home / "normal", lambda: None)
    assert list(material.samples) == [("shift", "S0"), ("shift", "S1")]
    write_frame(home / "normal" / "stray.tif", frame(1))
    material = from_folder(settings, settings.stream[0], home / "normal", lambda: None)
    assert material.left_out == {"frames whose lot is not known": 1}


@pytest.fixture
def recorded(tmp_path: Path, models: Path) -> Path:
    """A laboratory whose journal holds frames of declared lots, two of its eight samples noisy."""
    work_off(write_past(tmp_path, models, stream="lot = 'name:(f)'"))
    return tmp_path


def test_the_journals_declared_samples_serve_as_well(recorded: Path) -> None:
    state = recorded / "state" / "journal.sqlite3"
    connection = sqlite3.connect(state)
    before = connection.execute("SELECT count(*), max(seq) FROM outbox").fetchone()
    noisy = [argument for sample in STRANGE for argument in ("--exclude", f"S{sample}")]
    code, said = verb(recorded, "--journal", "--yes", "--since", "2026-09-01T08:08:00", *noisy)
    assert code == 0, said
    assert connection.execute("SELECT count(*), max(seq) FROM outbox").fetchone() == before
    connection.close()
    lot = load_calibration(written(recorded)[0]).lots["f"]
    assert lot.samples == SAMPLES - 1 - len(STRANGE), "the first sample lies before the period"
    assert lot.frames == lot.samples * FRAMES
    assert len(lot.signatures) == len(list(known_changes())), "the files are still there"
    assert "lot f: the model does not know it" in said

    shutil.rmtree(recorded / "images")
    code, said = verb(recorded, "--journal", "--yes")
    assert code == 0, said
    assert "lots f: none of their frames can be read again in" in said
    assert load_calibration(written(recorded)[1]).lots["f"].signatures == ()


def test_frames_of_undeclared_lots_are_no_use(tmp_path: Path, models: Path) -> None:
    work_off(write_past(tmp_path, models))
    code, said = verb(tmp_path, "--journal", "--yes")
    assert code == 1
    assert f"holds no frame to calibrate with ({SAMPLES * FRAMES} frames whose lot is not known); declare lots" in said
    assert verb(tmp_path, "--journal", "--yes", "--since", "2027-01-01")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give --from DIR or --journal"),
        (("--from", "normal", "--journal"), 2, "give --from DIR or --journal"),
        (("--from", "normal", "--stream", "tem"), 78, "there is no such stream in the configuration; known: sem"),
        (("--from", "none"), 78, "there is no such folder"),
        (("--from", "images"), 78, "holds no frame file of stream sem"),
        (("--from", "normal", "--exclude", "S77"), 78, "--exclude S77: there is no such sample; known: superalloy/S0"),
        (("--from", "normal", "--exclude", f"{LOT}/S0"), 1, "holds no frame to calibrate with"),
        (("--from", "flat"), 1, "(1 frames that belong to no sample); put frames into DIR/<lot>/<sample>/"),
        (("--journal",), 1, "there is no journal"),
    ],
)
def test_what_cannot_be_done_is_told(home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str) -> None:
    monkeypatch.chdir(home)
    write_lot(home / "normal", LOT, 1)
    write_frame(home / "flat" / "ebc" / "one.tif", frame(1))
    found, told = verb(home, "--yes", "--no-changes", *arguments)
    assert (found, said in " ".join(told.split())) == (code, True), told
    assert written(home) == []


def test_its_help_says_what_must_not_be_used() -> None:
    said = " ".join(edge_agent("calibrate", "--help")[1].split())
    assert "none that the network was trained on" in said
    assert "Example: edge-agent calibrate --stream sem" in said
