"""What every event's data have in common: flat, typed, and never a number that JSON or SQL cannot hold."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict

from edge_agent.core.clock import utc_of


def utc(nanoseconds: int) -> datetime:
    """The moment `nanoseconds` after the epoch, to the microsecond, without the rounding of floats."""
    return utc_of(nanoseconds)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _unicode(value: object) -> object:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A measured number; missing, NaN and infinite are null."""
Text = Annotated[str, BeforeValidator(_unicode)]
r"""Text; what is no Unicode in a file's name is shown as `\udcff`."""
Time = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""RFC 3339, UTC."""


class Payload(BaseModel):
    """An event's data: one flat JSON object."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())

    agent: Text
    """The agent's name."""
    emitted_at: Time
    """When the event was made."""

    def to_json(self) -> bytes:
        """The object, UTF-8."""
        return self.model_dump_json().encode()


class StreamPayload(Payload):
    """An event's data about one stream."""

    stream: Text
    """The stream's name."""
