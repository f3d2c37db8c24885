"""A member's checkpoint: weights with everything needed to go on training, written so that an interruption leaves the last one whole."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any

import torch

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from pathlib import Path

    from model_repo.recipe import Recipe
    from model_repo.uncertainty import Method


def describe(method: Method, recipe: Recipe, lots: tuple[str, ...]) -> dict[str, Any]:
    """What must be equal for weights to fit: the network, what its method adds to it, and the lots in order."""
    return {**recipe.network.model_dump(), "for": method.checkpoint, "lots": list(lots)}


def member_path(folder: Path, method: Method, seed: int) -> Path:
    """Where a member's checkpoint lies in the output folder."""
    return folder / f"{method.checkpoint}-{seed}.pt"


def save(path: Path, content: dict[str, Any]) -> None:
    """Write beside, flush to disk, then rename over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    with beside.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path, architecture: dict[str, Any]) -> dict[str, Any]:
    """Read a checkpoint; raise EdgeAgentError when it is absent, damaged or of another architecture."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise EdgeAgentError(str(path), "is not there", "run `model-repo train` first") from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise EdgeAgentError(str(path), "is damaged", "delete it and train this member again") from error
    found = content.get("architecture")
    if found != architecture:
        raise EdgeAgentError(str(path), f"holds another architecture ({found})", f"train anew for {architecture} or choose its recipe")
    return content
