"""The trained networks of a recipe, as `train` left them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import EdgeAgentError
from model_repo import checkpoint
from model_repo.train import fingerprint_of

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from model_repo.data.source import Source
    from model_repo.recipe import Recipe
    from model_repo.uncertainty import Method


def load_networks(method: Method, recipe: Recipe, source: Source, folder: Path) -> tuple[list[nn.Module], list[dict[str, Any]]]:
    """The recipe's trained networks at their best step, and what the manifest keeps of each; raise EdgeAgentError."""
    architecture = checkpoint.describe(method, recipe, source.lots)
    networks: list[nn.Module] = []
    kept: list[dict[str, Any]] = []
    fingerprints: dict[str, Path] = {}
    for seed in recipe.training.seeds:
        path = checkpoint.member_path(folder, method, seed)
        content = checkpoint.load(path, architecture)
        fingerprints.setdefault(content["fingerprint"], path)
        if len(fingerprints) > 1:
            first = next(iter(fingerprints.values()))
            raise EdgeAgentError(str(path), f"is stale: trained on other data or settings than {first}", "train this member again")
        if content["fingerprint"] != fingerprint_of(method, recipe, source):
            raise EdgeAgentError(
                str(path), "was made by another recipe or split", "train it again by this one, or export by its own recipe"
            )
        network = method.network(recipe, len(source.lots))
        network.load_state_dict(content["best"])
        networks.append(network.eval())
        kept.append(
            {
                "seed": seed,
                "kept_step": content["best_step"],
                "calibration_nll": round(content["best_nll"], 4),
                "seconds": round(content["seconds"]),
            }
        )
    return networks, kept
