"""The Gaussian process head: it learns, knows how far it is from its data, and its closed form is GPyTorch's answer."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.core.errors import EdgeAgentError


def three_lots(n=900, seed=0):
    import torch

    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    features = rng.normal(0, 1, (n, 6)) + 4 * np.eye(3, 6)[labels]
    return torch.from_numpy((100 + features).astype(np.float32)), torch.from_numpy(labels)


def fitted(kernel="matern52", distribution="cholesky", steps=120, dtype=None):
    import torch

    from model_repo.uncertainty.inducing_gp import GaussianProcessHead

    torch.manual_seed(0)
    features, labels = three_lots()
    features = features.to(dtype or features.dtype)
    head = GaussianProcessHead(6, 3, inducing=20, kernel=kernel, distribution=distribution)
    rng = np.random.default_rng(0)
    head.start(features, rng)
    optimiser = torch.optim.Adam(head.parameters(), 0.05)
    for _ in range(steps):
        chosen = torch.from_numpy(rng.integers(0, len(labels), 64))
        loss = head.loss(features[chosen], labels[chosen], len(labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return head.eval()


@pytest.mark.parametrize("kernel", ["matern32", "matern52", "rbf"])
@pytest.mark.parametrize("distribution", ["cholesky", "mean_field"])
def test_the_closed_form_is_gpytorchs_answer_in_torch_and_in_onnx(kernel, distribution, through_onnx):
    import torch

    head = fitted(kernel, distribution, steps=25)
    near, _ = three_lots(40, seed=5)
    points = torch.cat((near, near + 30, head.centre + head.scale * head.gp.strategy.inducing_points.detach()))
    with torch.no_grad():
        truth = head.gp(head.normalised(points))
    mean, variance = through_onnx(head.latent(), points)
    np.testing.assert_allclose(mean, truth.mean, atol=1e-5)
    np.testing.assert_allclose(variance, truth.variance, atol=1e-5)
    np.testing.assert_allclose(head.latent()(points)[1], truth.variance, atol=1e-5)


def test_the_classifier_learns_and_its_samples_go_through_onnx(through_onnx):
    import torch

    head = fitted()
    features, labels = three_lots(300, seed=9)
    closed = head.closed_form(16, seed=4)
    p = closed(features)
    assert p.shape == (300, 16, 3)
    assert (p.mean(dim=1).argmax(dim=1) == labels).float().mean() > 0.95
    torch.testing.assert_close(p.sum(dim=2), torch.ones(300, 16))
    np.testing.assert_allclose(through_onnx(closed, features)[0], p, atol=1e-5)
    torch.testing.assert_close(p, head.closed_form(16, seed=4)(features))
    assert not torch.allclose(p, head.closed_form(16, seed=5)(features))


def test_the_draws_average_to_the_expectation_better_than_as_many_random_ones():
    """The truth is plain Monte Carlo with 20,000 draws; errors are root-mean-square over 20 seeds."""
    import torch

    head = fitted()
    features, _ = three_lots(50, seed=2)
    mean, variance = head.latent()(features + 1.5)
    generator = torch.Generator().manual_seed(0)

    def drawn(n):
        values = mean + variance.sqrt() * torch.randn(n, 50, 3, generator=generator)
        return torch.softmax(values, dim=2).mean(dim=0)

    truth = drawn(20_000)
    ours = torch.stack([head.closed_form(16, seed)(features + 1.5).mean(dim=1) - truth for seed in range(20)]).square().mean().sqrt()
    random = torch.stack([drawn(16) - truth for _ in range(20)]).square().mean().sqrt()
    assert ours < 0.6 * random


def test_a_start_at_the_trained_layers_answers_follows_it():
    import torch

    from model_repo.uncertainty.inducing_gp import GaussianProcessHead

    features, _ = three_lots()
    layer = torch.nn.Linear(6, 3)
    for distribution in ("cholesky", "mean_field"):
        head = GaussianProcessHead(6, 3, inducing=60, distribution=distribution)
        head.start(features, np.random.default_rng(0))
        head.follow(layer)
        with torch.no_grad():
            mean, variance = head.latent()(features)
            truth = layer(features)
        assert ((mean - truth).square().mean(dim=0) / truth.var(dim=0)).max() < 0.05
        assert (variance / truth.var(dim=0)).mean() < 0.3


def test_variance_grows_away_from_the_data_up_to_the_prior():
    import torch

    head = fitted()
    features, _ = three_lots(100, seed=3)
    away = torch.stack([head.distance(features + shift).mean() for shift in (0, 3, 10, 1000)])
    assert (away.diff() > 0).all()
    assert away[-1].item() == pytest.approx(head.gp.covar_module.outputscale.mean().item(), rel=1e-3)


def test_the_loss_reaches_the_features_so_that_a_network_can_train_with_it():
    import torch

    head = fitted(steps=0)
    features, labels = three_lots(32)
    features.requires_grad_()
    head.loss(features, labels, 900).backward()
    assert torch.isfinite(features.grad).all()
    assert features.grad.abs().sum() > 0


def test_a_batch_of_as_many_data_as_classes_is_not_taken_for_its_transpose():
    import torch

    head = fitted()
    features, _ = three_lots(300, seed=7)
    answer = head.closed_form(1)(features)[:, 0].argmax(dim=1)
    chosen = torch.stack([torch.nonzero(answer == k)[0, 0] for k in (1, 2, 0)])
    right = torch.stack([head.loss(features[chosen], torch.tensor([1, 2, 0]), 900) for _ in range(5)]).mean()
    wrong = torch.stack([head.loss(features[chosen], torch.tensor([2, 0, 1]), 900) for _ in range(5)]).mean()
    assert right < wrong - 1


def test_half_precision_features_are_computed_in_single():
    import torch

    head = fitted(dtype=torch.bfloat16, steps=3)
    features, labels = three_lots(8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = head.loss(features.bfloat16(), labels, 900)
        distance = head.distance(features.bfloat16())
    assert loss.dtype == distance.dtype == torch.float32
    torch.testing.assert_close(distance, head.distance(features.bfloat16().float()))


def test_a_regression_gives_mean_and_variance_in_the_targets_unit():
    import torch

    from model_repo.uncertainty.inducing_gp import GaussianProcessHead

    torch.manual_seed(0)
    x = torch.linspace(-3, 3, 400)[:, None]
    y = 50 + 10 * torch.sin(2 * x) + torch.randn_like(x)
    head = GaussianProcessHead(1, 1, inducing=20, task="regression")
    head.start(x, np.random.default_rng(0), y)
    optimiser = torch.optim.Adam(head.parameters(), 0.05)
    for _ in range(400):
        loss = head.loss(x, y, 400)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    mean, variance = head.closed_form_regressor()(torch.tensor([[0.0], [0.785], [30.0]]))
    assert mean[:2, 0].tolist() == pytest.approx([50, 60], abs=1)
    assert variance[:2, 0].tolist() == pytest.approx([1, 1], abs=0.6)
    assert variance[2, 0] > 20


def test_what_cannot_be_trained_is_refused():
    import torch

    from model_repo.uncertainty.inducing_gp import GaussianProcessHead

    features, labels = three_lots(50)
    with pytest.raises(EdgeAgentError, match="start"):
        GaussianProcessHead(6, 3).loss(features, labels, 50)
    with pytest.raises(EdgeAgentError, match="fewer centres"):
        GaussianProcessHead(6, 3, inducing=60).start(features, np.random.default_rng(0))
    with pytest.raises(EdgeAgentError, match="two classes"):
        GaussianProcessHead(6, 1)
    with pytest.raises(EdgeAgentError, match="not finite"):
        GaussianProcessHead(6, 3, inducing=5).start(features * torch.nan, np.random.default_rng(0))
    head = fitted(steps=0)
    with pytest.raises(EdgeAgentError, match="the loss became nan"):
        head.loss(features * torch.inf, labels, 50)
    with torch.no_grad():
        head.gp.covar_module.raw_outputscale.fill_(torch.nan)
    with pytest.raises(EdgeAgentError, match="the loss became nan"):
        head.loss(features, labels, 50)
    with pytest.raises(EdgeAgentError, match="without its targets"):
        GaussianProcessHead(6, 1, inducing=5, task="regression").start(features, np.random.default_rng(0))
