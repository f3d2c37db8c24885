"""Frames in, every member's answers out: the served model's manifest, its fields, and the two places it can run."""

from edge_agent.inference.backend import make_predictor
from edge_agent.inference.canary import RollCall, call_roll, canary_differences, canary_fields
from edge_agent.inference.embedded import EmbeddedPredictor, open_session
from edge_agent.inference.fields import corners, tile
from edge_agent.inference.manifest import (
    MANIFEST_NAME,
    Canary,
    DigestedFile,
    DistanceKind,
    Manifest,
    Method,
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
    "DistanceKind",
    "EmbeddedPredictor",
    "Manifest",
    "Method",
    "Outputs",
    "PlanFingerprint",
    "Preprocessing",
    "ReferralPoint",
    "RollCall",
    "Tensor",
    "TritonPredictor",
    "call_roll",
    "canary_differences",
    "canary_fields",
    "corners",
    "find_model",
    "load_manifest",
    "make_predictor",
    "open_session",
    "sha256_of",
    "shipped_models",
    "tile",
    "verify",
]
