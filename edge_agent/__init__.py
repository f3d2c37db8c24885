"""edge-agent: watch an instrument's frames, ask a deep ensemble, and say when its answers stop being trustworthy."""

from __future__ import annotations

__version__ = "0.1.0"
