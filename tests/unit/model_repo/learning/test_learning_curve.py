"""From a recipe to a learning curve's page, over a virtual microscope of two lots."""

from __future__ import annotations

import json

import pytest

from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from model_repo.data.opening import open_source
from tests.unit.model_repo.data.test_sources import virtual_recipe

pytestmark = pytest.mark.usefixtures("torch_installed")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    from model_repo.learning import learning_curve
    from model_repo.train import train

    folder = tmp_path_factory.mktemp("curve")
    recipe = virtual_recipe(train_samples=4)
    train(recipe, open_source(recipe, folder / "fields"), folder / "checkpoints", tell=lambda _: None)
    measured = learning_curve(
        recipe, folder / "fields", folder / "checkpoints", folder / "work", fractions=(0.25, 0.5, 1.0), tell=lambda _: None
    )
    return folder, recipe, measured


def test_each_point_has_its_own_number_of_samples_and_the_same_test_fields(made):
    _, _, measured = made
    assert [run.samples for run in measured.runs] == [1, 2, 4]
    assert [run.networks for run in measured.runs] == [2, 2, 2]
    assert len(measured.accuracy.observed) == len(measured.confidence.observed) == 3
    assert measured.fields == 8
    assert all(0.5 <= point.value <= 1 for point in measured.confidence.observed)  # of two lots, the larger probability


def test_the_page_repeats_the_figures_file(made, tmp_path):
    from model_repo.learning import write_learning_report

    _, _, measured = made
    page = write_learning_report(measured, tmp_path / "curve", "the command").read_text()
    kept = json.loads((tmp_path / "curve" / "learning-curve.json").read_text())
    for point in kept["accuracy"]["observed"]:
        assert f"{point['value']:.3f} [{point['low']:.3f}, {point['high']:.3f}]" in page
    assert "## Where this fails" in page


def test_finished_points_are_not_trained_again(made, monkeypatch):
    from model_repo import train as training
    from model_repo.learning import learning_curve

    folder, recipe, measured = made
    monkeypatch.setattr(training.METHODS[recipe.method.kind].__class__, "loss", lambda *_: pytest.fail("trained again"))
    again = learning_curve(
        recipe, folder / "fields", folder / "checkpoints", folder / "work", fractions=(0.25, 0.5, 1.0), tell=lambda _: None
    )
    assert [point.value for point in again.accuracy.observed] == [point.value for point in measured.accuracy.observed]


def test_more_networks_than_seeds_are_refused(made):
    from model_repo.learning import learning_curve

    folder, recipe, _ = made
    with pytest.raises(ConfigurationError, match="has 2 seeds"):
        learning_curve(recipe, None, folder, folder, networks=3)


def test_members_of_different_data_are_stale(made, tmp_path):
    import shutil

    from model_repo.export import export

    folder, recipe, _ = made
    mixed = shutil.copytree(folder / "checkpoints", tmp_path / "mixed")
    shutil.copyfile(folder / "work" / "0.5" / "member-2.pt", mixed / "member-2.pt")
    with pytest.raises(EdgeAgentError, match=r"member-2\.pt: is stale"):
        export(recipe, open_source(recipe, folder / "fields"), mixed, tmp_path / "served")
    assert not (tmp_path / "served").exists()
