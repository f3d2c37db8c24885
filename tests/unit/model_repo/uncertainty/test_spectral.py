"""Spectral normalisation bounds every layer, leaves gentle ones alone, and can be baked for export."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from edge_agent.core.errors import EdgeAgentError


def network():
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.Flatten(), nn.Linear(128, 5), nn.Linear(5, 3))
    with torch.no_grad():
        net[0].weight *= 10
        net[4].weight *= 20
        net[5].weight *= 0.1
    return net


def largest(layer):
    import torch

    return torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item()


@pytest.mark.parametrize("bound", [1.0, 3.0])
def test_every_layer_is_held_to_the_bound_and_gentle_ones_are_untouched(bound):
    import torch

    from model_repo.uncertainty.spectral import spectral_normalise

    net = network()
    gentle = net[5].weight.detach().clone()
    assert largest(net[0]) > 3
    assert largest(net[4]) > 3
    assert spectral_normalise(net, bound) == ["0", "2", "4", "5"]
    for _ in range(30):
        net(torch.zeros(1, 1, 8, 8))  # each training pass is a step of the power iteration
    net.eval()
    for k in (0, 4):
        assert largest(net[k]) == pytest.approx(bound, rel=1e-3)
    torch.testing.assert_close(net[5].weight, gentle)
    assert spectral_normalise_again_is_refused(net)


def spectral_normalise_again_is_refused(net):
    from model_repo.uncertainty.spectral import spectral_normalise

    with pytest.raises(EdgeAgentError, match="no convolution or linear"):
        spectral_normalise(net, 1)
    return True


def test_training_goes_through_the_bound():
    import torch

    from model_repo.uncertainty.spectral import spectral_normalise

    net = network()
    spectral_normalise(net, 1.0)
    net(torch.ones(2, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_baking_changes_no_answer_and_exports(through_onnx):
    import torch

    from model_repo.uncertainty.spectral import bake, spectral_normalise

    net = network()
    spectral_normalise(net, 1.0)
    net(torch.zeros(1, 1, 8, 8))
    net.eval()
    x = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        before = net(x)
        bake(net)
        torch.testing.assert_close(net(x), before)
    assert not any("parametrizations" in name for name, _ in net.named_parameters())
    np.testing.assert_allclose(through_onnx(net, x)[0], before, atol=1e-5)


def test_baking_a_copy_leaves_the_original_whole():
    import torch

    from model_repo.uncertainty.spectral import bake, spectral_normalise

    net = network()
    spectral_normalise(net, 2.0)
    net.eval()
    fields = torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        before = net(fields)
        baked = bake(copy.deepcopy(net))
        torch.testing.assert_close(baked(fields), before)
        torch.testing.assert_close(net(fields), before)


def test_a_bound_below_one_and_a_network_without_weights_are_refused():
    from torch import nn

    from model_repo.uncertainty.spectral import spectral_normalise

    with pytest.raises(EdgeAgentError, match="1 or more"):
        spectral_normalise(network(), 0.9)
    with pytest.raises(EdgeAgentError, match="no convolution"):
        spectral_normalise(nn.Sequential(nn.ReLU()))
