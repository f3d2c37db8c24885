"""A network of our own: TCP from one loopback port to another, as slow, lossy or dead as its weather says.

Network namespaces with `tc qdisc ... netem` would do it in the kernel; they need the sch_netem module, which build machines lack.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Weather:
    """How bytes travel.

    Attributes:
        delay_s: how long each piece is held up, once and a half or half of it by chance.
        bytes_a_second: the most that passes in each direction; None for no limit.
        cut_after_bytes: after so many bytes, on average, a connection is reset in mid-stream; None for never.
        stalled: nothing passes, but connections stay.
        refused: connections are reset, and new ones are refused.
    """

    delay_s: float = 0.0
    bytes_a_second: float | None = None
    cut_after_bytes: float | None = None
    stalled: bool = False
    refused: bool = False


FAIR = Weather()
PIECE = 16_384
THROTTLED_PIECE = 1_024


class Proxy:
    """Listens on `port` and carries to `target_port`, both on loopback, from a thread of its own."""

    def __init__(self, port: int, target_port: int, seed: int) -> None:
        self.port = port
        self._target_port = target_port
        self._rng = random.Random(seed)
        self._weather = FAIR
        self._loop = asyncio.new_event_loop()
        self._cleared = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._change(FAIR))
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def change(self, weather: Weather) -> None:
        """The weather from now on."""
        self._call(self._change(weather))

    def _call(self, what) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    async def _change(self, weather: Weather) -> None:
        self._weather = weather
        if weather.refused:
            await self._close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self._cleared.clear() if weather.stalled else self._cleared.set()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def _end(self) -> None:
        await self._close()
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        ends = [writer]
        self._writers.add(writer)
        try:
            await self._cleared.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            ends.append(far_writer)
            self._writers.add(far_writer)
            await asyncio.gather(self._carry(reader, far_writer, ends), self._carry(far_reader, writer, ends))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in ends:
                end.transport.abort()
                self._writers.discard(end)
            self._carrying.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: list[asyncio.StreamWriter]) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(THROTTLED_PIECE if self._weather.bytes_a_second else PIECE):
                weather = self._weather
                if weather.delay_s:
                    await asyncio.sleep(weather.delay_s * self._rng.uniform(0.5, 1.5))
                if weather.bytes_a_second:
                    await asyncio.sleep(len(piece) / weather.bytes_a_second)
                if weather.cut_after_bytes and self._rng.random() < len(piece) / weather.cut_after_bytes:
                    writer.write(piece[: len(piece) // 2])
                    break
                await self._cleared.wait()
                writer.write(piece)
                await writer.drain()
        for end in ends:  # whichever way ends first ends both
            end.close()
