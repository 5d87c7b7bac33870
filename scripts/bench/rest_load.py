"""HTTP/1.1 calls as fast as a few connections go: fixed bytes out, answers counted by their Content-Length, nothing parsed."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any

import uvloop

CONNECTIONS = 16
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
CALL_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What a round did: calls, and seconds from the first to the end of the last."""

    calls: int
    seconds: float


class _Connection(asyncio.Protocol):
    """Sends the request again for each answer, as long as there are calls left."""

    def __init__(self, request: bytes, left: list[int], ended: asyncio.Future[None]) -> None:
        self._request, self._left, self._ended = request, left, ended
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = LENGTH.search(self._buffer, 0, head + 2)
        if not self._buffer.startswith(b"HTTP/1.1 200 ") or length is None:
            self._fail(RuntimeError(f"an answer is no 200 with a length: {self._buffer[:300]!r}"))
        elif len(self._buffer) >= head + 4 + int(length[1]):
            self._buffer = b""
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or RuntimeError("the connection was closed in the middle"))

    def _next(self) -> None:
        if self._left[0] > 0:
            self._left[0] -= 1
            self._transport.write(self._request)
        elif not self._ended.done():
            self._ended.set_result(None)
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
            self._transport.abort()


def request_bytes(verb: str, path: str, body: bytes = b"") -> bytes:
    """A request as a program would send it: host, agent, what it accepts, a token."""
    lines = [
        f"{verb} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: bench/1",
        "Accept: */*",
        "Authorization: Bearer 0123456789abcdef",
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _run(host: str, port: int, request: bytes, calls: int) -> Load:
    loop = asyncio.get_running_loop()
    left = [calls]
    begin = time.perf_counter()
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(CONNECTIONS)]
    for ended in ends:
        await loop.create_connection(lambda ended=ended: _Connection(request, left, ended), host, port)  # type: ignore[misc]
    async with asyncio.timeout(CALL_SECONDS_MAX):
        await asyncio.gather(*ends)
    return Load(calls, time.perf_counter() - begin)


def run(url: str, request: bytes, calls: int) -> Load:
    """Make so many calls over a few connections, each answered before the connection's next.

    Raises:
        RuntimeError: an answer is not 200.
    """
    host, _, port = url.removeprefix("http://").partition(":")
    return uvloop.run(_run(host, int(port), request, calls))
