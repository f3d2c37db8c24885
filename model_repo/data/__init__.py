"""Micrographs, how they are split, and how crops are drawn from them."""

from __future__ import annotations

from model_repo.data.crops import CropSampler
from model_repo.data.micrographs import Micrograph, read_micrographs
from model_repo.data.split import SIDES, Split, SplitEntry, load_split

__all__ = ["SIDES", "CropSampler", "Micrograph", "Split", "SplitEntry", "load_split", "read_micrographs"]
