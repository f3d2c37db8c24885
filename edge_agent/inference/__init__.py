"""Frames in, every member's answers out: the served model's manifest, its fields, and the two places it can run."""

from edge_agent.inference.backend import make_predictor
from edge_agent.inference.canary import canary_difference, canary_fields
from edge_agent.inference.embedded import EmbeddedPredictor, open_session
from edge_agent.inference.fields import tile
from edge_agent.inference.manifest import (
    MANIFEST_NAME,
    Canary,
    DigestedFile,
    Manifest,
    Outputs,
    PlanFingerprint,
    Preprocessing,
    ReferralPoint,
    Tensor,
    find_model,
    load_manifest,
    sha256_of,
    shipped_models,
    verify,
)
from edge_agent.inference.triton import TritonPredictor

__all__ = [
    "MANIFEST_NAME",
    "Canary",
    "DigestedFile",
    "EmbeddedPredictor",
    "Manifest",
    "Outputs",
    "PlanFingerprint",
    "Preprocessing",
    "ReferralPoint",
    "Tensor",
    "TritonPredictor",
    "canary_difference",
    "canary_fields",
    "find_model",
    "load_manifest",
    "make_predictor",
    "open_session",
    "sha256_of",
    "shipped_models",
    "tile",
    "verify",
]
