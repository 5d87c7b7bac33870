"""Cuts off a client that takes nothing of what waits for it."""

from __future__ import annotations

import asyncio


class StallTimer:
    """Runs while a transport's buffers are full, for one connection.

    Args:
        seconds: a client that has taken no byte for so long is cut off.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop, transport: asyncio.WriteTransport) -> None:
        """The buffers are full: the client has some time to take something. May be called again."""
        self._unsent_bytes = transport.get_write_buffer_size()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look, loop, transport)

    def end(self) -> None:
        """The client has taken enough, or is gone. May be called again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop, transport: asyncio.WriteTransport) -> None:
        self._timer = None
        if transport.get_write_buffer_size() >= self._unsent_bytes:
            transport.abort()  # `close` would wait for the very reader that does not read
            return
        self.begin(loop, transport)
