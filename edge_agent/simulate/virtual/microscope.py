"""A microscope that images specimens which never were: frames for a folder and fields for training, from the same exposures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from edge_agent.core.errors import ConfigurationError
from edge_agent.simulate.column import Filament
from edge_agent.simulate.source_real import View
from edge_agent.simulate.virtual.column import Column
from edge_agent.simulate.virtual.lots import find_lot, lot_number
from edge_agent.simulate.virtual.specimen import SPOT_PX, Specimen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

MICROSCOPE_VERSION: Final = "1"
"""Of everything that decides a pixel: lots, specimens, column and random streams. Frozen by the tag microscope-1."""
FRAME_PX: Final = 256
FIELD_PX: Final = 128
INPUT_PX: Final = 64
FIELDS_A_FRAME: Final = (FRAME_PX // FIELD_PX) ** 2
FRAMES_A_SPOT: Final = (SPOT_PX // FRAME_PX) ** 2
SPOTS_A_ROW: Final = 4
_SPECIMEN, _COLUMN, _SPOT, _FRAME = range(4)


class VirtualMicroscope:
    """Images samples of the lots; the same seed shows the same samples.

    Every random stream is `default_rng((seed, lot, sample, kind, number))`, with lot as in `lot_number` and kind 0 for the
    specimen, 1 for the operator's settings, 2 for spot `number`, 3 for the noise of frame `number`. So no frame depends on how
    many are asked for, in which order, or through which of the two calls; and a filament change or another column shows the
    same specimen with the same noise numbers.

    Samples of a lot differ more than frames of a sample do, in mean grey level and mean gradient for every known lot. A single
    field is a quarter of a frame and holds few of the coarse particles: from 900 nm on, its share of pores mostly scatters more within a
    sample than between samples, and for some lots so do the other two.

    Args:
        seed: draws samples and frames; the lots are fixed.
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ConfigurationError(f"seed {seed}", "is below 0", "choose 0 or more")
        self.seed = seed

    def specimen(self, lot: str, sample: int) -> Specimen:
        """Sample number `sample` of `lot`; raises ConfigurationError for an unknown lot or a number below 0."""
        return Specimen.draw(find_lot(lot), self._stream(lot, sample, _SPECIMEN))

    def column(self, lot: str, sample: int) -> Column:
        """The column as the operator set it for that sample."""
        return Column.draw(self._stream(lot, sample, _COLUMN))

    def frames(self, lot: str, sample: int, count: int, *, filament: float = 0.0, column: Column | None = None) -> Iterator[View]:
        """Visit `count` frames of a sample in a raster.

        Args:
            lot: one of KNOWN_LOTS or UNSEEN_LOTS.
            sample: the sample's number, from 0.
            count: frames.
            filament: strength of a filament change, from 0 to below 5.
            column: the operator's own settings for the sample by default.

        Returns:
            Views of 256 x 256 pixels, uint8, each made when it is asked for.

        Raises:
            ConfigurationError: there is no such lot, sample, count or strength.
        """
        self._check(lot, sample, count, filament)
        return (
            View(frame, *frame_corner(number))
            for spot, pixels in self._spots(lot, sample, count, filament, column)
            for number, frame in enumerate(pixels, spot * FRAMES_A_SPOT)
        )

    def fields(self, lot: str, sample: int, count: int, *, filament: float = 0.0, column: Column | None = None) -> NDArray[np.uint16]:
        """The same frames as training arrays: four fields a frame, as `edge_agent.inference.tile` cuts them at 128 px to 64 px.

        Args and errors as for `frames`, with `count` fields.

        Returns:
            Shape (count, 64, 64), sums of 2 x 2 recorded pixels, 0 to 1020; divided by 1020 they lie in [0, 1].
        """
        self._check(lot, sample, count, filament)
        found = [np.empty((0, INPUT_PX, INPUT_PX), np.uint16)]
        found += [_cut(pixels) for _, pixels in self._spots(lot, sample, -(-count // FIELDS_A_FRAME), filament, column)]
        return np.concatenate(found)[:count]

    def _spots(self, lot: str, sample: int, frames: int, filament: float, column: Column | None) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Spot numbers and their frames, shape (up to 4, 256, 256)."""
        specimen = self.specimen(lot, sample)
        column = column or self.column(lot, sample)
        for spot in range(-(-frames // FRAMES_A_SPOT)):
            first = spot * FRAMES_A_SPOT
            numbers = range(first, min(first + FRAMES_A_SPOT, frames))
            emission = specimen.spot(self._stream(lot, sample, _SPOT, spot))
            signal = _split(column.expose(emission, FRAME_PX, filament), FRAME_PX)[: len(numbers)]
            yield spot, column.detect(signal, [self._stream(lot, sample, _FRAME, number) for number in numbers], filament)

    def _stream(self, lot: str, sample: int, kind: int, number: int = 0) -> np.random.Generator:
        if sample < 0:
            raise ConfigurationError(f"sample {sample}", "is below 0", "samples count from 0")
        return np.random.default_rng((self.seed, lot_number(lot), sample, kind, number))

    def _check(self, lot: str, sample: int, count: int, filament: float) -> None:
        self._stream(lot, sample, _SPECIMEN)
        if count < 0:
            raise ConfigurationError(f"a count of {count}", "is below 0", "ask for 0 or more")
        try:
            Filament(filament)
        except ValueError as error:
            raise ConfigurationError(f"filament strength {filament:g}", str(error), "choose a strength in that range") from None


def frame_corner(number: int) -> tuple[int, int]:
    """Top and left of a frame on the specimen, pixels: spots in a raster, in each of them its frames in a raster."""
    spot, inside = divmod(number, FRAMES_A_SPOT)
    row, column = divmod(spot, SPOTS_A_ROW)
    down, right = divmod(inside, SPOT_PX // FRAME_PX)
    return row * SPOT_PX + down * FRAME_PX, column * SPOT_PX + right * FRAME_PX


def _split(image: NDArray[T], px: int) -> NDArray[T]:
    """Squares of `px` from the last two axes, row-major, on one new leading axis."""
    *_, height, width = image.shape
    squares = image.reshape(-1, height // px, px, width // px, px).swapaxes(2, 3)
    return squares.reshape(-1, px, px)


def _cut(frames: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Fields of frames (frames, 256, 256), 2 x 2 pixels summed; shape (4 frames, 64, 64)."""
    by_rows = frames[:, 0::2].astype(np.uint16)
    by_rows += frames[:, 1::2]
    return _split(by_rows[:, :, 0::2] + by_rows[:, :, 1::2], INPUT_PX)
