"""Pictures of an episode's evidence, made after the alert, beside the frames' way: a strip of frames, and a local map."""

from __future__ import annotations

from edge_agent.evidence.keeper import EvidenceKeeper, Source

__all__ = ["EvidenceKeeper", "Source"]
