"""A server at a distance: a TCP proxy on loopback that holds everything back for a while, in both directions.

What arrives together leaves together: bytes are delayed, never slowed down, as by a long line. Runs in a thread.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Self


class DelayProxy:
    """Listens on `port` and passes on to `target`; a round trip takes `seconds` longer than without."""

    def __init__(self, target: int, seconds: float) -> None:
        self._target, self._delay = target, seconds / 2
        self.port = 0
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="delay-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise TimeoutError("the delaying proxy did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(self._accept, "127.0.0.1", 0, backlog=500)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()

    def _accept(self) -> asyncio.Protocol:
        near, far = _Side(self._loop, self._delay), _Side(self._loop, self._delay)
        near.other, far.other = far, near
        self._task = self._loop.create_task(self._connect(far))
        return near

    async def _connect(self, far: _Side) -> None:
        with suppress(OSError):
            await self._loop.create_connection(lambda: far, "127.0.0.1", self._target)


class _Side(asyncio.Protocol):
    """One of the two connections; what it hears, the other says later."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self._loop, self._delay = loop, delay
        self._early: list[bytes] = []  # heard before the connection stood
        self._transport: asyncio.Transport | None = None
        self.other: _Side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        for data in self._early:
            transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._delay, self.other.say, data)

    def connection_lost(self, _: Exception | None) -> None:
        self._loop.call_later(self._delay, self.other.end)

    def say(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()
