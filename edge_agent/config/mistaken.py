"""What is wrong with a configuration, in one line: what, where, and what to do."""

from __future__ import annotations

import difflib
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from edge_agent.config.lines import line_of
from edge_agent.config.settings import Settings
from edge_agent.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from edge_agent.config.lines import Location

FORM = "correct it; `edge-agent config schema` tells its form"
EXAMPLES = {
    "tuple_type": ("it is a list", 'write it as {key} = ["...", "..."]'),
    "too_short": ("it is a list of one at least", 'write it as {key} = ["...", "..."]'),
    "string_type": ("it is text", 'write it as {key} = "..."'),
    "path_type": ("it is a path", 'write it as {key} = "..."'),
    "model_type": ("it is a table", "write its settings under a heading of its own, or as {key}.SETTING = ..."),
    "model_attributes_type": ("it is a table", "write its settings under a heading of its own, or as {key}.SETTING = ..."),
    "int_parsing": ("it is a whole number", FORM),
    "int_type": ("it is a whole number", FORM),
    "float_parsing": ("it is a number", FORM),
    "float_type": ("it is a number", FORM),
    "finite_number": ("it is a finite number", FORM),
}
"""What pydantic's commonest complaints mean in TOML."""
OTHER_WORDS = {"folder": "path", "directory": "path", "dir": "path", "suffixes": "include", "pattern": "include", "broker": "kafka"}
"""What people call a setting whose name is not near to theirs."""


def broken_texts(table: Any, place: Location = ()) -> Iterator[Location]:
    """Where texts hold control characters, as backslashes in double quotes make them."""
    if isinstance(table, dict):
        for name, value in table.items():
            yield from broken_texts(value, (*place, name))
    elif isinstance(table, list):
        for number, value in enumerate(table):
            yield from broken_texts(value, (*place, number))
    elif isinstance(table, str) and any(ord(character) < ord(" ") for character in table):
        yield place


@dataclass(frozen=True, slots=True)
class Mistaken:
    """A configuration in which something is wrong.

    Attributes:
        path, text: the file and what it says.
        table: the same with the environment over it.
        variables: which variable of the environment set what.
    """

    path: Path
    text: str
    table: Mapping[str, Any]
    variables: Mapping[Location, str]

    def broken(self, place: Location) -> ConfigurationError:
        """A text with control characters in it."""
        way_out = "write paths with /, or in single quotes: a backslash in double quotes means something else"
        return ConfigurationError(self._thing(place), f"{self._named(place)} holds a control character", way_out)

    def explain(self, errors: Sequence[ErrorDetails]) -> ConfigurationError:
        """The first error; further ones are counted."""
        error = min(errors, key=_rank)
        reason, way_out = self._reason(error)
        further = sum(other["loc"] != ("stream",) for other in errors if other is not error)  # streams that are wrong count as none, too
        more = f" ({further} more to mend)" if further else ""
        return ConfigurationError(self._thing(error["loc"]), reason, f"{way_out}{more}")

    def _thing(self, place: Location) -> str:
        for known, name in self.variables.items():
            if place[: len(known)] == known:
                return f"${name} (over {self.path})"
        line = line_of(self.text, place)
        return str(self.path) if line is None else f"{self.path}, line {line}"

    def _reason(self, error: ErrorDetails) -> tuple[str, str]:
        place, kind = error["loc"], error["type"]
        named, key = self._named(place), str(place[-1]) if place else ""
        if kind == "extra_forbidden":
            return f"{named} is no setting", _meant(place)
        if kind == "missing":
            return (
                ("[[stream]] is missing", "add one stream at least, with name, path and model.name; `edge-agent init` writes one")
                if place == ("stream",)
                else (f"{named} is missing", "add it; `edge-agent config schema` tells its form")
            )
        if place == ("stream",) and isinstance(self.table.get("stream"), dict):
            return "[stream] is one table", "begin each stream with [[stream]], in double brackets"
        if kind in EXAMPLES:
            what, way_out = EXAMPLES[kind]
            given = "" if _holds_secrets(place) else f", not {_shown(error['input'])}"
            return f"{named}: {what}{given}", way_out.format(key=key)
        said = error["msg"].removeprefix("Value error, ")
        return f"{named}: {said if said.startswith(chr(39)) else said[0].lower() + said[1:]}", FORM

    def _named(self, place: Location) -> str:
        """A setting as a reader of the file would name it: `[stream sem] model.name`."""
        if not place:
            return "the file"
        if place[0] == "stream" and len(place) > 1 and isinstance(place[1], int):
            streams = self.table.get("stream")
            stream = streams[place[1]] if isinstance(streams, list) and place[1] < len(streams) else {}
            named = stream.get("name", place[1]) if isinstance(stream, dict) else place[1]
            return f"[stream {named}] {'.'.join(map(str, place[2:]))}".rstrip()
        return f"[{place[0]}] {'.'.join(map(str, place[1:]))}".rstrip()


def _rank(error: ErrorDetails) -> int:
    """What is misspelt is missing, too, and streams that are wrong count as none: the cause comes first."""
    if error["loc"] == ("stream",) and error["type"] == "too_short":
        return 3
    return {"extra_forbidden": 0, "missing": 2}.get(error["type"], 1)


def _shown(value: object) -> str:
    text = {True: "true", False: "false"}.get(value, repr(value)) if isinstance(value, bool) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _meant(place: Location) -> str:
    """What an unknown name may have been meant for: a near one here, else the section that knows it."""
    name = str(place[-1])
    known = _known_names(place[:-1])
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if OTHER_WORDS.get(name) in known:
        return f"did you mean {OTHER_WORDS[name]!r}?"
    homes = [heading for heading, section in _sections() if name in section.model_fields]
    if homes and not difflib.get_close_matches(name, known, n=1, cutoff=0.85):
        return f"it belongs under {' or '.join(homes)}"
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"


def _sections(model: type[BaseModel] = Settings, heading: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section with the heading it is written under."""
    for name, field in model.model_fields.items():
        section = _section_of(field.annotation)
        if section is not None:
            path = f"{heading}.{name}" if heading else name
            yield (f"[[{path}]]" if path == "stream" else f"[{path}]"), section
            yield from _sections(section, path)


def _secrets() -> set[str]:
    """Settings whose values are never told."""
    return {name for _, section in _sections() for name, field in section.model_fields.items() if "Secret" in str(field.annotation)}


def _holds_secrets(place: Location) -> bool:
    """Whether what was given there may be a secret: a setting that is one, or a section that has one."""
    if place[-1] in _secrets():
        return True
    heading = ".".join(str(part) for part in place if isinstance(part, str))
    section = next((section for name, section in _sections() if name.strip("[]") == heading), None)
    return section is not None and not _secrets().isdisjoint(section.model_fields)


def _known_names(place: Location) -> list[str]:
    section: type[BaseModel] = Settings
    for part in place:
        if isinstance(part, str) and part in section.model_fields:
            section = _section_of(section.model_fields[part].annotation) or section
    return list(section.model_fields)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _section_of(part))), None)
