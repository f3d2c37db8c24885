"""The verbs as they are typed: wrong use ends with 2, whatever else cannot be done with one line that says so."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_agent.agent import Overview
from edge_agent.cli import app, inspect, status
from edge_agent.config import load_settings
from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.inspection import model_for
from edge_agent.journal import JournalStatus
from tests.an_agent import frame, write_frame
from tests.served_model import edit_manifest, exchange_members, write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path


def edge_agent(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was said; anything but an expected error is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, EdgeAgentError):
        return result.exception.exit_code, str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    path = tmp_path / "edge-agent.toml"
    path.write_text(
        '[agent]\nstate_dir = "state"\nmodel_dirs = ["models"]\n[[stream]]\nname = "sem"\npath = "images"\nmodel.name = "sem-real"\n'
    )
    return path


@pytest.mark.parametrize("verb", ["simulate", "demo", "init", "run", "doctor", "status", "inspect"])
def test_every_verb_shows_an_example(verb: str) -> None:
    code, said = edge_agent(verb, "--help")
    assert code == 0
    assert f"Example: edge-agent {verb}" in said


@pytest.mark.parametrize("verb", ["baseline show", "baseline ack", "baseline rebase", "hold", "alarm list", "alarm wrong"])
def test_every_verb_of_an_operator_shows_an_example(verb: str) -> None:
    code, said = edge_agent(*verb.split(), "--help")
    assert code == 0
    assert f"Example: edge-agent {verb}" in said


@pytest.mark.parametrize("verb", ["baseline ack", "baseline rebase", "hold", "alarm wrong e"])
def test_an_order_without_a_name_or_a_reason_is_none(config: Path, verb: str) -> None:
    assert edge_agent(*verb.split(), "--why", "because", "--config", config)[0] == 2
    assert edge_agent(*verb.split(), "--who", "A. Curie", "--config", config)[0] == 2
    code, said = edge_agent(*verb.split(), "--who", " ", "--why", "because", "--config", config)
    assert (code, said.startswith("--who: ")) == (78, True)
    assert not (config.parent / "state").exists()


def test_the_two_examples_of_simulate_stand_apart() -> None:
    said = CliRunner().invoke(app, ["simulate", "--help"]).output
    between = said[said.index("Example:") : said.index("Thirty lots")]
    assert "" in [line.strip() for line in between.splitlines()[1:-1]]


def test_a_filament_that_ages_to_nothing_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    code, said = edge_agent("simulate", tmp_path / "frames", "--source", "virtual", "--samples", "9", "--ageing", "0.9")
    assert code == 78
    assert "--ageing 0.9" in said
    assert list(tmp_path.iterdir()) == []


def test_an_instrument_is_simulated_with_the_truth_beside_it(tmp_path: Path) -> None:
    code, said = edge_agent("simulate", tmp_path / "frames", "--samples", "2", "--frames", "2", "--filament", "1:1", "--rate", "0")
    assert code == 0
    assert "4 frames in" in said
    truth = [json.loads(line) for line in (tmp_path / "frames.truth.jsonl").read_text().splitlines()]
    assert [one["path"] for one in truth] == sorted(path.relative_to(tmp_path / "frames").as_posix() for path in tmp_path.rglob("*.tif"))
    assert [one["strength"] for one in truth] == [0, 0, 1, 1]


def test_the_virtual_microscope_is_simulated_with_the_same_flags(tmp_path: Path) -> None:
    flags = ("--samples", "3", "--frames", "2", "--lots", "5", "--filament", "1:2", "--unseen", "2", "--ageing", "0.01")
    code, said = edge_agent("simulate", tmp_path / "frames", "--source", "virtual", *flags)
    assert code == 0
    assert "6 frames in" in said
    truth = [json.loads(line) for line in (tmp_path / "frames.truth.jsonl").read_text().splitlines()]
    assert [one["shift"] for one in truth] == [None, None, "filament", "filament", "unseen", "unseen"]
    assert truth[0]["lot"] in {f"lot-{k:02d}" for k in range(5)}
    assert truth[5]["lot"].startswith("unseen-")


def test_the_virtual_microscope_takes_no_images(tmp_path: Path) -> None:
    code, said = edge_agent("simulate", tmp_path / "frames", "--source", "virtual", "--images", tmp_path)
    assert code == 78
    assert "--images" in said
    assert not (tmp_path / "frames").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "frames", "--filament", "abc"),
        ("simulate", "frames", "--samples", "0"),
        ("demo", "--rate", "-1"),
        ("status", "--frames", "-1"),
        ("init", ".", "--output", "x.toml", "--name", "no blanks please"),
        ("init", ".", "--output", "x.toml", "--model", ""),
    ],
)
def test_an_argument_that_means_nothing_is_wrong_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    assert edge_agent(*arguments)[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    image = write_frame(tmp_path / "one.tif", frame(1))
    for arguments in (
        ("demo", "--out", tmp_path / "file" / "demo"),
        ("simulate", tmp_path / "file" / "frames"),
        ("init", tmp_path, "--output", tmp_path / "none" / "edge-agent.toml"),
        ("inspect", image, "--map", tmp_path / "none" / "map.png"),
    ):
        code, said = edge_agent(*arguments)
        assert code in {1, 78}, arguments
        assert str(arguments[-1]) in said
        assert "written" in said
        assert "\n" not in said


def test_init_says_so_of_a_model_that_is_not_there_yet(tmp_path: Path) -> None:
    code, said = edge_agent("init", tmp_path, "--output", tmp_path / "edge-agent.toml", "--model", "sem-rael")
    assert code == 0
    assert "model sem-rael: not found" in said
    assert "did you mean sem-real?" in said
    assert "model_dirs" in said


def test_a_dry_run_of_once_reads_what_once_would(config: Path) -> None:
    write_frame(config.parent / "images" / "one.tif", frame(1))
    assert "1 files are there and would be left alone" in edge_agent("run", "--dry-run", "--config", config)[1]
    assert "1 would be read: one.tif" in edge_agent("run", "--once", "--dry-run", "--config", config)[1]


@pytest.mark.parametrize(
    ("threshold", "answer"),
    [
        (0.0, "yes (at coverage 0.9, entropy above 0 nats)"),
        (9.0, "no (at coverage 0.9, entropy above 9 nats)"),
        (None, "no (at coverage 0.9, for which the model has no threshold)"),
    ],
)
def test_inspect_refers_as_the_model_says_and_finds_models_where_a_configuration_does(
    config: Path, models: Path, threshold: float | None, answer: str
) -> None:
    shutil.copytree(models, config.parent / "models")
    points = [] if threshold is None else [{"coverage": 0.9, "entropy_threshold": threshold}]
    edit_manifest(config.parent / "models" / "tiny", referral=points)
    image = write_frame(config.parent / "one.tif", frame(1))
    assert edge_agent("inspect", image, "--model", "tiny")[0] == 78
    code, said = edge_agent("inspect", image, "--model", "tiny", "--config", config)
    assert code == 0, said
    assert f"a person should decide: {answer}" in said


def test_inspect_asks_the_model_of_the_stream_that_holds_the_file(tmp_path: Path) -> None:
    for name in ("sem", "xrd"):
        (tmp_path / name / "deeper").mkdir(parents=True)
    config = tmp_path / "edge-agent.toml"
    streams = "".join(
        f'[[stream]]\nname = "{name}"\npath = "{(tmp_path / name).as_posix()}"\nmodel.name = "{model}"\n'
        for name, model in (("sem", "sem-real"), ("xrd", "sem-virtual"))
    )
    config.write_text(streams, encoding="utf-8")
    settings = load_settings(config, {})
    assert model_for(tmp_path / "sem" / "a.tif", settings) == "sem-real"
    assert model_for(tmp_path / "xrd" / "deeper" / "a.tif", settings) == "sem-virtual"
    assert model_for(tmp_path / "a.tif", None) == "sem-real"
    with pytest.raises(ConfigurationError, match="lies in no stream's folder"):
        model_for(tmp_path / "a.tif", settings)
    config.write_text(streams.split('[[stream]]\nname = "xrd')[0].replace("sem-real", "sem-virtual"), encoding="utf-8")
    assert model_for(tmp_path / "a.tif", load_settings(config, {})) == "sem-virtual"


def test_inspect_names_the_members_it_leaves_out(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny", members=3)
    exchange_members(folder, 1)
    image = write_frame(tmp_path / "one.tif", frame(1))
    code, said = edge_agent("inspect", image, "--model", folder)
    assert code == 0, said
    assert "2 of 3 members of tiny" in said
    assert "LEFT OUT: member 2 (seed 12) (no longer gives the canary's known answer)" in said
    assert "a person should decide: yes" in said
    told = json.loads(edge_agent("inspect", image, "--model", folder, "--json")[1])
    assert (told["score"]["members_stale"], told["members_expected"], told["local_maps"]) == (["member 2 (seed 12)"], 3, None)


def test_inspect_knows_no_disagreement_of_a_single_member(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny", members=1)
    image = write_frame(tmp_path / "one.tif", frame(1))
    told = json.loads(edge_agent("inspect", image, "--model", folder, "--json")[1])
    assert told["score"]["mutual_information"] is None
    assert (told["referral_coverage"], told["referral_threshold"]) == (0.9, 0.5)
    assert "mutual information unknown (one member)" in edge_agent("inspect", image, "--model", folder)[1]


def test_a_local_map_without_a_finite_value_has_no_range(capsys: pytest.CaptureFixture[str]) -> None:
    prediction = SimpleNamespace(lots=("a", "b"), local_maps=np.full((1, 4, 4), np.nan, np.float32), grid=(1, 1))
    inspect._show_maps(prediction, SimpleNamespace(field_entropy=((0.1,),)))
    said = capsys.readouterr().out
    assert "local map: the model gives no finite value for this frame" in said
    assert said.count("blank 0") == 1, "the entropy's"


def test_inspect_shows_where_a_frame_is_unlike_the_training_set(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny", with_map=True)
    pixels = np.full((256, 512), 40, np.uint8)
    pixels[:128, 384:] = 200  # the tiny model's map is the field's brightness
    image = write_frame(tmp_path / "one.tif", pixels)
    result = CliRunner().invoke(app, ["inspect", str(image), "--model", str(folder)])
    assert result.exit_code == 0, result.output
    _, _, local = result.output.partition("local map, denser is less like the training set")
    assert local.splitlines()[0].startswith(" ('?' is not known, blank 0.157, '=' 0.436, '@' 0.784")
    assert local.splitlines()[1:] == [f"    |{' ' * 24}{'@' * 8}|"] * 4 + [f"    |{' ' * 32}|"] * 4
    assert (
        "entropy by field, denser is less sure ('?' is not known, blank 0, '=' 0.488, '@' 1.1 nats: an even guess among 3 lots)"
        in result.output
    )
    told = json.loads(edge_agent("inspect", image, "--model", folder, "--json")[1])
    assert np.shape(told["local_maps"]) == (2, 8, 8)


def test_names_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "S[/]/[red]a.tif"
    shown = {
        "path": name,
        "frame_index": 0,
        "sample": "S[/]",
        "lot": "ebc",
        "confidence": 1,
        "entropy": 0,
        "distance": 1,
        "members_answering": 1,
        "members_expected": 2,
        "referred": False,
    }
    alert = {
        "episode": "e",
        "kind": "unseen_lot",
        "confidence": 0.87,
        "stream": "sem",
        "onset_path": name,
        "onset_sample": "S[/]",
        "onset_time": "2026-01-02T03:04:05.678Z",
        "reason": "it is [/] strange",
        "action": "look at [bold]it",
    }
    journal = JournalStatus("j", (), (alert,), 0, None, 1)
    status._show(Overview(None, None, journal, 0, (), (), (shown,), ()), tmp_path)
    said = capsys.readouterr().out
    assert said.count(name) == 2
    assert "unseen_lot (87% sure)" in said
    assert "of sample S[/], 2026-01-02 03:04 UTC: it is [/] strange" in said
    assert "look at [bold]it" in said
