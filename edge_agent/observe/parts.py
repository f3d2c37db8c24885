"""How each part of the agent stands, and what that makes of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

PartStatus: TypeAlias = Literal["ok", "degraded", "unready"]

_ORDER: tuple[PartStatus, ...] = ("ok", "degraded", "unready")


@dataclass(frozen=True, slots=True)
class PartState:
    """One part's standing.

    Attributes:
        state: ok; degraded when the agent goes on without it, such as a broker that events wait for; unready when it cannot.
        reason: one line a person reads; "" when there is nothing to say.
    """

    state: PartStatus
    reason: str = ""


def overall(parts: Iterable[PartState]) -> PartStatus:
    """The worst of `parts`.

    >>> overall([PartState("ok"), PartState("degraded", "broker: buffering")])
    'degraded'
    """
    return max((part.state for part in parts), key=_ORDER.index, default="ok")
