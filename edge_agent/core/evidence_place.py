"""Where the pictures of an episode's evidence lie within the state directory: events name it before anything is written."""

from __future__ import annotations

import hashlib
import re

FOLDER = "evidence"
STRIP = "strip.png"
LOCAL_MAP = "local-map.png"

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_DEVICES = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE)
"""Names that no file may have on Windows."""


def evidence_place(stream: str, episode: str) -> str:
    """The episode's folder relative to the state directory, with `/` between parts; always two folders below `evidence`.

    >>> evidence_place("sem", "0123456789abcdef")
    'evidence/sem/0123456789abcdef'
    >>> evidence_place("sem", "../../etc").count("/"), ".." in evidence_place("sem", "../../etc")
    (2, False)
    """
    return f"{FOLDER}/{_part(stream)}/{_part(episode)}"


def _part(name: str) -> str:
    """The name where it can be one folder on any system, else 32 hexadecimal digits that stand for it."""
    if _SAFE.fullmatch(name) and not _DEVICES.fullmatch(name):
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
