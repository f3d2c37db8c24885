"""A client's connection, which lasts no longer than a client needs that means well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

EXCHANGE_S = 10.0
"""How long a client may take over a request, or over fetching its answer."""


class BoundedConnection(H11Protocol):
    """Ends what uvicorn leaves open for good: a client that sends no whole request, or does not fetch the answer.

    uvicorn itself ends a connection that rests between two requests; asyncio one that does not finish the TLS handshake.
    """

    _limit: asyncio.TimerHandle | None = None
    _was_answered = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A client is there, and is to ask for something."""
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """A part of a request is here; the first one of it counts."""
        if self._limit is None:
            self._begin()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """The answer is handed over; what is left of it in the buffer, or of a next request, has its own time."""
        self._end()
        self._was_answered = True
        super().on_response_complete()
        if not self._rests():
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._end()
        super().connection_lost(exc)

    def _rests(self) -> bool:
        return self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0] and not self.transport.get_write_buffer_size()

    def _begin(self) -> None:
        self._end()
        self._limit = self.loop.call_later(EXCHANGE_S, self._is_over)

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _is_over(self) -> None:
        self._limit = None
        if not (self._was_answered and self._rests()):
            self.transport.abort()  # close() would wait until the client has fetched what is buffered
