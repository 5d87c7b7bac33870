"""The answer of an RPC that gives bytes, as the bytes themselves: whole or a range, with an entity tag, resumable by any client.

The digest is the entity tag: what it names never changes. Nothing is told of bytes that the caller may not see, so the server is
asked before a condition is looked at.
"""

from __future__ import annotations

import asyncio
import base64

import grpc
from google.protobuf.message import Message

from ingest_server.rest.byte_ranges import Range, Unsatisfiable, choose_range, names_tag
from ingest_server.rest.errors import RestError, from_rpc, rest_error
from ingest_server.rest.exchange import ClientGone, Exchange
from ingest_server.rest.ndjson import from_rpc_status
from ingest_server.rest.routes import Route
from ingest_server.rest.stream_session import Session, Sessions, next_message

JSON_TYPES = ("application/json", "application/x-ndjson")


def wants_bytes(exchange: Exchange) -> bool:
    """Whether the client takes bytes: it does, unless it asks for JSON by name."""
    accept = exchange.header(b"accept").lower()
    return not any(kind in accept for kind in (*JSON_TYPES, "text/event-stream"))


class Download:
    """One download.

    Args:
        exchange: the HTTP request.
        route: of an RPC that gives bytes.
        request: its message; a range in it (offset_bytes, limit_bytes) is a whole of its own, to which no Range is applied.
        sessions: to be ended by the client's going away.
    """

    def __init__(self, exchange: Exchange, route: Route, request: Message, sessions: Sessions) -> None:
        self._exchange = exchange
        self._route = route
        self._request = request
        self._sessions = sessions
        self._sha256: str = getattr(request, "sha256")  # noqa: B009  # the class is made at run time

    async def send(self) -> None:
        """Answer.

        Raises:
            RestError: the server refused, or a condition failed (412, 416).
            ClientGone: nobody reads any more.
        """
        async with self._sessions.session(self._exchange.receive, lasting=True) as session:
            try:
                await self._send(session)
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from None
            except asyncio.CancelledError:
                session.ended_by()
                raise ClientGone from None

    async def _send(self, session: Session) -> None:
        exchange = self._exchange
        size = await self._size(session)
        tag = (b"etag", b'"%s"' % self._sha256.encode())
        headers = [tag, (b"accept-ranges", b"bytes"), (b"cache-control", b"private, no-cache")]
        if self._is(b"if-match") is False:
            raise self._refusal(412, "no such version of these bytes: they have another sha256", headers)
        if self._is(b"if-none-match", strong=False):
            await exchange.start(304, headers)
            await exchange.body(b"", more=False)
            return
        part = self._range(size, headers)
        headers += [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", str(part.count).encode()),
            # What somebody uploaded must not be taken for a page of this origin.
            (b"x-content-type-options", b"nosniff"),
        ]
        if part.partial:
            headers.append((b"content-range", part.content_range.encode()))
        if not part.partial and part.count == size and len(self._sha256) == 64:
            headers.append((b"repr-digest", b"sha-256=:%s:" % base64.b64encode(bytes.fromhex(self._sha256))))
        await exchange.start(206 if part.partial else 200, headers)
        if exchange.scope["method"] == "HEAD" or part.count == 0:
            await exchange.body(b"", more=False)
            return
        await self._pass_on(session, part)

    async def _size(self, session: Session) -> int:
        """Ask for one byte: the first message tells the size of the whole, or the server refuses."""
        asked = self._route.input_class()
        asked.CopyFrom(self._request)
        asked.limit_bytes = 1  # type: ignore[attr-defined]  # the class is made at run time
        call = self._begin(session, asked)
        raw = await next_message(call)
        if raw is None:
            failure = from_rpc_status(await call.code(), await call.details(), await call.trailing_metadata())
            raise failure or rest_error(grpc.StatusCode.INTERNAL, "the server told no size of these bytes", "INTERNAL")
        call.cancel()
        whole: int = self._route.output_class.FromString(raw).size_bytes  # type: ignore[attr-defined]
        begin: int = self._request.offset_bytes  # type: ignore[attr-defined]
        limit: int = self._request.limit_bytes  # type: ignore[attr-defined]
        return min(limit, whole - begin) if limit else whole - begin

    def _begin(self, session: Session, asked: Message) -> grpc.aio.UnaryStreamCall[bytes, bytes]:
        exchange = self._exchange
        call = exchange.upstream.server_stream(
            self._route.full_method, asked.SerializeToString(), exchange.metadata.pairs, exchange.metadata.timeout_seconds
        )
        session.attach(call)
        return call

    def _is(self, header: bytes, *, strong: bool = True) -> bool | None:
        """Whether a condition names this version; None without the header."""
        value = self._exchange.header(header)
        return names_tag(value, self._sha256, strong=strong) if value else None

    def _range(self, size: int, headers: list[tuple[bytes, bytes]]) -> Range:
        wanted = self._exchange.header(b"range")
        if self._is(b"if-range") is False:
            wanted = ""
        try:
            return choose_range(wanted, size)
        except Unsatisfiable:
            more = [*headers, (b"content-range", b"bytes */%d" % size)]
            raise self._refusal(416, f"Range {wanted[:80]!r} begins behind the end at {size:,} bytes", more) from None

    def _refusal(self, status: int, message: str, headers: list[tuple[bytes, bytes]]) -> RestError:
        code = grpc.StatusCode.OUT_OF_RANGE if status == 416 else grpc.StatusCode.FAILED_PRECONDITION
        return rest_error(code, message, "BLOB_RANGE_INVALID", http_status=status, headers=headers)

    async def _pass_on(self, session: Session, part: Range) -> None:
        """Send the bytes, a piece at a time. If the server fails in the middle, the answer ends short of its Content-Length, so
        that the client sees it was cut, and may ask for the rest."""
        asked = self._route.input_class()
        asked.CopyFrom(self._request)
        asked.offset_bytes += part.offset  # type: ignore[attr-defined]
        asked.limit_bytes = part.count  # type: ignore[attr-defined]
        call = self._begin(session, asked)
        left = part.count
        while left:
            raw = await next_message(call)
            if raw is None:
                return
            data: bytes = self._route.output_class.FromString(raw).data  # type: ignore[attr-defined]
            del raw
            left -= len(data)
            await self._exchange.body(data, more=left > 0)
        call.cancel()
