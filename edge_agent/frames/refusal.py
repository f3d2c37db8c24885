"""How a file is refused."""

from __future__ import annotations

from typing import NoReturn

from edge_agent.core.errors import FrameRejectedError

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
    raise FrameRejectedError(name, cause, clear(reason), remedy or REMEDIES[cause])


def clear(text: str) -> str:
    r"""`text` on one line of at most LONGEST characters, without those that a terminal obeys or that turn its direction.

    >>> clear("holds \x1b[2J\n 1\u202e bytes")
    'holds ?[2J 1? bytes'
    """
    line = " ".join(text[: 2 * LONGEST].split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:LONGEST]
