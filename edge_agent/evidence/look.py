"""Reads the wanted frames again, and believes only those whose pixels are the ones that were judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from edge_agent.core.errors import FrameRejectedError
from edge_agent.evidence.task import COMPARED, Standing
from edge_agent.frames import decode_portion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.frame import Frame
    from edge_agent.evidence.task import Wanted
    from edge_agent.frames import DecodeLimits

UNREADABLE = frozenset({"unreadable", "too_large", "decoder_failed"})
"""Causes of a refusal that may lie in the disk or in the memory left; any other lies in the file, which was good when it was judged."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A wanted frame, its standing, and the frame where it can be shown."""

    wanted: Wanted
    standing: Standing
    frame: Frame | None = None


def look(wanted: Sequence[Wanted], limits: DecodeLimits) -> list[Seen]:
    """Every wanted frame, in order; a file that holds several is read once, a stack portion by portion."""
    held: dict[str, dict[int, Frame] | Standing] = {}
    last_use = {one.name: place for place, one in enumerate(wanted)}
    seen = []
    for place, one in enumerate(wanted):
        if one.frame_index not in (known := held.get(one.name, {})) and not isinstance(known, Standing):
            held[one.name] = _read(one, limits)
        seen.append(_recognised(one, held[one.name]))
        if last_use[one.name] == place:
            del held[one.name]  # a stack's other frames need not stay in memory
    return seen


def compared(before: Sequence[Wanted], limits: DecodeLimits) -> list[tuple[int, Seen]]:
    """The first few of `before` that can be shown, with their places, in order of time: the later ones come first in `before`."""
    found = []
    for place, one in enumerate(before):
        (seen,) = look([one], limits)
        if seen.frame is not None:
            found.append((place, seen))
        if len(found) == COMPARED:
            break
    return found[::-1]


def _read(wanted: Wanted, limits: DecodeLimits) -> dict[int, Frame] | Standing:
    if PurePath(wanted.name).is_absolute() or ".." in PurePath(wanted.name).parts or PurePath(wanted.name).drive:
        return Standing.GONE  # no name in the journal is like this; if one ever is, it is not followed
    try:
        portion = decode_portion(str(wanted.root / wanted.name), wanted.name, limits, first=wanted.frame_index)
        return {frame.frame_index: frame for frame in portion.frames}
    except FrameRejectedError as rejected:
        if rejected.cause == "vanished":
            return Standing.GONE
        return Standing.UNREADABLE if rejected.cause in UNREADABLE else Standing.CHANGED


def _recognised(wanted: Wanted, held: dict[int, Frame] | Standing) -> Seen:
    if isinstance(held, Standing):
        return Seen(wanted, held)
    frame = held.get(wanted.frame_index)
    if frame is None or wanted.content_hash != frame.content_hash:
        return Seen(wanted, Standing.CHANGED)
    return Seen(wanted, Standing.SHOWN, frame)
