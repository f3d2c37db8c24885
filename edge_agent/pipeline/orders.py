"""Operators' orders on their way to the agent: one file each, in a folder that only the agent's user may enter.

The journal belongs to the running agent alone, so whoever wants something of it leaves an order. An order waits for an agent that is
away; it is carried out once, whenever either side dies, because the journal knows its id.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Literal

import structlog
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from edge_agent.core.errors import ConfigurationError
from edge_agent.core.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger(__name__)

FOLDER = "orders"
LONGEST_BYTES = 65_536
"""No order is longer; whatever lies there and is, is not one."""

Said = Annotated[str, BeforeValidator(lambda said: " ".join(str(said).split())), StringConstraints(min_length=1, max_length=2000)]
"""What an operator says, on one line."""


class Order(BaseModel):
    """What an operator wants of a stream.

    Attributes:
        id: a UUID.
        verb: what is to be done.
        who, why: the operator's name and reason.
        asked_at_ns: nanoseconds since the epoch.
        stream: which stream; None where `episode` tells it.
        episode: ack, wrong: which episode; None for all open ones of the stream.
        since: rebase: a sample's name or a time; None for the onset of the open episode.
        baseline: restore: its identity.
        for_s: hold: for how long, seconds; None until it is released.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] = Field(default_factory=lambda: uuid.uuid4().hex)
    verb: Literal["ack", "wrong", "rebase", "restore", "hold", "release"]
    who: Said
    why: Said
    asked_at_ns: int
    stream: str | None = None
    episode: str | None = None
    since: str | None = None
    baseline: str | None = None
    for_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class Orders:
    """The folder `<state_dir>/orders`; blocking."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir.expanduser() / FOLDER

    def give(self, order: Order) -> None:
        """Leave an order for the agent, durably; raises ConfigurationError where this user may not."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path(order), order.model_dump_json().encode())
        except OSError as error:
            raise ConfigurationError(
                str(self._folder),
                f"the order cannot be written ({error.strerror or error})",
                "give it as the user that the agent runs as, for example with sudo -u edge-agent",
            ) from error

    def waiting(self, *, tidy: bool = True) -> list[Order]:
        """The orders that are there, oldest first; what is no order is put aside where `tidy`, else passed over."""
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            return []
        orders = []
        for path in paths:
            try:
                with path.open("rb") as file:
                    order = Order.model_validate_json(file.read(LONGEST_BYTES))
            except FileNotFoundError:
                continue
            except (OSError, ValidationError) as error:
                if not tidy:
                    continue
                log.warning("this is no order; it is put aside", path=str(path), reason=" ".join(str(error).split()))
                _put_aside(path)
                continue
            if path == self._path(order):
                orders.append(order)
            elif tidy:
                log.warning("this order was not left by edge-agent; it is put aside", path=str(path))
                _put_aside(path)
        return orders

    def done(self, order: Order) -> None:
        """Take away an order that the journal knows."""
        self._path(order).unlink(missing_ok=True)

    def _path(self, order: Order) -> Path:
        return self._folder / f"{order.asked_at_ns:020d}-{order.id}.json"


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_suffix(".refused"))
    except OSError as error:
        log.warning("it cannot be put aside either", path=str(path), reason=str(error))
