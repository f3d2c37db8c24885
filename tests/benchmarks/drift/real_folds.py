"""Calibrations on real pictures with one source of each lot left out, and the shipped one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.core.frame import AcquisitionStatistics
from edge_agent.drift import AlteredFrames, Calibration, CalibrationFrame, fit_calibration
from edge_agent.frames import measure
from tests.benchmarks.drift.real_pictures import CALM_FRAMES, OTHER_FRAMES, fields_of_view, sources
from tests.benchmarks.drift.scored import FULL_SCALE
from tests.benchmarks.drift.splits import FARTHEST
from tests.benchmarks.drift.study import STRENGTHS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tests.benchmarks.drift.library import Library
    from tests.benchmarks.drift.real_pictures import Picture, RealPictures, RealVisit

Acquired = dict[str, list[dict[str, Any]]]
"""Acquisition statistics of the training pictures' fields of view, by picture."""


@dataclass(frozen=True)
class Fold:
    """One calibration and the pictures it has not seen.

    Attributes:
        calibration: of the judge.
        held_out: pictures of sources that no calibration frame comes from.
        entropy: shape (library's frames,), raw H less the calibration frames' mean, over their standard deviation.
    """

    calibration: Calibration
    held_out: tuple[Picture, ...]
    entropy: NDArray[np.float64]

    @classmethod
    def of(cls, calibration: Calibration, held_out: Iterable[Picture], library: Library) -> Fold:
        """With the entropy as this calibration's frames would scale it."""
        usual = np.concatenate([lot.entropy for lot in calibration.lots.values()])
        entropy = np.clip((library.entropy - usual.mean()) / usual.std(ddof=1), -FARTHEST, FARTHEST)
        return cls(calibration, tuple(held_out), entropy)


def acquired(pictures: RealPictures) -> Acquired:
    """Measured as `model-repo calibrate` does, without the network, which was trained on them."""
    return {
        picture.name: [asdict(measure(pixels, FULL_SCALE)) for pixels in fields_of_view(picture.read(), picture.visit(CALM_FRAMES))]
        for picture in pictures.train
    }


def leave_one_source_out(pictures: RealPictures, library: Library, training: Acquired, *, model_digest: str, members: int) -> list[Fold]:
    """As many folds as the richest lot has sources; each leaves out one source of every lot that has another.

    A lot of fewer sources has each of them left out more than once. Signatures are those of the simulated filament changes, on the
    calibrating pictures.
    """
    there = {lot: held for lot, held in sources(pictures.known).items() if len(held) > 1}
    found = []
    for number in range(max(map(len, there.values()), default=0)):
        out = {(lot, held[number % len(held)]) for lot, held in there.items()}
        kept = [picture for picture in pictures.known if (picture.lot, picture.source) not in out]
        frames = [frame for picture in kept for frame in _frames(library, picture, picture.calm)]
        frames += [_measured(picture, row) for picture in pictures.train for row in training[picture.name]]
        altered = [
            AlteredFrames(
                "filament change",
                strength,
                [frame for picture in kept for frame in _frames(library, picture, picture.visit(OTHER_FRAMES, strength))],
            )
            for strength in STRENGTHS
        ]
        words = f"real micrographs without {', '.join('/'.join(pair) for pair in sorted(out))}"
        calibration = fit_calibration(frames, altered, model_digest=model_digest, members=members, source=words)
        found.append(Fold.of(calibration, (picture for picture in pictures.known if (picture.lot, picture.source) in out), library))
    return found


def _frames(library: Library, picture: Picture, visit: RealVisit) -> list[CalibrationFrame]:
    group = f"{picture.lot}/{picture.source}"
    return [CalibrationFrame(picture.lot, group, picture.name, frame.score, frame.statistics) for frame in library.of(visit)]


def _measured(picture: Picture, row: dict[str, Any]) -> CalibrationFrame:
    return CalibrationFrame(picture.lot, f"{picture.lot}/{picture.source}", picture.name, None, AcquisitionStatistics(**row))
