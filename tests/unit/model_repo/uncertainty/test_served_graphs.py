"""Every method's served graph: what its members are, and that the ONNX file answers as torch does."""

from __future__ import annotations

import numpy as np
import pytest

from model_repo.method_kind import MethodKind

pytestmark = pytest.mark.usefixtures("torch_installed")

LOTS = 3


@pytest.fixture
def fitting():
    import torch

    from model_repo.uncertainty import Fitting

    torch.manual_seed(5)
    labels = torch.arange(60) % LOTS
    fields = torch.rand(60, 1, 16, 16) * 0.3 + labels[:, None, None, None] * 0.2
    return Fitting(fields, labels, fields[:30].flip(3), labels[:30], shrinkage=0.2, seed=3)


def with_few(recipe):
    return recipe.model_copy(update={"method": recipe.method.model_copy(update={"inducing": 9, "samples": 8})})


def networks(method, recipe, fitting, count):
    """A few networks after one step each, so that their normalisations have left their start."""
    import torch

    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        network = method.network(recipe, LOTS)
        method.prepare(network.train(), lambda count: (fitting.fields[:count], fitting.labels[:count]), 0.9)
        method.loss(network, fitting.fields, fitting.labels)
        made.append(network.eval())
    return made


def served_by(kind, recipe, fitting, count=1):
    from model_repo.uncertainty import METHODS

    chosen = with_few(recipe.with_method(kind))
    method = METHODS[kind]
    return method.serve(networks(method, chosen, fitting, count), chosen, fitting)


@pytest.mark.parametrize("kind", list(MethodKind))
def test_probabilities_sum_to_one_and_the_onnx_file_answers_as_torch_does(kind, tiny_recipe, fitting, tmp_path):
    import onnxruntime
    import torch

    from model_repo.export.graph import OUTPUTS, fold_and_halve, write_graph
    from model_repo.uncertainty import METHODS

    recipe = with_few(tiny_recipe.with_method(kind))
    method = METHODS[kind]
    made = networks(method, recipe, fitting, 2 if kind is MethodKind.DEEP_ENSEMBLE else 1)
    for network in made:
        fold_and_halve(network)
    served = method.serve(made, recipe, fitting)
    write_graph(served, tmp_path / "model.onnx", 16)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    fields = torch.rand(7, 1, 16, 16)
    with torch.inference_mode():
        expected = served(fields)
    answered = session.run(list(OUTPUTS), {"fields": fields.numpy()})
    assert answered[0].shape == (7, served.members, LOTS)
    np.testing.assert_allclose(answered[0].sum(axis=2), 1, atol=1e-5)
    assert answered[1].shape == (7, served.members)
    assert (answered[1] >= 0).all()
    assert answered[2].shape == (7, 4, 4)
    for name, mine, torchs in zip(OUTPUTS, answered, expected, strict=True):
        np.testing.assert_allclose(mine, torchs.numpy(), rtol=2e-3, atol=1e-4, err_msg=name)


def test_the_fused_ensemble_equals_its_members_run_one_by_one(tiny_recipe, fitting):
    import torch

    from model_repo.uncertainty import METHODS

    method = METHODS[MethodKind.DEEP_ENSEMBLE]
    made = networks(method, tiny_recipe, fitting, 4)
    with torch.inference_mode():
        alone = torch.stack([method.probabilities(network, fitting.fields) for network in made], dim=1)
        features = [network.features(fitting.fields).double().numpy() for network in made]
        probabilities, distances, _ = method.serve(made, tiny_recipe, fitting)(fitting.fields)
    np.testing.assert_allclose(probabilities, alone, atol=1e-5)
    labels = fitting.labels.numpy()
    for k, f in enumerate(features):
        means = np.stack([f[labels == lot].mean(axis=0) for lot in range(LOTS)])
        within = f - means[labels]
        covariance = within.T @ within / (len(f) - LOTS)
        shrunk = 0.8 * covariance + 0.2 * np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
        apart = f[:, None] - means
        expected = np.einsum("nlc,cd,nld->nl", apart, np.linalg.inv(shrunk), apart).min(axis=1)
        np.testing.assert_allclose(distances[:, k], expected, rtol=1e-3, atol=1e-3)


