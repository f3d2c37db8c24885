"""Last-layer rigidity of networks trained elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.core.errors import EdgeAgentError

pytestmark = pytest.mark.usefixtures("torch_installed")


@pytest.fixture
def foreign():
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 3))


def test_the_answer_is_the_networks_own_and_the_rigidity_the_papers(foreign, tmp_path):
    import onnxruntime
    import torch

    from model_repo.uncertainty.rigid import rigid

    inputs = torch.randn(200, 5)
    made = rigid(foreign, "2", inputs, ridge=1e-2)
    asked = torch.cat([inputs[:20], 30 * torch.randn(20, 5)])
    with torch.inference_mode():
        answer, inverse = made(asked)
        torch.testing.assert_close(answer, foreign(asked))
        train, new = (torch.tanh(foreign[0](x)).double().numpy() for x in (inputs, asked))
    gram = train.T @ train / 200
    ridge = 1e-2 * np.trace(gram) / 16 * np.eye(16)
    np.testing.assert_allclose(inverse, np.einsum("nc,cd,nd->n", new, np.linalg.inv(gram + ridge), new), rtol=1e-3)
    assert inverse[20:].median() > 2 * inverse[:20].median()
    torch.onnx.export(
        made, (inputs[:2],), tmp_path / "m.onnx", dynamo=True, verbose=False, dynamic_shapes=({0: torch.export.Dim("n", min=1)},)
    )
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    answered = session.run(None, {session.get_inputs()[0].name: asked.numpy()})
    np.testing.assert_allclose(answered[1], inverse, rtol=1e-4)


def test_a_layer_that_is_not_there_names_the_nearest(foreign):
    import torch

    from model_repo.uncertainty.rigid import rigid

    with pytest.raises(EdgeAgentError, match="is not in the network; nearest: "):
        rigid(foreign, "head", torch.randn(4, 5))
