"""The networks, one a file."""

from __future__ import annotations

from model_repo.zoo.wrn import WideBlock, WideResNet

__all__ = ["WideBlock", "WideResNet"]
