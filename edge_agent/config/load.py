"""From a TOML file and the environment to settings, or to one line that says what is wrong with them."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import platformdirs
from pydantic import BaseModel, ValidationError

from edge_agent.config.settings import Settings
from edge_agent.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

PREFIX = "EDGE_AGENT__"
S = TypeVar("S", bound=BaseModel)


def find_configuration(given: Path | None, environment: Mapping[str, str] | None = None) -> Path:
    """The file to use: `given`, else $EDGE_AGENT_CONFIG, else ./edge-agent.toml, else the platform's place."""
    environment = os.environ if environment is None else environment
    if given is not None:
        return given
    if named := environment.get("EDGE_AGENT_CONFIG"):
        return Path(named)
    here = Path("edge-agent.toml")
    return here if here.exists() else Path(platformdirs.user_config_dir("edge-agent", appauthor=False)) / "edge-agent.toml"


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check `path`; EDGE_AGENT__SECTION__KEY in the environment wins. Raises ConfigurationError."""
    environment = os.environ if environment is None else environment
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(
            str(path), "there is no such configuration file", "write one with `edge-agent init`, or name it with --config"
        ) from None
    except OSError as error:
        raise ConfigurationError(str(path), error.strerror or "it cannot be read", "check the path and its permissions") from None
    except UnicodeDecodeError:
        raise ConfigurationError(str(path), "it is not UTF-8 text", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(path), f"it is not TOML: {error}{_backslash_hint(path)}", "mend that line") from None
    _overlay(table, environment)
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise _explain(path, error.errors()[0], table) from None
    return resolve_paths(settings, path.parent)


def resolve_paths(settings: Settings, base: Path) -> Settings:
    """Make relative paths relative to the configuration file's folder, and fill in the state directory."""
    agent = settings.agent.model_copy(
        update={
            "state_dir": _absolute(settings.agent.place, base),
            "model_dirs": tuple(_absolute(folder, base) for folder in settings.agent.model_dirs),
        }
    )
    streams = tuple(
        stream.model_copy(update={"path": _absolute(stream.path, base), "model": _with_absolute_files(stream.model, base)})
        for stream in settings.stream
    )
    kafka = settings.kafka and _with_absolute_files(settings.kafka, base)
    alert, http = _with_absolute_files(settings.alert, base), _with_absolute_files(settings.http, base)
    return settings.model_copy(update={"agent": agent, "stream": streams, "kafka": kafka, "alert": alert, "http": http})


def _with_absolute_files(section: S, base: Path) -> S:
    """`section` with the files it names looked for beside the configuration file."""
    files = {name: _absolute(value, base) for name in type(section).model_fields if isinstance(value := getattr(section, name), Path)}
    return section.model_copy(update=files)


def _absolute(path: Path, base: Path) -> Path:
    return Path(os.path.abspath(base / path.expanduser()))  # noqa: PTH100 - resolve() would turn mapped drives and links into other names


def _backslash_hint(path: Path) -> str:
    if re.search(r'"[A-Za-z]:\\', path.read_text(encoding="utf-8-sig")):
        return " (write Windows paths with / or in single quotes)"
    return ""


def _overlay(table: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Lay EDGE_AGENT__SECTION__KEY over `table`; lists and tables are TOML, all else text."""
    for name, text in environment.items():
        if not name.upper().startswith(PREFIX):
            continue
        *sections, key = name[len(PREFIX) :].lower().split("__")
        place: Any = table
        for section in sections:
            if isinstance(place, list):
                try:
                    place = place[int(section)]
                except (ValueError, IndexError):
                    raise ConfigurationError(
                        name, f"{section!r} is no stream's number", "number streams from 0, as in EDGE_AGENT__STREAM__0__PATH"
                    ) from None
            else:
                place = place.setdefault(section, {})
            if not isinstance(place, dict | list):
                raise ConfigurationError(name, f"{section!r} is a value, not a section", "correct or unset this variable")
        if not isinstance(place, dict):
            raise ConfigurationError(
                name, "it names no setting", "name it as EDGE_AGENT__SECTION__KEY, streams as EDGE_AGENT__STREAM__0__KEY"
            )
        place[key] = _value(text)


def _value(text: str) -> Any:
    """Lists and tables are written as in the file; all else is text, from which a setting's type makes what it needs."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(path: Path, error: ErrorDetails, table: dict[str, Any]) -> ConfigurationError:
    where = _where(error["loc"], table)
    if error["type"] == "extra_forbidden":
        known = _known_names(error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return ConfigurationError(str(path), f"{where} is no setting", remedy)
    if error["type"] == "missing":
        return ConfigurationError(str(path), f"{where} is missing", "add it; `edge-agent config schema` tells its form")
    said = error["msg"].removeprefix("Value error, ")
    return ConfigurationError(
        str(path),
        f"{where}: {said[0].lower()}{said[1:]}" if not said.startswith("'") else f"{where}: {said}",
        "correct it; `edge-agent config schema` tells its form",
    )


def _where(location: tuple[int | str, ...], table: dict[str, Any]) -> str:
    """Name a setting as a reader of the file would: `[stream sem] model.name`."""
    if not location:
        return "the file"
    if location[0] == "stream" and len(location) > 1 and isinstance(location[1], int):
        streams = table.get("stream")
        stream = streams[location[1]] if isinstance(streams, list) and location[1] < len(streams) else {}
        named = stream.get("name", location[1]) if isinstance(stream, dict) else location[1]
        return f"[stream {named}] {'.'.join(map(str, location[2:]))}".rstrip()
    if len(location) == 1:
        return f"[{location[0]}]"
    return f"[{location[0]}] {'.'.join(map(str, location[1:]))}"


def _known_names(location: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = Settings
    for part in location:
        if isinstance(part, str) and part in section.model_fields:
            section = _section_of(section.model_fields[part].annotation) or section
    return list(section.model_fields)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _section_of(part))), None)
