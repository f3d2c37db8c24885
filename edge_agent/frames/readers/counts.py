"""Counting detectors: pixels that count nothing, and pixels that cannot count any further.

A detector flags what it did not measure with values that no count can have: -1 and -2 for the gaps between modules and for dead pixels
(Dectris, and XDS after it), the largest 32-bit number where integers are unsigned (Eiger). As counts they would rule the frame's scale
and statistics, so they become 0, which is what a gap has counted, and their number is told. Saturated and hot pixels stay as they are;
how many reach the count that the file calls saturated is told. The full scale stays that of any integers, 65,535, until a count exceeds
it; then it is that count. So it never jumps, and weak frames keep their digits, which they would lose on the scale of a detector that
counts to a million.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLAGS = (-1, -2)


def counted(values: NDArray[Any], saturated: float | None = None, *, negative_counts: bool = True) -> tuple[NDArray[Any], dict[str, str]]:
    """The counts with flagged pixels at 0, and as `masked_pixels` and `saturated_pixels` how many there were, unless none.

    Args:
        values: counts; of what is not of integers nothing counts as flagged.
        saturated: the count from which on a pixel is saturated, where the file says so.
        negative_counts: whether the format may hold negative counts, as after a dark frame was taken off; then only a frame whose
            negative values are all -1 or -2 is taken for flagged. Otherwise every negative value is a flag.
    """
    flagged = _flagged(values, negative_counts=negative_counts)
    tally: dict[str, str] = {}
    if flagged is not None:
        tally["masked_pixels"] = str(int(np.count_nonzero(flagged)))
        values = np.where(flagged, values.dtype.type(0), values)
    if saturated is not None and (full := int(np.count_nonzero(values >= saturated))):
        tally["saturated_pixels"] = str(full)
    return values, tally


def _flagged(values: NDArray[Any], *, negative_counts: bool) -> NDArray[np.bool_] | None:
    flagged: NDArray[np.bool_] | None = None
    if values.dtype.kind == "i" and (not negative_counts or int(values.min()) >= min(FLAGS)):
        flagged = values < 0
    elif values.dtype.kind == "u" and values.dtype.itemsize == 4:
        flagged = values == np.iinfo(np.uint32).max
    return flagged if flagged is not None and flagged.any() else None
