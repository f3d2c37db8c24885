"""Where in a TOML file a setting stands, for tomllib does not tell."""

from __future__ import annotations

import re
from typing import TypeAlias

Location: TypeAlias = "tuple[int | str, ...]"
PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
NAME = rf"{PART}(?:\s*\.\s*{PART})*"
TABLES = re.compile(rf"\s*\[\[\s*({NAME})\s*\]\]")
TABLE = re.compile(rf"\s*\[\s*({NAME})\s*\]")
KEY = re.compile(rf"\s*({NAME})\s*=")


def line_of(text: str, location: Location) -> int | None:
    """The line, from 1, of the setting at `location`; of the nearest table around it where it is not written itself; None at the top."""
    best: tuple[int, int | None] = (0, None)
    numbers: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.splitlines(), 1):
        if found := TABLES.match(line):
            name = _within(_parts(found[1]), numbers)
            numbers[name] = numbers.get(name, -1) + 1
            table = here = (*name, numbers[name])
        elif found := TABLE.match(line):
            table = here = _within(_parts(found[1]), numbers)
        elif found := KEY.match(line):
            here = (*table, *_parts(found[1]))
        else:
            continue
        if location[: len(here)] == here and len(here) > best[0]:
            best = (len(here), number)
    return best[1]


def _parts(name: str) -> Location:
    return tuple(part.strip("\"'") for part in re.findall(PART, name))


def _within(name: Location, numbers: dict[Location, int]) -> Location:
    """`[stream.drift]` is of the stream that was begun last."""
    place: Location = ()
    for part in name[:-1]:
        place = (*place, part)
        if place in numbers:
            place = (*place, numbers[place])
    return (*place, *name[-1:])
