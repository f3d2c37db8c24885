"""How a stream says which sample, or which declared lot, a frame belongs to."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from edge_agent.core.backtracking import ambiguity_of

if TYPE_CHECKING:
    from edge_agent.core.frame import Acquisition

LONGEST_PATH = 512
"""Searching takes up to the cube of a name's length: seconds at this one, hours at the longest that file systems have."""


@dataclass(frozen=True, slots=True)
class NameRule:
    """Reads a name off a frame's path or acquisition metadata.

    `folder` is the path's folder relative to the stream; `metadata:KEY` a field of Acquisition or a vendor key;
    `name:REGEX` the regular expression's one group, searched in the relative path, if that has at most LONGEST_PATH characters; `none`
    (or `predicted`) no name.

    >>> NameRule.parse("folder").read("A17/scan/0001.tif", None)
    'A17/scan'
    >>> NameRule.parse("name:(S[0-9]+)_").read("S12_0001.tif", None)
    'S12'
    """

    source: str
    argument: str = ""

    @classmethod
    def parse(cls, text: str) -> NameRule:
        """Read a rule; raises ValueError with the reason."""
        source, colon, argument = text.partition(":")
        if source in {"folder", "none", "predicted"} and not colon:
            return cls(source)
        if source == "metadata" and argument:
            return cls(source, argument)
        if source == "name" and argument:
            try:
                groups = re.compile(argument).groups
            except re.error as error:
                raise ValueError(f"{argument!r} is not a regular expression ({error})") from None
            if groups != 1:
                raise ValueError(f"{argument!r} has {groups} groups, exactly one is needed, as in name:(S[0-9]+)_")
            if ambiguity := ambiguity_of(argument):
                raise ValueError(f"{argument!r} can take for ever over some names ({ambiguity}); say what separates the repeated parts")
            return cls(source, argument)
        raise ValueError(f"{text!r} is none of folder, metadata:KEY, name:REGEX with one group, none")

    def read(self, path: str, acquisition: Acquisition | None) -> str | None:
        """The name for the frame at `path` (relative, `/` between parts), or None."""
        if self.source == "folder":
            folder = PurePosixPath(path).parent.as_posix()
            return None if folder == "." else folder
        if self.source == "name":
            found = re.search(self.argument, path) if len(path) <= LONGEST_PATH else None
            return found[1] if found else None
        if self.source == "metadata" and acquisition is not None:
            value = acquisition.extra.get(self.argument)
            if value is None and self.argument in {field.name for field in dataclasses.fields(acquisition)}:
                value = getattr(acquisition, self.argument)
            return None if value is None else str(value)
        return None
