"""The graph in half precision, as strongly typed TensorRT wants it: the types stand in the ONNX itself."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_agent.core.errors import ModelError

POOLING = frozenset({"ReduceMean", "GlobalAveragePool", "AveragePool"})


def half_precision(graph: bytes) -> bytes:
    """Compute everything before the pooling over positions in float16, the pooling and the rest in float32.

    Inputs and outputs stay float32. The head stays as it is because sums over positions and squared Mahalanobis distances leave
    float16's range. Raises ModelError for a graph with nothing before a pooling.
    """
    model = onnx.load_from_string(graph)
    nodes = list(model.graph.node)
    trunk = _before_pooling(nodes)
    if not trunk:
        raise ModelError("the ONNX", "has no pooling that its half-precision part could end at", "build with --precision fp32")
    stored = {weight.name for weight in model.graph.initializer if weight.data_type == TensorProto.FLOAT16}
    # a weight that is stored in half and cast before use is read as it is stored
    as_half = {n.output[0]: n.input[0] for k, n in enumerate(nodes) if k in trunk and n.op_type == "Cast" and n.input[0] in stored}
    kept = [(k in trunk, node) for k, node in enumerate(nodes) if not as_half.keys() & node.output]
    read = {name for inside, node in kept if inside for name in node.input}
    as_half |= _halved_weights(model.graph, read)
    entering = [value.name for value in model.graph.input if value.name in read]
    as_half |= {name: f"{name}.as_half" for name in entering}
    ordered = [helper.make_node("Cast", [name], [as_half[name]], to=TensorProto.FLOAT16) for name in entering]
    made_in_half = {output for inside, node in kept if inside for output in node.output}
    as_float: dict[str, str] = {}
    for inside, node in kept:
        leaving = () if inside else made_in_half.intersection(node.input).difference(as_float)
        for name in leaving:
            as_float[name] = f"{name}.as_float"
            ordered.append(helper.make_node("Cast", [name], [as_float[name]], to=TensorProto.FLOAT))
        names = as_half if inside else as_float
        node.input[:] = [names.get(name, name) for name in node.input]
        ordered.append(node)
    return _checked(model, ordered)


def _before_pooling(nodes: list[Any]) -> set[int]:
    """Places of the nodes from which a pooling is reached, the poolings themselves left out."""
    wanted: set[str] = set()
    trunk: set[int] = set()
    for place in range(len(nodes) - 1, -1, -1):  # ONNX orders nodes topologically
        node = nodes[place]
        if node.op_type in POOLING:
            wanted.add(node.input[0])
        elif wanted.intersection(node.output):
            wanted.update(node.input)
            trunk.add(place)
    return trunk


def _halved_weights(graph: Any, read: set[str]) -> dict[str, str]:
    """Add a half-precision copy of each float32 weight in `read`, and map the old name to the copy's."""
    names = {}
    for weight in list(graph.initializer):
        if weight.name in read and weight.data_type == TensorProto.FLOAT:
            names[weight.name] = f"{weight.name}.as_half"
            graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(weight).astype("float16"), names[weight.name]))
    return names


def _checked(model: Any, nodes: list[Any]) -> bytes:
    """The model with these nodes, without the weights that none of them reads; raise when types do not meet."""
    read = {name for node in nodes for name in node.input}
    graph = onnx.GraphProto(
        name=model.graph.name,
        node=nodes,
        input=model.graph.input,
        output=model.graph.output,
        initializer=[weight for weight in model.graph.initializer if weight.name in read],
    )
    half = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, producer_name="edge-agent", graph=graph)
    onnx.checker.check_model(half, full_check=True)
    serialised: bytes = half.SerializeToString()
    return serialised
