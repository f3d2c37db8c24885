"""What trying one part showed, and how a part is tried: on its own, so that one report names all that is wrong."""

from __future__ import annotations

import asyncio
import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_agent.core.errors import EdgeAgentError
from edge_agent.core.own_thread import OwnThread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

State: TypeAlias = Literal["fine", "mend", "note"]
PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        part: what was tried.
        state: fine; mend, with what to do; or note: nothing is wrong, or it could not be tried, and a person should know.
        said: what was found.
    """

    part: str
    state: State
    said: str

    @property
    def good(self) -> bool:
        """Whether nothing has to be mended."""
        return self.state != "mend"


def fine(part: str, said: str) -> Finding:
    """Nothing to do."""
    return Finding(part, "fine", said)


def note(part: str, said: str) -> Finding:
    """Something to know."""
    return Finding(part, "note", said)


def mend(part: str, said: str) -> Finding:
    """Something to do."""
    return Finding(part, "mend", said)


async def tried(part: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a blocking check finds; one that fails or hangs is a finding itself."""
    thread = OwnThread(f"doctor {part}")
    try:
        return await awaited(part, thread.call(lambda: list(check())))
    finally:
        thread.end()


async def awaited(part: str, check: Awaitable[list[Finding]]) -> list[Finding]:
    """The same for one that does not block."""
    try:
        return await asyncio.wait_for(check, PATIENCE_S)
    except EdgeAgentError as error:
        return [mend(part, str(error))]
    except TimeoutError:
        return [mend(part, f"no answer within {PATIENCE_S:.0f} s; look at the drive, the address, and whether the server runs")]
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return [mend(part, f"{said}; look at the address, the path, and whether another program holds it")]
