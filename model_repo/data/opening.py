"""Opens the source that a recipe names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_repo.data.micrograph_source import open_micrographs
from model_repo.data.virtual_source import VirtualSource
from model_repo.recipe import VirtualData

if TYPE_CHECKING:
    from pathlib import Path

    from model_repo.data.source import Source
    from model_repo.recipe import Recipe


def open_source(recipe: Recipe, folder: Path | None) -> Source:
    """The recipe's frames: images under `folder`, or the virtual microscope's, whose rendered fields are kept there."""
    if isinstance(recipe.data, VirtualData):
        return VirtualSource(recipe, recipe.data, folder)
    return open_micrographs(recipe, folder)
