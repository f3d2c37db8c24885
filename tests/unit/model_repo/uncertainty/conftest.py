"""A trained head, the export every graph goes through, and small real data: scikit-learn's digits."""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np
import onnxruntime
import pytest

from tests.conftest import absent


@pytest.fixture(scope="session", autouse=True)
def gpytorch_installed() -> None:
    for package in ("torch", "gpytorch", "sklearn"):
        if importlib.util.find_spec(package) is None:
            absent(package, "the extra `train` is not installed")
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def through_onnx(tmp_path_factory):
    """Export a module as served graphs are exported and run it on another batch size."""
    import torch

    def run(module, inputs):
        path = tmp_path_factory.mktemp("onnx") / "graph.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns about its own internals
            program = torch.onnx.export(
                module,
                (inputs[:2],),
                input_names=["inputs"],
                opset_version=20,
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                verbose=False,
            )
        program.save(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, {"inputs": inputs.numpy()})

    return run


@pytest.fixture(scope="session")
def digits():
    """Images [1797, 1, 8, 8] in [0, 1] and labels, the last 500 for testing."""
    import torch
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.from_numpy((found.images / 16).astype(np.float32))[:, None]
    labels = torch.from_numpy(found.target.astype(np.int64))
    return images[:-500], labels[:-500], images[-500:], labels[-500:]
