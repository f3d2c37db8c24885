"""A torch module becomes an ONNX graph whose large convolution weights are stored in half precision."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.spectral import bake
from model_repo.zoo import WideResNet

if TYPE_CHECKING:
    from pathlib import Path

    from model_repo.uncertainty import Served

OPSET = 20
SMALLEST_HALVED = 1024  # weights; below this a tensor is not worth a Cast
OUTPUTS = ("probabilities", "distances", "local_map")


def fold_and_halve(network: nn.Module) -> None:
    """Write bounded weights out, fold normalisations, round convolutions to what a half-precision file can hold; in place."""
    bake(network)
    for module in network.modules():
        if isinstance(module, WideResNet):
            module.fold_norms()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.half().float())


def write_graph(served: Served, path: Path, input_px: int) -> None:
    """Export to ONNX with a dynamic batch, then store the large weights in half precision; the arithmetic stays in single."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            served,
            (torch.zeros(2, 1, input_px, input_px),),
            input_names=["fields"],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes={"fields": {0: torch.export.Dim("batch", min=1)}},
            verbose=False,
        )
    if program is None:
        raise EdgeAgentError(str(path), "the exporter returned nothing", "use torch of the range in pyproject.toml")
    model = program.model_proto
    _halve_weights(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _halve_weights(model: Any) -> None:
    graph = model.graph
    convolved = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    casts = []
    for weight in list(graph.initializer):
        if weight.name in convolved and weight.data_type == TensorProto.FLOAT and np.prod(weight.dims) >= SMALLEST_HALVED:
            halved = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{weight.name}.half")
            casts.append(helper.make_node("Cast", [halved.name], [weight.name], name=f"{weight.name}.cast", to=TensorProto.FLOAT))
            graph.initializer.remove(weight)
            graph.initializer.append(halved)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del graph.metadata_props[:]
