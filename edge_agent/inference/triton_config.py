"""What a Triton server says it serves, compared with what the manifest promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import EdgeAgentError, ModelError, PredictorUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.inference.manifest import Manifest, Tensor

RELAYOUT = (
    "run `model-repo layout` for this model into the server's repository and reload it, or point the agent at the model that is served"
)


@dataclass(frozen=True, slots=True)
class ServedConfig:
    """What a request must respect.

    Attributes:
        max_batch: fields a request may hold.
        precision: fp32 or fp16.
    """

    max_batch: int
    precision: str


def read_config(config: Any, manifest: Manifest, url: str) -> ServedConfig:
    """Compare a `ModelConfig` message with the manifest; raise ModelError naming both sides of a difference."""
    thing = f"model {manifest.name} on Triton at {url}"
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    digest = parameters.get("onnx_sha256")
    if digest != manifest.onnx.sha256:
        raise ModelError(
            thing, f"serves the graph {digest or 'of no stated digest'}, the manifest expects {manifest.onnx.sha256}", RELAYOUT
        )
    wanted = _shapes([manifest.input]), _shapes(manifest.outputs.tensors)
    found = {t.name: tuple(t.dims) for t in config.input}, {t.name: tuple(t.dims) for t in config.output}
    if found != wanted:
        raise ModelError(thing, f"takes {found[0]} and returns {found[1]}, the manifest expects {wanted[0]} and {wanted[1]}", RELAYOUT)
    if config.max_batch_size < 1:
        raise ModelError(thing, "takes no batches (max_batch_size is 0)", RELAYOUT)
    return ServedConfig(config.max_batch_size, parameters.get("precision", "fp32"))


def absence(index: Iterable[Any], manifest: Manifest, url: str) -> EdgeAgentError:
    """Why the server does not know the model's version: another one is served (ModelError), or it may come yet."""
    entries = [(entry.name, entry.version, entry.state, entry.reason) for entry in index]
    mine = [(version, state, reason) for name, version, state, reason in entries if name == manifest.name]
    thing = f"model {manifest.name} version {manifest.version} on Triton at {url}"
    if not mine:
        known = ", ".join(sorted({name for name, *_ in entries})) or "nothing"
        return ModelError(thing, f"is not in the server's repository, which holds {known}", RELAYOUT)
    others = sorted(version for version, state, _ in mine if state == "READY" and version != manifest.version)
    if others and not any(version == manifest.version for version, *_ in mine):
        return ModelError(thing, f"is not served, but version {', '.join(others)} is", RELAYOUT)
    reasons = "; ".join(" ".join(f"{state.lower()} {reason}".split()) for _, state, reason in mine).strip("; ")
    return PredictorUnavailableError(
        thing, f"is not loaded ({reasons or 'the server gives no reason'})", "load it in Triton; frames wait meanwhile"
    )


def _shapes(tensors: Iterable[Tensor]) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tensor.shape[1:] for tensor in tensors}
