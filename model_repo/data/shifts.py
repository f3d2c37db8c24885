"""The frames an evaluation asks about: known lots, and each kind of frame that is not one."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.simulate import Filament
from model_repo.data.micrographs import read_grey, read_micrographs
from model_repo.data.source import Kind, Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from model_repo.data.micrographs import Micrograph
    from model_repo.data.split import Split

STRENGTHS = {"mild": 0.5, "moderate": 1.0, "strong": 2.0}
TILES_A_SLICE = 12  # neighbouring melt-pool tiles overlap by half: more would only repeat pixels
PHOTOGRAPHS = ("camera", "coins", "moon", "page", "text", "brick", "grass", "gravel", "cell", "horse")


def kinds(split: Split, folder: Path, test: Sequence[Probe], seed: int) -> Iterator[Kind]:
    """Every kind of shifted frame that this machine has the sources for."""
    for strength_name, strength in STRENGTHS.items():
        changed = [
            replace(probe, pixels=np.asarray(Filament(strength).apply(probe.pixels, np.random.default_rng((seed, k))), np.uint8))
            for k, probe in enumerate(test)
        ]
        yield Kind(f"filament {strength_name} ({strength:g})", "simulated", tuple(changed))
    unseen = split.on("unseen")
    for lot in sorted({entry.lot for entry in unseen}):
        chosen = []
        for group in sorted({entry.group for entry in unseen if entry.lot == lot}):
            tiles = [entry for entry in unseen if entry.lot == lot and entry.group == group]
            places = np.unique(np.linspace(0, len(tiles) - 1, TILES_A_SLICE).round().astype(int))
            chosen += [tiles[place] for place in places]
        yield Kind(f"unseen {lot}", "real", tuple(_unseen(m) for m in read_micrographs(folder, chosen)))
    spheroidite = sorted((folder / "spheroidite").glob("*.png"))
    if spheroidite:
        probes = [Probe(read_grey(p, p.name), "", p.name.split("_")[1].rsplit("-", 1)[0], p.name) for p in spheroidite]
        yield Kind("unseen spheroidite (not shipped)", "real", tuple(probes))
    yield Kind("unrelated photographs", "real", tuple(photographs()))
    rng = np.random.default_rng(seed)
    yield Kind("unrelated gradients", "generated", tuple(_generated("gradient", _gradient, rng)))
    yield Kind("unrelated noise", "generated", tuple(_generated("noise", _noise, rng)))


def _unseen(micrograph: Micrograph) -> Probe:
    entry = micrograph.entry
    return Probe(micrograph.pixels, "", f"{entry.lot}/{entry.group}", entry.path)


def photographs() -> Iterator[Probe]:
    """What scikit-learn and scikit-image carry in their packages; those they would download are left out."""
    from sklearn.datasets import load_sample_images  # noqa: PLC0415 - an extra, and slow to import

    bundle = load_sample_images()
    for name, image in zip(bundle.filenames, bundle.images, strict=True):
        stem = Path(str(name)).stem
        yield Probe(image.mean(axis=2).astype(np.uint8), "", stem, stem)
    folder = files("skimage") / "data"
    for name in PHOTOGRAPHS:
        path = folder / f"{name}.png"
        if path.is_file():
            yield Probe(read_grey(Path(str(path)), name), "", name, name)


def _generated(
    name: str, make: Callable[[np.random.Generator], NDArray[np.float64]], rng: np.random.Generator, count: int = 12
) -> Iterator[Probe]:
    for k in range(count):
        yield Probe((np.clip(make(rng), 0, 1) * 255).round().astype(np.uint8), "", f"{name} {k}", f"{name} {k}")


def _gradient(rng: np.random.Generator) -> NDArray[np.float64]:
    y, x = np.mgrid[0:512, 0:512] / 511
    low, high = np.sort(rng.uniform(0, 1, 2))
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    return np.asarray(low + (high - low) * (along - along.min()) / np.ptp(along))


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.normal(rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.5), (512, 512))
