"""From trained networks to a served model: one ONNX graph, its manifest, and the thresholds that the agent may use."""

from __future__ import annotations

from model_repo.export.networks import load_networks
from model_repo.export.served import export

__all__ = ["export", "load_networks"]
