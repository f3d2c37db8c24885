"""Any trained network becomes probabilistic: three different ones on real digits, and what is refused."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest

from edge_agent.core.errors import EdgeAgentError


def residual_cnn():
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))

        def forward(self, x):
            return x + self.inner(x)

    # a 1x1 convolution after pooling is the output layer, and something follows it, as in model_repo.zoo
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        Block(),
        Block(),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Conv2d(16, 32, 2),
        nn.Conv2d(32, 10, 1),
        nn.Flatten(),
    )


def plain_cnn():
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10), nn.LogSoftmax(1)
    )


def elemnet():
    from torch import nn

    widths = (64, 64, 64, 32, 32)
    layers = [nn.Flatten()]
    for wide, narrow in zip((64, *widths), widths, strict=False):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(32, 10))


NETWORKS = {"residual CNN": (residual_cnn, "6"), "plain CNN": (plain_cnn, "6"), "ElemNet": (elemnet, "11")}


@functools.cache
def trained(name, data):
    import torch

    images, labels = data
    torch.manual_seed(0)
    network = NETWORKS[name][0]().train()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(12):
        for chosen in torch.randperm(len(images)).split(64):
            loss = torch.nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_becomes_probabilistic(name, digits, through_onnx):
    import torch

    from model_repo.uncertainty.unlock import probabilistic

    images, labels, test_images, test_labels = digits
    network = trained(name, (images, labels))
    before = copy.deepcopy(network.state_dict())
    said = []
    found = probabilistic(network, NETWORKS[name][1], images, labels, inducing=40, epochs=6, learning_rate=0.03, tell=said.append)
    assert len(said) == 6
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    with torch.no_grad():
        plain = (network(test_images).argmax(dim=1) == test_labels).float().mean()
        p, variance = found(test_images)
        _, strange = found(1 - test_images)
    accuracy = (p.mean(dim=1).argmax(dim=1) == test_labels).float().mean()
    assert p.shape == (500, 16, 10)
    assert plain > 0.85
    assert accuracy > plain - 0.03
    assert strange.median() > 1.1 * variance.median()
    entropy = -(p.mean(dim=1) * p.mean(dim=1).log()).sum(dim=1)
    wrong = p.mean(dim=1).argmax(dim=1) != test_labels
    assert entropy[wrong].mean() > 1.5 * entropy[~wrong].mean()
    np.testing.assert_allclose(through_onnx(found, test_images)[0], p, atol=2e-5)


def test_the_trunk_may_be_trained_too(digits):
    import torch

    from model_repo.uncertainty.unlock import probabilistic

    images, labels, *_ = digits
    network = trained("ElemNet", (images, labels))
    found = probabilistic(network, "11", images, labels, inducing=20, epochs=1, trunk_learning_rate=1e-4)
    assert not torch.equal(found.trunk.network[1].weight, network[1].weight)


def test_a_regression_gets_mean_and_variance(digits):
    """The share of ink in the lower half, from the upper half's pixels; the head learns from digits the network has not fitted."""
    import torch
    from torch import nn

    from model_repo.uncertainty.unlock import probabilistic

    images, _, test_images, _ = digits
    upper, target = images[:, 0, :4].flatten(1), images[:, 0, 4:].mean(dim=(1, 2))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 1))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(200):
        loss = (network(upper[:650])[:, 0] - target[:650]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = probabilistic(network, "4", upper[650:], target[650:], task="regression", inducing=30, epochs=12)
    mean, variance = found(test_images[:, 0, :4].flatten(1))
    z = (mean[:, 0] - test_images[:, 0, 4:].mean(dim=(1, 2))) / variance[:, 0].sqrt()
    assert 0.5 < z.square().mean() < 2
    assert 0.55 < (z.abs() < 1).float().mean() < 0.85


def test_a_layer_that_is_not_there_is_answered_with_the_nearest_names():
    import torch

    from model_repo.uncertainty.unlock import probabilistic
    from model_repo.zoo import WideResNet

    with pytest.raises(EdgeAgentError, match="is not in the network; nearest: head"):
        probabilistic(WideResNet(3, 10, 1), "heed", torch.zeros(4, 1, 8, 8), torch.zeros(4))


@pytest.mark.parametrize(
    ("layer", "word"), [("3", "is a ReLU"), ("0", "many places"), ("", "not in the network")], ids=["kind", "place", "empty"]
)
def test_a_layer_that_cannot_be_the_output_is_refused(layer, word):
    import torch

    from model_repo.uncertainty.unlock import probabilistic

    with pytest.raises(EdgeAgentError, match=word):
        probabilistic(plain_cnn(), layer, torch.zeros(4, 1, 8, 8), torch.zeros(4))


def test_a_network_without_such_a_layer_and_nan_targets_are_refused():
    import torch
    from torch import nn

    from model_repo.uncertainty.unlock import probabilistic

    with pytest.raises(EdgeAgentError, match="no linear layer or convolution"):
        probabilistic(nn.Sequential(nn.Flatten(), nn.ReLU()), "1", torch.zeros(4, 1, 8, 8), torch.zeros(4))
    targets = torch.full((40,), torch.nan)
    with pytest.raises(EdgeAgentError, match="targets are not finite"):
        probabilistic(nn.Sequential(nn.Linear(3, 1)), "0", torch.randn(40, 3), targets, task="regression", inducing=5)
