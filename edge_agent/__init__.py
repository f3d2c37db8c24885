"""edge-agent: watch an instrument's frames, ask a deep ensemble, and say when its answers stop being trustworthy."""

from __future__ import annotations

import os

__version__ = "0.1.0"

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
"""ONNX Runtime reads this when it is imported; from 1.31 on it otherwise reports to its maker and keeps an id in the home folder."""
