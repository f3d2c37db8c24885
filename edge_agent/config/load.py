"""From a TOML file and the environment to settings, or to one line that says what is wrong with them."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import platformdirs
from pydantic import BaseModel, ValidationError

from edge_agent.config.mistaken import Mistaken, broken_texts
from edge_agent.config.settings import AgentSettings, AlertSettings, HttpSettings, KafkaSettings, LogSettings, Settings, StreamSettings
from edge_agent.config.toml_text import parse, read_text
from edge_agent.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.config.lines import Location

PREFIX = "EDGE_AGENT__"
NEARLY = "EDGEAGENT__"
SECTIONS = (AgentSettings, StreamSettings, KafkaSettings, AlertSettings, HttpSettings, LogSettings)
KEYS = frozenset(key for section in SECTIONS for key in section.model_fields)
SECTION_AND_KEY = re.compile(rf"EDGE_?AGENT_+({'|'.join(Settings.model_fields)})_+(?:(\d+)_+)?(.+)", re.IGNORECASE)
OF_THE_AGENT = re.compile(rf"EDGE_?AGENT_+({'|'.join(AgentSettings.model_fields)})", re.IGNORECASE)
"""Variables that were meant for a setting, and would be passed over in silence."""
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
    text = read_text(path)
    table = parse(path, text)
    variables = _overlay(table, environment)
    mistaken = Mistaken(path, text, table, variables)
    if (place := next(broken_texts(table), None)) is not None:
        raise mistaken.broken(place)
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise mistaken.explain(error.errors()) from None
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


def _overlay(table: dict[str, Any], environment: Mapping[str, str]) -> dict[Location, str]:
    """Lay EDGE_AGENT__SECTION__KEY over `table`, and say which variable set what; lists and tables are TOML, all else text."""
    variables: dict[Location, str] = {}
    for name, text in environment.items():
        if not name.upper().startswith(PREFIX):
            if meant := _meant(name):
                raise ConfigurationError(name, "it sets nothing", f"name it {meant}, with two underscores between parts")
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
        variables[(*(int(section) if section.isdigit() else section for section in sections), key)] = name
    return variables


def _meant(name: str) -> str | None:
    """The right name of a variable that all but names a setting; Kubernetes has some of its own, such as EDGE_AGENT_HTTP_SERVICE_HOST."""
    if (found := SECTION_AND_KEY.fullmatch(name)) and found[3].lower().partition("__")[0] in KEYS:
        return PREFIX + "__".join(filter(None, found.groups()))
    if found := OF_THE_AGENT.fullmatch(name):
        return f"{PREFIX}AGENT__{found[1]}"
    return f"{PREFIX}{name[len(NEARLY) :]}" if name.upper().startswith(NEARLY) else None


def _value(text: str) -> Any:
    """Lists and tables are written as in the file; all else is text, from which a setting's type makes what it needs."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
