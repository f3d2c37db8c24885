"""The choice between the two places a model can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from edge_agent.core.errors import ConfigurationError, ModelError
from edge_agent.inference.embedded import EmbeddedPredictor
from edge_agent.inference.manifest import load_manifest
from edge_agent.inference.triton import TritonPredictor

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.core.protocols import Clock, Predictor
    from edge_agent.core.telemetry import Telemetry


def make_predictor(
    backend: Literal["embedded", "triton"],
    folder: Path,
    *,
    url: str | None = None,
    version: str | None = None,
    threads: int = 0,
    telemetry: Telemetry | None = None,
    clock: Clock | None = None,
) -> Predictor:
    """A predictor, not yet started, for the model in `folder`; raise ModelError when its version is not `version`.

    `url` is Triton's, `threads` the embedded model's.
    """
    found = load_manifest(folder).version
    if version is not None and found != version:
        raise ModelError(
            f"model {folder}", f"is version {found}, the configuration asks for {version}", "change model.version or the model's folder"
        )
    if backend == "embedded":
        return EmbeddedPredictor(folder, threads=threads, telemetry=telemetry, clock=clock)
    if not url:
        raise ConfigurationError("model.url", "is missing", "set it to host:port of Triton's gRPC endpoint, for example localhost:8001")
    return TritonPredictor(folder, url, telemetry=telemetry, clock=clock)
