"""A recipe: everything that makes one served model, in one TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.core.errors import EdgeAgentError
from edge_agent.inference import Preprocessing
from model_repo.method_kind import MethodKind

RECIPES = Path(__file__).parent / "recipes"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(_Part):
    """The network of one member."""

    kind: Literal["wrn"] = "wrn"
    depth: int = 16
    width: Annotated[int, Field(gt=0)] = 2

    @model_validator(mode="after")
    def _has_whole_blocks(self) -> Self:
        if self.depth < 10 or (self.depth - 4) % 6:
            raise ValueError(f"depth must be 6 n + 4, such as 16, not {self.depth}")
        return self


class MicrographData(_Part):
    """Images under --data, split by the committed file `split`, a path relative to the recipe."""

    source: Literal["micrographs"] = "micrographs"
    split: str


class VirtualData(_Part):
    """Samples of the virtual microscope: how many of each lot stand on each side, and how much of each is looked at.

    Attributes:
        seed: of the microscope.
        lots: the first so many of its lots.
        train_samples, calibration_samples, test_samples: samples a lot; samples are numbered in this order.
        fields_a_sample: fields of a sample that a network is trained on.
        frames_a_sample: frames of a calibration or test sample.
        altered_samples: test samples a lot that are shown once more for each kind of change.
        unseen_samples: samples of each unseen lot.
    """

    source: Literal["virtual"]
    seed: int = 2021
    lots: int = Field(30, ge=2)
    train_samples: int = Field(ge=1)
    calibration_samples: int = Field(ge=6)
    test_samples: int = Field(ge=1)
    fields_a_sample: int = Field(36, gt=0)
    frames_a_sample: int = Field(6, gt=0)
    altered_samples: int = Field(4, gt=0)
    unseen_samples: int = Field(12, gt=0)


DataSource: TypeAlias = Annotated[MicrographData | VirtualData, Field(discriminator="source")]


class Method(_Part):
    """How the network's uncertainty is found.

    Attributes:
        kind: one of the files of model_repo/uncertainty.
        samples: T, the passes or samples that stand for members; a deep ensemble has as many as it has seeds.
        dropout: p, for mc_dropout.
        inducing: inducing points, for the Gaussian processes.
        lipschitz: bound on each layer's spectral norm, for spectral_gp.
        steps: optimisation steps of a head on a trained network, for vgp_head.
    """

    kind: MethodKind = MethodKind.DEEP_ENSEMBLE
    samples: Annotated[int, Field(gt=1)] = 16
    dropout: Annotated[float, Field(gt=0, lt=1)] = 0.3
    inducing: Annotated[int, Field(gt=1)] = 100
    lipschitz: Annotated[float, Field(ge=1)] = 3.0
    steps: Annotated[int, Field(gt=0)] = 300


class Training(_Part):
    """How a member is trained.

    Attributes:
        seeds: one a member.
        steps: optimisation steps.
        batch: fields a step.
        learning_rate, weight_decay: Adam's.
        warm_up: share of the steps over which the learning rate rises before its cosine fall.
        autocast: forward passes in bfloat16; evaluation is always in single precision.
        check_every: steps between looks at the calibration side.
        scale, filament: augmentation of micrographs (see CropSampler).
        fraction: share of each lot's training samples that is used.
    """

    seeds: tuple[int, ...] = Field(min_length=1)
    steps: int = Field(gt=0)
    batch: int = Field(gt=1)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    warm_up: float = Field(0.0, ge=0, lt=1)
    autocast: bool = False
    check_every: int = Field(gt=0)
    scale: float = Field(0.0, ge=0)
    filament: float = Field(0.0, ge=0)
    fraction: float = Field(1.0, gt=0, le=1)


class Distance(_Part):
    """How the feature distance is fitted."""

    crops: int = Field(gt=0)
    shrinkage: float = Field(gt=0, le=1)
    seed: int


class CalibrationVisits(_Part):
    """How much `model-repo calibrate` looks at.

    Attributes:
        frames: fields of view on each calibration source.
        altered_frames: fields of view on a source under each known change of the acquisition.
        altered_every: each so many-th source is looked at under changes.
    """

    frames: Annotated[int, Field(gt=1)] = 24
    altered_frames: Annotated[int, Field(gt=0)] = 6
    altered_every: Annotated[int, Field(gt=0)] = 1


class Recipe(_Part):
    """One served model."""

    name: str
    version: str
    licence: str
    remarks: str = ""
    data: DataSource
    network: Network = Network()
    method: Method = Method()
    preprocessing: Preprocessing = Preprocessing()
    training: Training
    distance: Distance
    calibration: CalibrationVisits = CalibrationVisits()
    folder: Path = Field(Path(), exclude=True)

    @model_validator(mode="after")
    def _method_has_its_networks(self) -> Self:
        kind, networks = self.method.kind, len(self.training.seeds)
        if kind is MethodKind.DEEP_ENSEMBLE and networks < 2:
            raise ValueError("a deep ensemble needs two seeds or more in training.seeds; one network alone is the method softmax")
        if kind is not MethodKind.DEEP_ENSEMBLE and networks > 1:
            raise ValueError(f"{kind} is a method of one network, training.seeds names {networks}")
        return self

    def with_method(self, kind: MethodKind) -> Recipe:
        """The same recipe by another method; anything but an ensemble takes the first seed alone."""
        seeds = self.training.seeds if kind is MethodKind.DEEP_ENSEMBLE else self.training.seeds[:1]
        changed = self.model_copy(
            update={
                "method": self.method.model_copy(update={"kind": kind}),
                "training": self.training.model_copy(update={"seeds": seeds}),
                "name": self.name if kind is self.method.kind else f"{self.name}-{kind.replace('_', '-')}",
            }
        )
        try:
            return Recipe.model_validate({**changed.model_dump(), "folder": self.folder})
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise EdgeAgentError(f"recipe {self.name} by {kind}", reason, "choose another --method or mend the recipe") from error


def find_recipe(name: str) -> Path:
    """A recipe's path: a file, or the name of one in model_repo/recipes; raise EdgeAgentError."""
    for candidate in (Path(name), RECIPES / f"{name.removesuffix('.toml')}.toml"):
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(path.stem for path in RECIPES.glob("*.toml")))
    raise EdgeAgentError(name, "is neither a file nor a known recipe", f"known recipes: {known}")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; raise EdgeAgentError naming the first wrong key."""
    try:
        return Recipe.model_validate({**tomllib.loads(path.read_text(encoding="utf-8")), "folder": path.parent})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise EdgeAgentError(str(path), f"cannot be read ({error})", "check the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise EdgeAgentError(str(path), f"{'.'.join(map(str, first['loc']))}: {first['msg']}", "mend the key") from error
