"""Real micrographs as a recipe's source: crops for training, whole images for calibration and test."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edge_agent.core.errors import EdgeAgentError
from edge_agent.simulate import visit
from model_repo.data.crops import CropSampler
from model_repo.data.fields import labelled_fields
from model_repo.data.micrographs import read_micrographs
from model_repo.data.shifts import kinds
from model_repo.data.source import Origin, Probe
from model_repo.data.split import SIDES, SplitError, load_split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from model_repo.data.micrographs import Micrograph
    from model_repo.data.source import Fields, Kind
    from model_repo.data.split import Side
    from model_repo.recipe import Recipe

VISIT_SEED = 2021
ALL_SIDES: tuple[Side, ...] = (*SIDES, "unseen")


class MicrographSource:
    """The images of a committed split under a folder.

    Raises:
        EdgeAgentError: an image is missing or unreadable, or a lot has none for training.
        SplitError: the split leaks, by its groups or because the same picture stands on two sides under two names.
    """

    origin: Origin = "real"

    def __init__(self, recipe: Recipe, split: Path, folder: Path) -> None:
        self._recipe = recipe
        self._folder = folder
        self.split = load_split(split)
        self.lots = self.split.lots
        self.name = self.split.name
        self._read: dict[Side, list[Micrograph]] = {}

    @property
    def fingerprint(self) -> str:
        """Of the split's images and their sides."""
        return hashlib.sha256(self.split.model_dump_json(include={"images"}).encode()).hexdigest()

    def micrographs(self, side: Side) -> list[Micrograph]:
        """The images of a side; all sides are read and compared the first time."""
        if not self._read:
            read = {name: read_micrographs(self._folder, self.split.on(name)) for name in ALL_SIDES}
            _refuse_pictures_on_two_sides(read)
            self._read = read
        return self._read[side]

    @cached_property
    def _sampler(self) -> CropSampler:
        return self._crops(self._recipe.training.filament)

    def draw(self, count: int, rng: np.random.Generator) -> Fields:
        """Random crops of the training images."""
        return self._sampler.draw(count, rng)

    def fitting(self, count: int, rng: np.random.Generator) -> Fields:
        """Random crops without the filament's augmentation."""
        return self._crops(0.0).draw(count, rng)

    def held_out(self) -> Fields:
        """Every field of the calibration images."""
        return labelled_fields(self.micrographs("calibration"), self.lots, self._recipe.preprocessing)

    def frames(self, side: Literal["train", "calibration", "test"]) -> Sequence[Probe]:
        """The images of a side."""
        return [_probe(micrograph, micrograph.pixels) for micrograph in self.micrographs(side)]

    def kinds(self, test: Sequence[Probe], seed: int) -> Iterator[Kind]:
        """Filament changes of the test images, unseen lots, unrelated pictures."""
        return kinds(self.split, self._folder, test, seed)

    def visited(self, side: Literal["train", "calibration"], frames: int, every: int = 1) -> Iterator[Probe]:
        """Fields of view on each `every`-th image; the same for the same image whatever is done to them later."""
        for number, micrograph in list(enumerate(self.micrographs(side)))[::every]:
            for view in visit(micrograph.pixels, frames, np.random.default_rng((VISIT_SEED, number))):
                yield _probe(micrograph, view.pixels)

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Images and independent groups by lot and side; of the training side, those that the recipe's share takes."""
        counts = self.split.counts()
        if self._recipe.training.fraction < 1:
            used = self._first(self.micrographs("train"), self._recipe.training.fraction)
            for lot in self.lots:
                kept = [m.entry for m in used if m.entry.lot == lot]
                counts[lot]["train"] = {"images": len(kept), "groups": len({entry.group for entry in kept})}
        return counts

    def describe(self) -> dict[str, Any]:
        """The split's name and counts."""
        return {"split": self.split.name, "counts": self.counts()}

    def _crops(self, filament: float) -> CropSampler:
        preprocessing, training = self._recipe.preprocessing, self._recipe.training
        return CropSampler(
            self._first(self.micrographs("train"), training.fraction),
            self.lots,
            field_px=preprocessing.field_px,
            input_px=preprocessing.input_px,
            scale=training.scale,
            filament=filament,
        )

    def _first(self, micrographs: Sequence[Micrograph], fraction: float) -> list[Micrograph]:
        """The first share of each lot's groups, at least one."""
        kept: set[tuple[str, str]] = set()
        for lot in self.lots:
            groups = list(dict.fromkeys(m.entry.group for m in micrographs if m.entry.lot == lot))
            kept |= {(lot, group) for group in groups[: max(1, round(fraction * len(groups)))]}
        return [m for m in micrographs if (m.entry.lot, m.entry.group) in kept]


def open_micrographs(recipe: Recipe, folder: Path | None) -> MicrographSource:
    """The recipe's split over the images under `folder`; raise EdgeAgentError when none is named."""
    if folder is None:
        raise EdgeAgentError(f"recipe {recipe.name}", "reads real images", "name their folder with --data DIR")
    # the recipe's source is micrographs here: opening.py has looked
    return MicrographSource(recipe, (recipe.folder / recipe.data.split).resolve(), folder)  # type: ignore[union-attr]


def _refuse_pictures_on_two_sides(read: Mapping[Side, Sequence[Micrograph]]) -> None:
    seen: dict[str, tuple[Side, str]] = {}
    for side, found in read.items():
        for micrograph in found:
            shown = hashlib.sha256(micrograph.pixels.tobytes()).hexdigest()
            other, path = seen.setdefault(shown, (side, micrograph.entry.path))
            if other != side:
                raise SplitError(
                    micrograph.entry.path,
                    f"shows the same picture as {path}, and stands on the side {side} while that stands on {other}",
                    "give both the same group and side in the split",
                )


def _probe(micrograph: Micrograph, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Probe:
    entry = micrograph.entry
    return Probe(pixels, entry.lot, f"{entry.lot}/{entry.group}", entry.path)
