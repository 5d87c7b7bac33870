"""Serves the metrics over HTTP to Prometheus: GET /metrics, on the server's own event loop, without a thread.

A minimal HTTP/1.1 server (RFC 9112) for one purpose: one request per connection, answered and closed. Requests, headers, time
and connections are limited.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ingest_server.domain.clock import Clock, SystemClock

REQUEST_BYTES_MAX = 16 * 1024
"""Twice what common servers take as head of a request."""
REQUEST_SECONDS_MAX = 10.0
"""Prometheus gives a scrape ten seconds by default."""
CONNECTIONS_MAX = 32
_STATUS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


class MetricsServer:
    """Answers GET /metrics.

    Args:
        registry: what to serve.
        request_seconds_max: a connection is closed after so long, whatever happens on it.
        connections_max: further ones are dropped at once.
        clock: for the time limit.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        request_seconds_max: float = REQUEST_SECONDS_MAX,
        connections_max: int = CONNECTIONS_MAX,
        clock: Clock | None = None,
    ) -> None:
        self._registry = registry
        self._request_seconds_max = request_seconds_max
        self._connections_max = connections_max
        self._clock: Clock = clock or SystemClock()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen, and answer the port (port 0 picks one). Raises OSError if the port is taken."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=REQUEST_BYTES_MAX)
        return int(self._server.sockets[0].getsockname()[1])

    async def start_unix(self, path: str) -> None:
        """Listen on a Unix socket, for a reader beside the server. Raises OSError if `path` is taken."""
        self._server = await asyncio.start_unix_server(self._accept, path, limit=REQUEST_BYTES_MAX)

    async def stop(self) -> None:
        """Stop listening, drop open connections. May be called twice, and before `start`."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._connections_max:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve_in_time(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve_in_time(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve until it is done or its time is over."""
        loop = asyncio.get_running_loop()
        work = loop.create_task(self._serve(reader, writer))
        limit: asyncio.Task[None] = loop.create_task(self._clock.sleep(self._request_seconds_max))
        try:
            await asyncio.wait((work, limit), return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            limit.cancel()
            await asyncio.gather(work, limit, return_exceptions=True)
            writer.transport.abort()  # nothing happens where it is closed; `close` would wait for a client that does not read

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, close, and wait until all is sent. A client that vanishes is nobody's business."""
        with suppress(OSError):
            writer.write(await self._answer(reader))
            writer.close()
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request_line, *lines = head.decode("latin-1").split("\r\n")
            method, target, _version = request_line.split(" ")
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, ValueError):
            return _response(400, b"not an HTTP request, or its head is too long\n")
        if target.partition("?")[0] != "/metrics":
            return _response(404, b"metrics are at /metrics\n")
        if method not in ("GET", "HEAD"):
            return _response(405, b"only GET and HEAD\n", extra="Allow: GET, HEAD\r\n")
        accept = next((line[7:].strip() for line in lines if line.lower().startswith("accept:")), "")
        encode, content_type = choose_encoder(accept)
        return _response(200, encode(self._registry), content_type=content_type, head_only=method == "HEAD")


def _response(
    status: int, body: bytes, *, content_type: str = "text/plain; charset=utf-8", extra: str = "", head_only: bool = False
) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        f"{extra}Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (b"" if head_only else body)
