"""The machine a report was made on, in words that name no folder and no host."""

from __future__ import annotations

import os
import platform

import torch


def machine() -> str:
    """Name cores, architecture and torch's version."""
    return f"{os.cpu_count()} CPU cores, {platform.machine()}, torch {torch.__version__.partition('+')[0]}, one thread"
