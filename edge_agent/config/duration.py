"""Durations as people write them: `0.5`, `500ms`, `2s`, `10min`, `12h`, `90d`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
LONGEST_S = 100 * 365 * 86400.0
"""A century: long enough for for ever, short enough for a calendar."""
_FORM = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|h|d|)\s*")


def seconds(value: object) -> object:
    """Turn a duration's text into seconds; numbers pass as they are.

    >>> seconds("90d")
    7776000.0
    """
    if isinstance(value, bool):
        raise ValueError("a duration is a number of seconds or a text such as 2s, not true or false")  # noqa: TRY004 - as pydantic wants it
    if not isinstance(value, str):
        return value
    found = _FORM.fullmatch(value)
    if not found:
        raise ValueError("a duration is a number of seconds or a text such as 500ms, 2s, 10min, 12h, 90d")
    return float(found[1]) * _SECONDS[found[2]]


_KEYWORDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""Bounds behind a validator keep pydantic's names in its JSON Schema."""


class _AlsoAsText:
    """Tells in the JSON Schema that the file may say it with a unit."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        number = {_KEYWORDS.get(name, name): value for name, value in handler(core).items()}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{_FORM.pattern}$"}], "examples": ["2s", "90d"]}


Duration = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=LONGEST_S, allow_inf_nan=False), _AlsoAsText()]
"""Seconds, written as a number or with a unit."""
