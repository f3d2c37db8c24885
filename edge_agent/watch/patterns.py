"""Which paths belong to a stream."""

from __future__ import annotations

import fnmatch
import itertools
import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from edge_agent.core.formats import FRAME_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

UNFINISHED_SUFFIXES = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", ".swp", ".lock", "~")
HIDDEN_PREFIXES = (".", "~$")
SYSTEM_FOLDERS = frozenset({"$recycle.bin", "system volume information", "@eadir", "lost+found"})
COMPANION_SUFFIXES = frozenset({".txt", ".xml", ".hdr", ".json", ".ini", ".csv", ".meta", ".emi"})
SERIES_OF_AN_EMI = range(1, 10)
"""TIA's NAME.emi stands beside NAME_1.ser, and NAME_2.ser where two detectors were recorded."""
PATTERNS_OF_SETTINGS = {"setting.txt": ("Pattern.dat", "pattern.dat")}
"""NORDIF's EBSD patterns and their settings have names of their own."""
CLASS = re.compile(r"\[.+\]")


class PathFilter:
    """Tells a stream's files by pathlib's patterns; hidden and unfinished files, and those in such folders, never belong.

    >>> images = PathFilter(("**/*.tif",), ("scratch/**",))
    >>> images.takes("a/b.TIF"), images.takes("scratch/c.tif"), images.takes("a/.b.tif"), images.takes("a.part/b.tif")
    (True, False, False, False)
    """

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        self._include = re.compile("|".join(map(_to_expression, include)) or r"(?!)", re.IGNORECASE)
        self._exclude = re.compile("|".join(map(_to_expression, exclude)) or r"(?!)", re.IGNORECASE)

    def takes(self, path: str) -> bool:
        """Whether the file at `path` (relative, `/` between parts) is a frame file of the stream."""
        folder, _, name = path.rpartition("/")
        hidden = is_hidden(name) or lies_hidden(folder)
        return not hidden and bool(self._include.fullmatch(path)) and not self._exclude.fullmatch(path)

    def image_of(self, path: str, exists: Callable[[str], bool]) -> str | None:
        """The frame file whose side-car `path` is: same stem, the same name with another suffix behind it, or as its vendor names them."""
        suffix = PurePosixPath(path).suffix
        if suffix.lower() not in COMPANION_SUFFIXES or is_hidden(path.rpartition("/")[2]):
            return None
        return next((image for image in _images_beside(path, suffix) if self.takes(image) and exists(image)), None)


def _images_beside(path: str, suffix: str) -> Iterator[str]:
    """Names that the frame file of a side-car may have."""
    stem = path.removesuffix(suffix)
    folder, _, name = path.rpartition("/")
    if suffix.lower() == ".emi":
        yield from (f"{stem}_{number}{spelled}" for number in SERIES_OF_AN_EMI for spelled in (".ser", ".SER"))
        return
    yield from (f"{folder}/{image}" if folder else image for image in PATTERNS_OF_SETTINGS.get(name.lower(), ()))
    yield stem
    yield from (stem + spelled for known in FRAME_SUFFIXES for spelled in (known, known.upper()))
    before, dash, kind = stem.rpartition("-")
    if suffix.lower() == ".hdr" and dash:
        yield f"{before}.{kind}"  # Tescan's NAME-tif.hdr


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none of a stream's business."""
    return name.startswith(HIDDEN_PREFIXES) or name.lower().endswith(UNFINISHED_SUFFIXES) or name.lower() in SYSTEM_FOLDERS


@lru_cache(maxsize=1024)
def lies_hidden(folder: str) -> bool:
    """Whether a folder, "/" between parts, or one that it lies in, is none of a stream's business; "" is not."""
    return any(is_hidden(part) for part in folder.split("/"))


def may_be_companion(name: str) -> bool:
    """Whether the name alone allows a file to be a side-car."""
    return PurePosixPath(name).suffix.lower() in COMPANION_SUFFIXES


def natural_key(path: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts as a person would: frame_9 before frame_10.

    >>> sorted(["f10.tif", "f9.tif"], key=natural_key)
    ['f9.tif', 'f10.tif']
    """
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", path) if part)


def _to_expression(pattern: str) -> str:
    """A pathlib pattern as a regular expression: `**` stands for any number of folders, at the end for everything below."""
    parts = pattern.replace("\\", "/").strip("/").split("/")
    expression = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            expression += ".*" if last else "(?:[^/]+/)*"
        else:
            expression += _segment(part) + ("" if last else "/")
    return f"(?:{expression})"


def _segment(part: str) -> str:
    """One part of a pattern: *, ? and [...] as in the shell, none of which matches a `/`.

    What stands between two stars is taken where it first fits, for good: a name that almost fits is not tried in every way there is.
    """
    pieces = re.split(r"(\*|\?|\[!?\]?[^\]]*\])", part)
    begins, *further = [_fixed(list(chunk)) for star, chunk in itertools.groupby(pieces, "*".__eq__) if not star]
    if not further:
        return begins + ("[^/]*" if "*" in pieces else "")
    *between, ends = further
    return begins + "".join(f"(?>[^/]*?{chunk})" for chunk in between if chunk) + f"[^/]*{ends}"


def _fixed(pieces: list[str]) -> str:
    """What stands between stars: as many characters as it is long."""
    return "".join("[^/]" if piece == "?" else _character_class(piece) if CLASS.fullmatch(piece) else re.escape(piece) for piece in pieces)


def _character_class(piece: str) -> str:
    """As the shell understands it: an empty range holds nothing, and `[!]` is no class."""
    return f"(?!/){fnmatch.translate(piece)[len('(?s:') : -len(')$Z')]}"
