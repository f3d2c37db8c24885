"""How a file is refused."""

from __future__ import annotations

from typing import NoReturn

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames.bounded import one_line

REMEDIES = {
    "empty": "look why the instrument wrote nothing, then save the frame again",
    "truncated": "copy or save the file again",
    "unsupported": "save it as grey TIFF or PNG, or exclude it",
    "wrong_type": "save it under its right name, or exclude it",
    "too_large": "save it in parts, or exclude it",
    "too_small": "exclude it, or save a larger frame",
    "not_finite": "look into the program that wrote it",
    "constant": "look at the detector and the beam",
    "unreadable": "give the agent's account the right to read it, then touch or save it again: a changed right alone is not noticed",
    "vanished": "nothing to do if it was meant to go",
    "decoder_failed": "look at the file with another program; exclude it if it is damaged, touch or save it to have it tried again",
}

LONGEST = 400
"""Characters of a reason."""


def refuse(name: str, cause: str, reason: str, remedy: str | None = None) -> NoReturn:
    """Raise FrameRejectedError with the cause's way out, unless there is a better one; the reason may quote the file."""
    raise FrameRejectedError(name, cause, one_line(reason, LONGEST), remedy or REMEDIES[cause])
