"""An ONNX graph becomes an engine: TensorRT and TensorRT-RTX share one builder, and the latter builds without a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import ConfigurationError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.inference import Manifest

TYPICAL_BATCH = 12
"""The fields of one large frame: the shape TensorRT optimises for."""


def build_engine(trt: Any, graph: bytes, manifest: Manifest, max_batch: int) -> bytes:
    """Build a strongly typed engine for 1 to `max_batch` fields.

    Args:
        trt: the module tensorrt or tensorrt_rtx.
        graph: the ONNX, serialised.
        manifest: names the input and its shape.
        max_batch: largest batch of the optimisation profile.

    Raises:
        ModelError: the parser knows something in the graph not, or no engine can be built.
    """
    messages: list[str] = []
    builder = trt.Builder(_logger(trt, messages))
    # from TensorRT 11 on every network is strongly typed, and the flag may be gone
    strongly = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if strongly is None else 1 << int(strongly))
    parser = trt.OnnxParser(network, builder.logger)
    if not parser.parse(graph):
        found = [parser.get_error(k) for k in range(parser.num_errors)]
        errors = "; ".join(f"{error.node_operator()} {error.node_name()}: {error.desc()}" for error in found)
        raise ModelError(
            f"model {manifest.name}", f"{trt.__name__} {trt.__version__} cannot parse its graph ({errors})", "lay out for onnxruntime"
        )
    config = builder.create_builder_config()
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)  # it would round float32 to 10 bits without saying so
    profile = builder.create_optimization_profile()
    one = manifest.input.shape[1:]
    profile.set_shape(manifest.input.name, (1, *one), (min(TYPICAL_BATCH, max_batch), *one), (max_batch, *one))
    config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        reason = "; ".join(messages) or "no reason given"
        raise ModelError(
            f"model {manifest.name}", f"{trt.__name__} {trt.__version__} builds no engine ({reason})", "lay out for onnxruntime"
        )
    return bytes(engine)


def check_with_tensorrt_rtx(folder: Path, manifest: Manifest, max_batch: int = 48) -> int:
    """Parse and build the model's graph with TensorRT-RTX, which needs no GPU; return the engine's size in bytes.

    Raises:
        ConfigurationError: tensorrt_rtx is not installed.
        ModelError: something in the graph is not supported.
    """
    try:
        import tensorrt_rtx  # noqa: PLC0415  (95 MB that only this check needs)
    except ImportError as error:
        raise ConfigurationError("TensorRT-RTX", "is not installed", "pip install tensorrt-rtx (Linux x86-64, Windows)") from error
    return len(build_engine(tensorrt_rtx, (folder / manifest.onnx.file).read_bytes(), manifest, max_batch))


def _name(trt: Any) -> str:
    return f"{trt.__name__} {trt.__version__}"


def _logger(trt: Any, messages: list[str]) -> Any:
    class Errors(trt.ILogger):  # type: ignore[misc]  # the base comes from whichever module is used
        """Keeps what the builder complains of."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                messages.append(message)

    return Errors()
