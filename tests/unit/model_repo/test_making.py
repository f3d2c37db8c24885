"""From images to a served model and its report: train, export, evaluate, and what each refuses."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from edge_agent.core.errors import EdgeAgentError
from edge_agent.inference import canary_differences, canary_fields, load_manifest, open_session, verify

pytestmark = pytest.mark.usefixtures("torch_installed")


def with_training(recipe, **changes):
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=changes)})


@pytest.fixture
def trained(source, tiny_recipe, tmp_path):
    from model_repo.train import train

    results = train(tiny_recipe, source, tmp_path / "checkpoints", tell=lambda _: None)
    assert [result.seed for result in results] == [1, 2]
    return tmp_path / "checkpoints"


def weights(folder, seed=1):
    import torch

    return torch.load(folder / f"member-{seed}.pt", weights_only=True)["model"]


def test_a_recipe_becomes_a_served_model_and_a_report_that_tells_its_limits(trained, source, tiny_recipe, tmp_path):
    from model_repo.evaluation import draw_all, evaluate, write_report
    from model_repo.export import export

    served = tmp_path / "served"
    export(tiny_recipe, source, trained, served)
    manifest = load_manifest(served)
    verify(served, manifest)
    answer = open_session(served).run(["probabilities"], {"fields": canary_fields(16)})[0]
    assert canary_differences(manifest.canary, answer).max() < 1e-5
    thresholds = [point.entropy_threshold for point in manifest.referral]
    assert thresholds == sorted(thresholds)

    evaluation, answers = evaluate(tiny_recipe, source, served, replicates=5)
    pictures = draw_all(evaluation, answers, tmp_path / "report")
    page = write_report(evaluation, tmp_path / "report", "the command", pictures).read_text()
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"figures.json", *(name for name, _ in pictures)}
    assert {"risk.png", "reliability.png", "roc-entropy.png", "entropy.png", "kinds.png", "map-known.png", "map-strange.png"} <= {
        name for name, _ in pictures
    }
    assert "| simulated | filament mild (0.5) |" in page
    assert "| real | unseen strange |" in page
    assert "## Where this fails" in page
    kinds = {row["kind"] for row in json.loads((tmp_path / "report" / "figures.json").read_text())["detections"]}
    assert {"unrelated noise", "unrelated gradients", "unrelated photographs"} <= kinds


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(trained, source, tiny_recipe, tmp_path):
    from model_repo.train import train

    def interrupt(line):
        if "step 2/" in line:
            raise KeyboardInterrupt

    arguments = (tiny_recipe, source, tmp_path / "again")
    with pytest.raises(KeyboardInterrupt):
        train(*arguments, seeds=[1], tell=interrupt)
    lines = []
    train(*arguments, seeds=[1], tell=lines.append)
    assert [line.split(" loss")[0] for line in lines] == ["member 1 step 3/3"]
    undisturbed, resumed = weights(trained), weights(tmp_path / "again")
    assert all(np.allclose(undisturbed[key], resumed[key], atol=1e-6) for key in undisturbed)


def test_a_loss_that_is_no_number_stops_training_with_its_step(source, tiny_recipe, tmp_path):
    from model_repo.train import train

    recipe = with_training(tiny_recipe, learning_rate=1e30)
    with pytest.raises(EdgeAgentError, match=r"member 1: loss became nan at step \d; lower learning_rate"):
        train(recipe, source, tmp_path / "c", tell=lambda _: None)


def test_a_checkpoint_of_another_recipe_is_not_overwritten(trained, source, tiny_recipe):
    from model_repo.train import train

    with pytest.raises(EdgeAgentError, match="was made by another recipe or split"):
        train(with_training(tiny_recipe, steps=4), source, trained, tell=lambda _: None)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "member-2.pt").unlink(), "is not there"),
        (lambda folder: (folder / "member-2.pt").write_bytes(b"PK rubbish"), "is damaged"),
        (lambda folder: (folder / "member-2.pt").write_bytes((folder / "member-2.pt").read_bytes()[:5000]), "is damaged"),
    ],
    ids=["missing", "rubbish", "truncated"],
)
def test_a_spoiled_checkpoint_is_named(trained, source, tiny_recipe, tmp_path, spoil, reason):
    from model_repo.export import export

    spoil(trained)
    with pytest.raises(EdgeAgentError, match=rf"member-2\.pt: {reason}"):
        export(tiny_recipe, source, trained, tmp_path / "served")


def test_a_checkpoint_of_another_architecture_is_refused(trained, source, tiny_recipe, tmp_path):
    from model_repo.export import export

    wider = tiny_recipe.model_copy(update={"network": tiny_recipe.network.model_copy(update={"width": 2})})
    with pytest.raises(EdgeAgentError, match="holds another architecture"):
        export(wider, source, trained, tmp_path / "served")


def test_an_image_that_cannot_be_read_is_named_before_training_begins(lots_folder, tiny_recipe, tmp_path):
    from model_repo.data.opening import open_source
    from model_repo.train import train

    spoiled = shutil.copytree(lots_folder, tmp_path / "lots")
    (spoiled / "hills" / "train1.png").write_bytes(b"")
    with pytest.raises(EdgeAgentError, match=r"hills/train1\.png: cannot be read"):
        train(tiny_recipe, open_source(tiny_recipe, spoiled), tmp_path / "c", tell=lambda _: None)


def test_the_distance_of_the_lots_own_crops_is_about_the_number_of_channels():
    from model_repo.uncertainty.mahalanobis import fit_mahalanobis

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    features = rng.normal(size=(4000, 5)) @ rng.normal(size=(5, 5)) + labels[:, None] * 3
    whitening, centres = fit_mahalanobis(features, labels, 2, 1e-9)
    apart = features @ whitening.double().numpy() - centres.double().numpy()[labels]
    assert (apart**2).sum(axis=1).mean() == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize("size", [(512, 512), (48, 48), (30, 200)])
def test_frames_of_any_size_become_labelled_fields(tiny_recipe, size):
    from model_repo.data import Micrograph, SplitEntry
    from model_repo.data.fields import labelled_fields

    image = Micrograph(SplitEntry(path="p", lot="b", sample="s", group="g", side="test"), np.full(size, 51, np.uint8))
    fields, labels = labelled_fields([image], ("a", "b"), tiny_recipe.preprocessing)
    assert fields.shape == (len(labels), 1, 16, 16)
    assert set(labels) == {1}
    np.testing.assert_allclose(fields, 0.2, atol=1e-6)
