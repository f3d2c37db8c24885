"""A recipe: everything that makes one served model, in one TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.core.errors import EdgeAgentError
from edge_agent.inference import Preprocessing


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(_Part):
    """The network of one member."""

    kind: Literal["wrn"] = "wrn"
    depth: int = 16
    width: int = 2


class Training(_Part):
    """How a member is trained."""

    seeds: tuple[int, ...] = Field(min_length=1)
    steps: int = Field(gt=0)
    batch: int = Field(gt=1)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    check_every: int = Field(gt=0)
    scale: float = Field(0.0, ge=0)
    filament: float = Field(0.0, ge=0)


class Distance(_Part):
    """How the feature distance is fitted."""

    crops: int = Field(gt=0)
    shrinkage: float = Field(gt=0, le=1)
    seed: int


class Recipe(_Part):
    """One served model."""

    name: str
    version: str
    split: str
    licence: str
    network: Network = Network()
    preprocessing: Preprocessing = Preprocessing()
    training: Training
    distance: Distance


def find_recipe(name: str) -> Path:
    """A recipe's path: a file, or the name of one in model_repo/recipes; raise EdgeAgentError."""
    for candidate in (Path(name), Path(__file__).parent / "recipes" / f"{name.removesuffix('.toml')}.toml"):
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(path.stem for path in (Path(__file__).parent / "recipes").glob("*.toml")))
    raise EdgeAgentError(name, "is neither a file nor a known recipe", f"known recipes: {known}")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; raise EdgeAgentError naming the first wrong key."""
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise EdgeAgentError(str(path), f"cannot be read ({error})", "check the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise EdgeAgentError(str(path), f"{'.'.join(map(str, first['loc']))}: {first['msg']}", "mend the key") from error


def split_path(recipe: Recipe, recipe_path: Path) -> Path:
    """Where the recipe's split lies: relative to the recipe's folder."""
    return (recipe_path.parent / recipe.split).resolve()
