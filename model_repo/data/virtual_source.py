"""The virtual microscope as a recipe's source: every sample stands on one side, and shows what its lot and its own draw make it."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from platformdirs import user_cache_path

from edge_agent.core.errors import ConfigurationError
from edge_agent.simulate import KNOWN_LOTS, MICROSCOPE_VERSION, UNSEEN_LOTS, VirtualMicroscope, unrelated_picture
from model_repo.data.shifts import STRENGTHS, photographs
from model_repo.data.source import Kind, Origin, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.data.source import Fields
    from model_repo.recipe import Recipe, VirtualData

FULL_SCALE = 1020
"""Four 8-bit pixels in a cell of the network's input."""
FIELD_PX = 128
INPUT_PX = 64
FRAME_PX = 256
UNRELATED = 60

Side = Literal["train", "calibration", "test"]


class VirtualSource:
    """Samples of a virtual microscope, numbered from 0 in each lot: training first, then calibration, then test.

    The fields of the training and calibration sides are rendered once and kept under `folder`, named by what made them.

    Raises:
        ConfigurationError: the recipe's preprocessing is not the microscope's, or it asks for lots that are not there.
    """

    origin: Origin = "simulated"

    def __init__(self, recipe: Recipe, data: VirtualData, folder: Path | None) -> None:
        wanted = recipe.preprocessing
        if (wanted.field_px, wanted.input_px) != (FIELD_PX, INPUT_PX):
            raise ConfigurationError(
                f"recipe {recipe.name}",
                f"preprocessing has fields of {wanted.field_px} px shown as {wanted.input_px} px",
                f"the virtual microscope's fields are field_px = {FIELD_PX}, input_px = {INPUT_PX}",
            )
        if data.lots > len(KNOWN_LOTS):
            raise ConfigurationError(f"recipe {recipe.name}", f"asks for {data.lots} lots", f"the microscope has {len(KNOWN_LOTS)}")
        self._data = data
        self._fraction = recipe.training.fraction
        self._folder = folder or user_cache_path("edge-agent") / "virtual-microscope"
        self._microscope = VirtualMicroscope(data.seed)
        self.lots = KNOWN_LOTS[: data.lots]
        self.name = f"virtual microscope {MICROSCOPE_VERSION}, seed {data.seed}"

    @property
    def fingerprint(self) -> str:
        """Of the microscope's version and the training side's numbers."""
        return hashlib.sha256(self._what("train").encode()).hexdigest()

    def draw(self, count: int, rng: np.random.Generator) -> Fields:
        """Training fields, half of them mirrored (Zhang, Kailkhura & Han 2021 flip horizontally)."""
        fields, labels = self._pick(count, rng)
        mirrored = rng.random(count) < 0.5
        fields[mirrored] = fields[mirrored, :, :, ::-1]
        return fields, labels

    def fitting(self, count: int, rng: np.random.Generator) -> Fields:
        """Training fields as they are."""
        return self._pick(count, rng)

    def held_out(self) -> Fields:
        """The calibration side's fields."""
        fields = self._fields("calibration")
        lots, count = fields.shape[:2]
        return _as_input(fields.reshape(-1, INPUT_PX, INPUT_PX)), np.repeat(np.arange(lots), count).astype(np.int64)

    def frames(self, side: Side) -> Sequence[Probe]:
        """Frames of the samples of a side, rendered when they are looked at."""
        return [probe for lot in self.lots for number in self._numbers(side) for probe in self._sample(lot, number)]

    def kinds(self, test: Sequence[Probe], seed: int) -> Iterator[Kind]:  # noqa: ARG002 - the Protocol's; samples are shown anew
        """The same test samples through worse filaments, samples of unseen lots, and pictures that are no micrographs."""
        data = self._data
        shown = list(self._numbers("test"))[: data.altered_samples]
        for name, strength in STRENGTHS.items():
            yield Kind(
                f"filament {name} ({strength:g})",
                "simulated",
                [probe for lot in self.lots for number in shown for probe in self._sample(lot, number, strength)],
            )
        for lot in UNSEEN_LOTS:
            yield Kind(
                f"unseen {lot}",
                "simulated",
                [
                    Probe(probe.pixels, "", probe.group, probe.name)
                    for number in range(data.unseen_samples)
                    for probe in self._sample(lot, number)
                ],
            )
        rng = np.random.default_rng(seed)
        pictures = [Probe(unrelated_picture(rng, FRAME_PX, FRAME_PX), "", f"picture {k}", f"picture {k}") for k in range(UNRELATED)]
        yield Kind("unrelated pictures", "generated", pictures)
        yield Kind("unrelated photographs", "real", tuple(photographs()))

    def visited(self, side: Literal["train", "calibration"], frames: int, every: int = 1) -> Iterator[Probe]:
        """A stage's visit to each `every`-th calibration sample; training samples, which the network knows, are left out."""
        if side == "calibration":
            samples = [(lot, number) for lot in self.lots for number in self._numbers(side)]
            for lot, number in samples[::every]:
                for probe in self._sample(lot, number, frames=frames):
                    yield replace(probe, name=probe.group)

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Fields (training) or frames and samples by lot and side."""
        data = self._data
        sides = {
            "train": {"images": len(self._numbers("train")) * data.fields_a_sample, "groups": len(self._numbers("train"))},
            "calibration": {"images": data.calibration_samples * data.frames_a_sample, "groups": data.calibration_samples},
            "test": {"images": data.test_samples * data.frames_a_sample, "groups": data.test_samples},
        }
        unseen = {"unseen": {"images": data.unseen_samples * data.frames_a_sample, "groups": data.unseen_samples}}
        return {lot: dict(sides) for lot in self.lots} | {lot: dict(unseen) for lot in UNSEEN_LOTS}

    def describe(self) -> dict[str, Any]:
        """The microscope, its seed, and how many samples stand where."""
        return {"split": self.name, "microscope": MICROSCOPE_VERSION, **self._data.model_dump(exclude={"source"})}

    def _numbers(self, side: Side) -> range:
        data = self._data
        first = {"train": 0, "calibration": data.train_samples, "test": data.train_samples + data.calibration_samples}[side]
        count = {"train": data.train_samples, "calibration": data.calibration_samples, "test": data.test_samples}[side]
        return range(first, first + (max(1, round(count * self._fraction)) if side == "train" else count))

    def _sample(self, lot: str, number: int, filament: float = 0.0, frames: int | None = None) -> list[Probe]:
        views = self._microscope.frames(lot, number, frames or self._data.frames_a_sample, filament=filament)
        return [Probe(view.pixels, lot, f"{lot}/{number}", f"{lot}/S{number:03d}/{k:03d}") for k, view in enumerate(views)]

    def _pick(self, count: int, rng: np.random.Generator) -> Fields:
        fields = self._fields("train")
        labels = rng.integers(0, fields.shape[0], count)
        used = len(self._numbers("train")) * self._data.fields_a_sample
        return _as_input(fields[labels, rng.integers(0, used, count)]), labels.astype(np.int64)

    def _fields(self, side: Side) -> NDArray[np.uint16]:
        """Shape (lots, fields of the side, 64, 64), the samples in order."""
        return self._train if side == "train" else self._calibration

    @cached_property
    def _train(self) -> NDArray[np.uint16]:
        return self._kept("train")

    @cached_property
    def _calibration(self) -> NDArray[np.uint16]:
        return self._kept("calibration")

    def _what(self, side: Side) -> str:
        data = self._data
        count = data.train_samples if side == "train" else data.calibration_samples
        first = 0 if side == "train" else data.train_samples
        per_sample = data.fields_a_sample if side == "train" else 4 * data.frames_a_sample
        return f"microscope {MICROSCOPE_VERSION} seed {data.seed} lots {data.lots} samples {first}+{count} fields {per_sample}"

    def _kept(self, side: Side) -> NDArray[np.uint16]:
        what = self._what(side)
        path = self._folder / f"fields-{hashlib.sha256(what.encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            data = self._data
            count = data.train_samples if side == "train" else data.calibration_samples
            first = 0 if side == "train" else data.train_samples
            per_sample = data.fields_a_sample if side == "train" else 4 * data.frames_a_sample
            orders = [_Order(data.seed, lot, first, count, per_sample) for lot in self.lots]
            with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
                rendered = np.stack(list(pool.map(_render, orders)))
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}.tmp")
            with beside.open("wb") as file:
                np.save(file, rendered)
            beside.replace(path)
        kept: NDArray[np.uint16] = np.load(path, mmap_mode="r")
        return kept


@dataclass(frozen=True, slots=True)
class _Order:
    seed: int
    lot: str
    first: int
    samples: int
    fields: int


def _render(order: _Order) -> NDArray[np.uint16]:
    microscope = VirtualMicroscope(order.seed)
    numbers = range(order.first, order.first + order.samples)
    return np.concatenate([microscope.fields(order.lot, number, order.fields) for number in numbers])


def _as_input(sums: NDArray[np.uint16]) -> NDArray[np.float32]:
    return np.asarray(sums[:, None].astype(np.float32) / np.float32(FULL_SCALE))
