"""A TCP proxy that breaks connections in the middle: after so many bytes, wherever that is, without a word."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CuttingProxy:
    """Passes bytes on both ways.

    Args:
        host, port: where to; with port 0 the host is the path of a Unix socket.
        seed: of the lengths after which streams are cut.
        cut_bytes: shortest and longest such length; short ones are as likely as long ones in each order of magnitude.
        marker: what begins a stream that is to be cut: by default one of server-sent events; b"" is every connection.
    """

    def __init__(
        self, host: str, port: int, *, seed: int, cut_bytes: tuple[int, int], marker: bytes = b"text/event-stream"
    ) -> None:
        self._to = (host, port)
        self._marker = marker
        self._chance = random.Random(seed)
        self._cut_bytes = cut_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CuttingProxy]:
        """Listen on a free port of loopback."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._to
        try:
            far_reader, far_writer = await (asyncio.open_connection(host, port) if port else asyncio.open_unix_connection(host))
        except OSError:  # the server restarts
            writer.transport.abort()
            return
        up = asyncio.create_task(self._pass(reader, far_writer))
        down = asyncio.create_task(self._pass_and_cut(far_reader, writer))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    async def _pass_and_cut(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left: int | None = None
        while data := await reader.read(65_536):
            if left is None and self._marker in data:
                left = round(math.exp(self._chance.uniform(*map(math.log, self._cut_bytes))))
            if left is not None:
                left -= len(data)
                if left < 0:
                    writer.write(data[:left])
                    await writer.drain()
                    self.cuts += 1
                    return
            writer.write(data)
            await writer.drain()
