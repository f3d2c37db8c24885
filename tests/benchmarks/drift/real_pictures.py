"""Real pictures and the stage's visits to them: known lots that no network was trained on, lots it never saw, photographs.

A picture is one file; a source is what is independent of every other source (a spot, an imaging session, a scan, a slice). Two visits to
one picture show the same material, and often the same pixels: they are one look at it, not two samples.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import EdgeAgentError
from edge_agent.simulate import Filament, read_as_grey, visit
from model_repo.data.shifts import photographs
from model_repo.data.split import load_split
from tests.benchmarks.drift.scored import ScoredVisits
from tests.benchmarks.drift.study import STRENGTHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.data.split import Side, Split

SEED = 2021
CALM_FRAMES = 24
"""Of a picture while nothing is wrong, as many as `model-repo calibrate` takes."""
OTHER_FRAMES = 8
"""Of a picture through another filament, of one visited again without a change, or of an unseen lot."""
PHOTOGRAPH_FRAMES = 4
TILES = 4
"""Of a melt-pool slice; neighbouring tiles overlap by half."""


@dataclass(frozen=True, slots=True)
class RealVisit:
    """The stage's visit to one picture.

    Attributes:
        lot: true lot, "" for a photograph.
        source: what the picture is not independent of.
        picture: its name.
        content: SHA-256 of it, hexadecimal.
        frames: fields of view.
        filament: strength of the filament change that is simulated on them.
    """

    lot: str
    source: str
    picture: str
    content: str
    frames: int
    filament: float = 0.0

    @property
    def label(self) -> str:
        """Lot and source."""
        return f"{self.lot or 'photograph'}-{self.source}".replace("/", "-")


@dataclass(frozen=True)
class Picture:
    """One real picture; `read` gives its grey levels, uint8 (height, width)."""

    lot: str
    source: str
    name: str
    content: str
    read: Callable[[], NDArray[np.uint8]] = field(repr=False, compare=False)

    def visit(self, frames: int, filament: float = 0.0) -> RealVisit:
        """A visit to it."""
        return RealVisit(self.lot, self.source, self.name, self.content, frames, filament)

    @property
    def calm(self) -> RealVisit:
        """The visit while nothing is wrong."""
        return self.visit(CALM_FRAMES)


@dataclass(frozen=True)
class RealPictures:
    """All of them.

    Attributes:
        train: known lots, shown to the networks; of these only the acquisition statistics count, as in the shipped calibration.
        calibration, test: known lots, not trained on.
        unseen: lots that no network saw.
        unrelated: photographs.
    """

    train: tuple[Picture, ...]
    calibration: tuple[Picture, ...]
    test: tuple[Picture, ...]
    unseen: tuple[Picture, ...]
    unrelated: tuple[Picture, ...]

    @property
    def known(self) -> tuple[Picture, ...]:
        """Known lots that were not trained on."""
        return self.calibration + self.test

    def visits(self) -> list[RealVisit]:
        """Everything that is scored, in the order in which it is worth having."""
        return [
            *(picture.calm for picture in self.known),
            *(picture.visit(OTHER_FRAMES) for picture in self.unseen),
            *(picture.visit(OTHER_FRAMES, strength) for strength in (0.0, *STRENGTHS) for picture in self.known),
            *(picture.visit(PHOTOGRAPH_FRAMES) for picture in self.unrelated),
        ]


def sources(pictures: Iterable[Picture]) -> dict[str, list[str]]:
    """The independent sources of each lot, sorted."""
    found: dict[str, set[str]] = {}
    for picture in pictures:
        found.setdefault(picture.lot, set()).add(picture.source)
    return {lot: sorted(found[lot]) for lot in sorted(found)}


def open_pictures(split: Path, data: Path) -> RealPictures:
    """The pictures of a committed split under `data`, spheroidite where it lies there, and the photographs in two packages.

    Raises:
        EdgeAgentError: a picture of the split is not there.
    """
    held = load_split(split)
    spheroidite = sorted((data / "spheroidite").glob("*.png"))
    return RealPictures(
        train=_side(held, "train", data),
        calibration=_side(held, "calibration", data),
        test=_side(held, "test", data),
        unseen=(*_tiles(_side(held, "unseen", data)), *(_picture(path, "spheroidite", _specimen(path.name)) for path in spheroidite)),
        unrelated=tuple(_photographs()),
    )


class RealPool(ScoredVisits[RealVisit]):
    """Visits to real pictures, scored by one served model.

    Args:
        model: a served model's folder.
        folder: keeps the scores.
        pictures: what can be visited.
    """

    def __init__(self, model: Path, folder: Path, pictures: RealPictures) -> None:
        super().__init__(model, folder, f"real-{SEED}")
        self._read = {picture.content: picture.read for picture in (*pictures.known, *pictures.unseen, *pictures.unrelated)}

    def pixels(self, visit: RealVisit) -> Iterator[NDArray[np.uint8]]:
        """Fields of view, as `edge-agent simulate --source real` shows them; each filament sees other ones."""
        return fields_of_view(self._read[visit.content](), visit)


def fields_of_view(picture: NDArray[np.uint8], wanted: RealVisit) -> Iterator[NDArray[np.uint8]]:
    """A visit's frames, uint8 (side, side)."""
    rng = np.random.default_rng((SEED, int(wanted.content[:8], 16), round(100 * wanted.filament)))
    filament = Filament(wanted.filament)
    for view in visit(picture, wanted.frames, rng):
        yield np.asarray(filament.apply(view.pixels, rng), np.uint8)


def _side(split: Split, side: Side, data: Path) -> tuple[Picture, ...]:
    return tuple(_picture(data / entry.path, entry.lot, entry.group) for entry in split.on(side))


def _picture(path: Path, lot: str, source: str) -> Picture:
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EdgeAgentError(str(path), f"cannot be read ({error.strerror})", "name the folder that holds the lots with --data") from error
    return Picture(lot, source, path.name, content, partial(read_as_grey, path))


def _tiles(pictures: tuple[Picture, ...]) -> Iterator[Picture]:
    """A few of each source, spread evenly."""
    for lot, held in sources(pictures).items():
        for source in held:
            tiles = [picture for picture in pictures if (picture.lot, picture.source) == (lot, source)]
            yield from (tiles[place] for place in np.unique(np.linspace(0, len(tiles) - 1, TILES).round().astype(int)))


def _photographs() -> Iterator[Picture]:
    for probe in photographs():
        content = hashlib.sha256(probe.pixels.tobytes()).hexdigest()
        yield Picture("", probe.name, probe.name, content, partial(np.asarray, probe.pixels))


def _specimen(name: str) -> str:
    """UHCSDB's files are named after the specimen and the micrograph on it."""
    return name.split("_")[1].rsplit("-", 1)[0]
