"""One HTTP request under way: what was asked, what it matched, and how to answer it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from ingest_server.rest.errors import RestError, invalid, rest_error
from ingest_server.rest.metadata import CallMetadata
from ingest_server.rest.options import RestOptions
from ingest_server.rest.routes import Match
from ingest_server.rest.upstream import Upstream

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
THREAD_BYTES = 256 * 1024
"""More is packed in a thread: at 10 ns a byte it would hold up the loop for milliseconds."""
JSON = (b"content-type", b"application/json")


class ClientGone(Exception):
    """The client closed its connection; nobody is left to answer."""


@dataclass(slots=True)
class Exchange:
    """A request and its answer. Belongs to one task.

    Attributes:
        scope, receive, send: of ASGI. `send` is the bare one: answer with `start` and `body`, or `answer`.
        path: decoded, below the mount point.
        options: limits.
        upstream: the server.
        metadata: what goes upstream beside the message.
        match: the route found; None on paths of the shim's own.
        headers: go with every answer (X-Request-Id, CORS); an endpoint may add some before it starts.
        form: the body is a form that stands for a query (see `RestApp`).
        started: the status line is out, so an error can no longer change it.
    """

    scope: Scope
    receive: Receive
    send: Send
    path: str
    options: RestOptions
    upstream: Upstream
    metadata: CallMetadata
    match: Match | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    form: bool = False
    started: bool = False

    def header(self, name: bytes) -> str:
        """The value of a request header, given its name in lower case; several are joined with ", "; "" if there is none."""
        values = [value for key, value in self.scope["headers"] if key == name]
        return b", ".join(values).decode("latin-1") if values else ""

    async def chunks(self) -> AsyncIterator[bytes]:
        """The request body, piece by piece as it comes. No limit but the server's own: for what is streamed on.

        Raises:
            ClientGone: the connection ended before the body did.
        """
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientGone
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return

    async def read_body(self) -> bytes:
        """The whole request body, decompressed.

        Raises:
            RestError: it is larger than body_bytes_max, slower than body_seconds_max, or its coding is unknown or broken.
            ClientGone: the connection ended before the body did.
        """
        message = await self._first()
        if not message.get("more_body"):
            body = message.get("body") or b""
            self._check_size(len(body))
        else:
            body = await self._rest(message.get("body") or b"")
        coding = self.header(b"content-encoding").strip().lower()
        if not coding or coding == "identity" or not body:
            return body
        return self._unpacked(coding, body)

    async def _first(self) -> Message:
        declared = self.header(b"content-length")
        if declared.isascii() and declared.isdigit():
            self._check_size(int(declared[:20]))
        try:
            async with asyncio.timeout(self.options.body_seconds_max):
                message = await self.receive()
        except TimeoutError:
            raise self._too_slow() from None
        if message["type"] != "http.request":
            raise ClientGone
        return message

    async def _rest(self, first: bytes) -> bytes:
        pieces, size = [first], len(first)
        try:
            async with asyncio.timeout(self.options.body_seconds_max):
                async for piece in self.chunks():
                    pieces.append(piece)
                    size += len(piece)
                    self._check_size(size)
        except TimeoutError:
            raise self._too_slow() from None
        return b"".join(pieces)

    def _unpacked(self, coding: str, body: bytes) -> bytes:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise rest_error(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Content-Encoding {coding[:80]!r} is not known: send gzip, deflate, or the plain body",
                "NOT_SUPPORTED",
                http_status=415,
                headers=[(b"accept-encoding", b"gzip, deflate")],
            )
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, by its header
        try:
            plain = unpacker.decompress(body, self.options.body_bytes_max + 1)
        except zlib.error as error:
            raise invalid(f"the body is no {coding} data: {error}", field="body") from None
        self._check_size(len(plain))
        if not unpacker.eof or unpacker.unused_data:
            raise invalid(f"the {coding} body is cut short, or more follows it", field="body")
        return plain

    def _check_size(self, size: int) -> None:
        limit = self.options.body_bytes_max
        if size > limit:
            raise rest_error(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"the body has {size:,} bytes or more, the limit is {limit:,}: send fewer items, or upload large inputs as blobs",
                "TOO_LARGE",
                field="body",
                http_status=413,
            )

    def _too_slow(self) -> RestError:
        seconds = self.options.body_seconds_max
        return rest_error(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            f"the body was not whole within {seconds:g} s: send it faster, or in smaller requests",
            "DEADLINE_EXCEEDED",
            http_status=408,
            headers=[(b"connection", b"close")],
        )

    async def start(self, status: int, headers: Headers, *, trailers: bool = False) -> None:
        """Send the status line and headers of an answer whose body follows with `body`, and perhaps trailers after it."""
        self.started = True
        message: Message = {"type": "http.response.start", "status": status, "headers": [*headers, *self.headers]}
        if trailers:
            message["trailers"] = True
        await self.send(message)

    async def body(self, data: bytes, *, more: bool) -> None:
        """Send a piece of the body; the last one with more=False."""
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    @property
    def takes_trailers(self) -> bool:
        """Whether the client asked for trailers (TE: trailers) and the HTTP server can send them (an extension of ASGI)."""
        return "trailers" in self.header(b"te").lower() and "http.response.trailers" in (self.scope.get("extensions") or {})

    async def answer(self, status: int, data: bytes, headers: Headers = (JSON,), trailers: Headers = ()) -> None:
        """Send a whole answer, compressed if the client takes gzip and it is worth it.

        Args:
            status: of the status line.
            data: the body.
            headers: besides those of the exchange.
            trailers: sent after the body; only where `takes_trailers`.
        """
        sent = [*headers]
        if len(data) >= self.options.gzip_bytes_min:
            sent.append((b"vary", b"accept-encoding"))
            if takes_gzip(self.header(b"accept-encoding")):
                if len(data) > THREAD_BYTES:
                    data = await asyncio.to_thread(gzip.compress, data, self.options.gzip_level, mtime=0)
                else:
                    data = gzip.compress(data, self.options.gzip_level, mtime=0)
                sent.append((b"content-encoding", b"gzip"))
        if not trailers:  # in HTTP/1.1 they need a chunked body
            sent.append((b"content-length", str(len(data)).encode()))
        if trailers:
            sent.append((b"trailer", b", ".join(name for name, _ in trailers)))
        await self.start(status, sent, trailers=bool(trailers))
        await self.body(b"" if self.scope["method"] == "HEAD" else data, more=False)
        if trailers:
            await self.send({"type": "http.response.trailers", "headers": list(trailers), "more_trailers": False})


Endpoint = Callable[[Exchange], Awaitable[None]]
"""Answers one request. It may raise RestError before it has started to answer."""


def takes_gzip(accept_encoding: str) -> bool:
    """Whether Accept-Encoding names gzip, or everything, with a weight above 0."""
    chosen: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        chosen[coding.strip()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return chosen.get("gzip", chosen.get("*", False))