def test_dropout_masks_are_fixed_and_differ_between_passes(tiny_recipe, fitting):
    import torch

    served = served_by(MethodKind.MC_DROPOUT, tiny_recipe, fitting)
    with torch.inference_mode():
        first, again = served(fitting.fields[:4])[0], served(fitting.fields[:4])[0]
        alone = served(fitting.fields[2:3])[0]
    assert torch.equal(first, again)
    torch.testing.assert_close(alone[0], first[2])  # a field's answer does not depend on its batch
    assert first.std(dim=1).max() > 1e-3


def test_the_mean_over_dropout_masks_is_what_dropout_in_training_gives_on_average():
    import torch

    from model_repo.uncertainty.mc_dropout import FixedMasks

    generator = torch.Generator().manual_seed(0)
    masks = FixedMasks(torch.rand((400, 3, 5, 5), generator=generator) >= 0.3, 0.3)
    x = torch.ones(400, 3, 5, 5)
    torch.testing.assert_close(masks(x).mean(), torch.tensor(1.0), atol=0.02, rtol=0)


def test_inverse_rigidity_is_the_papers_formula(tiny_recipe):
    import torch

    from model_repo.uncertainty.rigidity import InverseRigidity, fit_factor

    rng = np.random.default_rng(1)
    train, asked = rng.normal(size=(50, 6)), rng.normal(size=(4, 6)) * 3
    ridge = 0.01 * np.trace(train.T @ train) / 6
    expected = 50 * np.einsum("nc,cd,nd->n", asked, np.linalg.inv(train.T @ train + ridge * np.eye(6)), asked)
    module = InverseRigidity(fit_factor(torch.from_numpy(train), 0.01)[None])
    answered = module(torch.from_numpy(asked).float()[:, None])
    np.testing.assert_allclose(answered[:, 0], expected, rtol=1e-4)
    places = torch.from_numpy(np.tile(asked[0], (1, 1))).float().reshape(1, 6, 1, 1).expand(1, 6, 2, 3)
    np.testing.assert_allclose(module.local(places), np.full((1, 2, 3), expected[0]), rtol=1e-4)  # every place like the whole


def test_a_field_unlike_the_training_set_is_less_rigid(tiny_recipe, fitting):
    import torch

    served = served_by(MethodKind.LLPR, tiny_recipe, fitting)
    half_strange = fitting.fields[:1].clone()
    half_strange[..., 8:] = (torch.rand(16, 8) > 0.5).float() * 1.5  # saturated static on the right half
    with torch.inference_mode():
        _, usual, usual_map = served(fitting.fields[:1])
        _, strange, strange_map = served(half_strange)
    assert strange[0, 0] > usual[0, 0]
    grown = strange_map[0] / usual_map[0]
    assert grown[:, 3].mean() > grown[:, 0].mean()  # and the map says where


def test_sampled_last_layers_scatter_about_the_trained_one(tiny_recipe, fitting):
    import torch

    from model_repo.uncertainty import METHODS

    method = METHODS[MethodKind.LLPR]
    recipe = tiny_recipe.model_copy(update={"method": tiny_recipe.method.model_copy(update={"kind": MethodKind.LLPR, "samples": 400})})
    (network,) = networks(method, recipe, fitting, 1)
    trained = network.head.weight.detach()[:, :, 0, 0].clone()
    served = method.serve([network], recipe, fitting)
    sampled = served.weights.reshape(400, *trained.shape)
    spread = sampled.std(dim=0)
    assert ((sampled.mean(dim=0) - trained).abs() < 5 * spread / 400**0.5 + 1e-6).float().mean() > 0.99
    assert torch.all(spread > 0)


def test_a_head_on_a_frozen_network_leaves_the_network_as_it_was(tiny_recipe, source, tmp_path):
    import torch

    from model_repo.train import train

    recipe = with_few(tiny_recipe)
    train(recipe, source, tmp_path, seeds=[1], tell=lambda _: None)
    unlocked = with_few(tiny_recipe.with_method(MethodKind.VGP_HEAD))
    unlocked = unlocked.model_copy(update={"method": unlocked.method.model_copy(update={"steps": 3})})
    train(unlocked, source, tmp_path, tell=lambda _: None)
    trained = torch.load(tmp_path / "member-1.pt", weights_only=True)["best"]
    headed = torch.load(tmp_path / "vgp-head-1.pt", weights_only=True)["model"]
    assert all(torch.equal(value, headed[f"trunk.{key}"]) for key, value in trained.items())
    assert headed["head.started"].item() == 1
