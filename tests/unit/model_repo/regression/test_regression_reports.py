"""From the table of compounds to the report, an interruption on the way, and the committed reports against their figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import model_repo
from edge_agent.core.errors import EdgeAgentError

REPORTS = Path(model_repo.__file__).parent / "reports"


@pytest.fixture(scope="module")
def report(table, tmp_path_factory):
    from model_repo.regression.elemnet import Schedule
    from model_repo.regression.run import run_composition

    folder = tmp_path_factory.mktemp("composition")
    schedule = Schedule(epochs=12, batch=32)
    said = []
    page = run_composition(table, folder / "out", folder / "work", seeds=(1, 2), schedule=schedule, tell=said.append)
    return page, folder, schedule, said


def test_a_table_becomes_a_report_with_every_method(report):
    page, folder, _, said = report
    figures = json.loads((folder / "out" / "figures.json").read_text())
    names = [row["name"] for row in figures["methods"]]
    assert len(names) == len(set(names)) == 12
    assert {"LLPR", "GP head", "ensemble of 2, variance heads", "single network, constant variance"} <= set(names)
    assert all(f"| DFT | {name} |" in page.read_text() for name in names)
    assert figures["counts"]["test"]["systems"] <= figures["counts"]["test"]["compounds"]
    best = min(row["figures"]["mae"]["value"] for row in figures["methods"])
    assert best < 0.6 * figures["mean_absolute_deviation"]
    assert {path.name for path in (folder / "out").iterdir()} == {"figures.json", "parity.png", "calibration.png", "error.png"}
    assert any("member 2" in line for line in said)
    assert str(folder) not in page.read_text()


def test_trained_members_are_taken_up_again_and_a_damaged_or_foreign_one_is_refused(report, table):
    import torch

    from model_repo.regression.composition import FILE_NAME, read_compounds, split_by_system
    from model_repo.regression.elemnet import Schedule
    from model_repo.regression.members import train_members

    _, folder, schedule, _ = report
    split = split_by_system(read_compounds(table / FILE_NAME))
    side = {name: (torch.from_numpy(split.inputs(name)), torch.from_numpy(split.sides[name].enthalpy_ev).float()) for name in split.sides}
    said = []
    again = train_members(side["train"], side["validation"], (1, 2), schedule, folder / "work", said.append)
    assert said == []
    assert [member.seed for member in again] == [1, 2]
    with pytest.raises(EdgeAgentError, match="another schedule"):
        train_members(side["train"], side["validation"], (1,), Schedule(epochs=1), folder / "work")
    path = folder / "work" / "elemnet-2.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(EdgeAgentError, match=r"elemnet-2\.pt: is damaged"):
        train_members(side["train"], side["validation"], (2,), schedule, folder / "work")


def test_a_training_that_diverges_is_told(tmp_path):
    import torch

    from model_repo.regression.elemnet import Schedule, train_member

    inputs, targets = torch.rand(64, 3), torch.full((64,), torch.nan)
    with pytest.raises(EdgeAgentError, match="loss became nan in epoch 1"):
        train_member(inputs, targets, (inputs, targets), 1, Schedule(epochs=1))


def test_the_sinusoid_becomes_a_report(tmp_path):
    from model_repo.regression.run import run_sinusoid

    page = run_sinusoid(tmp_path / "out", seeds=(1,), inducing=(5, 10), steps=20, tell=lambda _: None)
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [(fit["model"], fit["inducing"]) for fit in figures["fits"]] == [
        (model, count) for model in ("network + GP", "GP alone") for count in (5, 10)
    ]
    assert f"{figures['fits'][0]['rmse']:.3f}" in page.read_text()
    assert (tmp_path / "out" / "sinusoid.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["composition", "sinusoid"])
def test_a_committed_report_says_what_its_figures_say(name):
    """The page is a function of figures.json: regenerated, it is the same text, so no number in it was written by hand."""
    from model_repo import pages
    from model_repo.regression import composition_page, sinusoid_page

    figures = json.loads((REPORTS / name / "figures.json").read_text())
    lines = {"composition": composition_page.lines, "sinusoid": sinusoid_page.lines}[name]
    page = (REPORTS / f"{name}.md").read_text(encoding="utf-8")
    assert pages.page(lines(figures, name)) == page
    for line in page.splitlines():
        if line.startswith("!["):
            assert (REPORTS / line.partition("](")[2].rstrip(")")).is_file()


def test_the_verbs_are_there_and_refuse_what_is_not(tmp_path):
    from model_repo.cli.regression import regression_app

    runner = CliRunner()
    for verb in ("composition", "sinusoid"):
        assert "--out" in runner.invoke(regression_app, [verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    absent = runner.invoke(regression_app, ["composition", "--data", str(tmp_path / "no"), "--out", str(tmp_path)])
    assert absent.exit_code == 2
    empty = runner.invoke(regression_app, ["composition", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert isinstance(empty.exception, EdgeAgentError)
    assert not (tmp_path / "out").exists()
