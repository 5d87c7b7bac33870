"""Streams over a WebSocket (RFC 6455): the frames of NDJSON as text messages, {"result": …} and {"error": …}, one a message.

The path is that of any route of the RPC, whatever its verb. Requests:

    there is a query                the rule of GET: the request is the path and the query, and the stream begins at once
    there is none                   the rule with a body, if there is one: the first message is the body, as JSON
    the client streams              each message is a request as JSON; an empty text message says that no more will come

An empty message is no JSON, so it can mark the end, which WebSocket itself has no frame for: after Close nothing could be
answered.

How it ends: 1000 after a status of OK; 4000 + the gRPC code after {"error": …}, in the range that RFC 6455 leaves to
applications; 1012 when the shim drains (connect again with the last resume token); 1009 and 1007 by the protocol itself, for
messages that are too large and text that is not UTF-8.

A browser cannot set Authorization on a WebSocket. It may offer the subprotocols "ingest.v1.json" and "bearer.<token>" in its
place; the first is what is agreed on, so the token is not said back.

A page of any origin can open a WebSocket to any host, and CORS does not stop it. So a browser's Origin must be the host that is
called, or one of cors_origins.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import grpc

from ingest_server.rest.errors import RestError, from_rpc, invalid, rest_error
from ingest_server.rest.exchange import Exchange
from ingest_server.rest.json_messages import read_stream_request
from ingest_server.rest.ndjson import from_rpc_status
from ingest_server.rest.routes import Route
from ingest_server.rest.stream_frames import FrameCache
from ingest_server.rest.stream_session import End, Session, Sessions
from ingest_server.rest.transcode import write_message, write_response
from ingest_server.rest.upstream_writes import end_messages, send_message

SUBPROTOCOL = "ingest.v1.json"
BEARER = "bearer."
CODE_BASE = 4_000
RESTART = 1_012
NORMAL = 1_000


class SocketStreams:
    """Serves WebSocket connections.

    Args:
        sessions: those of the shim.
        frames: those of the shim.
        first_seconds_max: a client that owes its first message gets so long.
    """

    def __init__(self, sessions: Sessions, frames: FrameCache, first_seconds_max: float) -> None:
        self._sessions = sessions
        self._frames = frames
        self._first_seconds_max = first_seconds_max

    async def serve(self, exchange: Exchange) -> None:
        """Serve one connection. Refusals before it is accepted are HTTP answers with a google.rpc.Status."""
        await exchange.receive()  # websocket.connect
        try:
            route = self._route(exchange)
            _check_origin(exchange)
            offered = exchange.scope.get("subprotocols") or []
            _take_token(exchange, offered)
            async with self._sessions.session(None) as session:
                agreed = SUBPROTOCOL if SUBPROTOCOL in offered else None
                await exchange.send({"type": "websocket.accept", "subprotocol": agreed, "headers": exchange.headers})
                exchange.started = True
                await _Connection(exchange, route, session, self._frames, self._first_seconds_max).run()
        except RestError as error:
            await _refuse(exchange, error)

    def _route(self, exchange: Exchange) -> Route:
        if exchange.match is None:
            message = "no RPC streams at this path; others are called by plain HTTP"
            raise rest_error(grpc.StatusCode.NOT_FOUND, message, "NOT_SUPPORTED", metadata={"path": exchange.path})
        return exchange.match.route


class _Connection:
    """One accepted connection: a task that reads requests, and one that sends frames."""

    def __init__(self, exchange: Exchange, route: Route, session: Session, frames: FrameCache, first_seconds_max: float) -> None:
        self._exchange = exchange
        self._route = route
        self._session = session
        self._frames = frames
        self._first_seconds_max = first_seconds_max

    async def run(self) -> None:
        """Serve it to its end."""
        code = NORMAL
        try:
            if self._route.client_streaming:
                await self._client_stream()
            else:
                await self._server_stream()
        except _Gone:
            return
        except RestError as error:
            code = CODE_BASE + error.status.code
            await self._send(b'{"error":' + write_message(error.status) + b"}")
        except asyncio.CancelledError:
            if self._session.ended_by() is End.GONE:
                return
            code = RESTART
        await self._exchange.send({"type": "websocket.close", "code": code, "reason": _REASONS.get(code, "")})

    async def _send(self, frame: bytes) -> None:
        """Waits while the client's buffers are full: so nothing is asked of the server meanwhile."""
        await self._exchange.send({"type": "websocket.send", "text": frame.decode()})

    async def _next_request(self) -> bytes | None:
        """The JSON of the next request; None at the empty message. Raises _Gone, RestError."""
        message: Any = await self._exchange.receive()
        if message["type"] != "websocket.receive":
            raise _Gone
        text = message.get("text")
        if text is None:
            raise invalid("messages must be text with JSON, not binary", field="body")
        return str(text).encode() or None

    async def _server_stream(self) -> None:
        exchange, route = self._exchange, self._route
        body = b""
        if route.body:
            try:
                async with asyncio.timeout(self._first_seconds_max):
                    body = await self._next_request() or b""
            except TimeoutError:
                message = f"the first message must be the request, and did not come within {self._first_seconds_max:g} s"
                raise rest_error(grpc.StatusCode.DEADLINE_EXCEEDED, message, "DEADLINE_EXCEEDED") from None
        request = read_stream_request(exchange, body)
        call = exchange.upstream.server_stream(
            route.full_method, request.SerializeToString(), exchange.metadata.pairs, exchange.metadata.timeout_seconds
        )
        self._session.attach(call)
        watch = asyncio.create_task(self._watch())
        try:
            await self._pass_on(call)
        finally:
            call.cancel()
            watch.cancel()

    async def _watch(self) -> None:
        """Nothing more is expected of the client but its end."""
        while (await self._exchange.receive())["type"] == "websocket.receive":
            pass
        self._session.end(End.GONE)

    async def _client_stream(self) -> None:
        exchange, route = self._exchange, self._route
        begin: Any = exchange.upstream.both_streams if route.server_streaming else exchange.upstream.client_stream
        call = begin(route.full_method, None, exchange.metadata.pairs, exchange.metadata.timeout_seconds)
        self._session.attach(call)
        failed: list[RestError] = []
        reading = asyncio.create_task(self._forward_requests(call, failed))
        try:
            if route.server_streaming:
                await self._pass_on(call)
            else:
                answer = await call
                await self._send(b'{"result":' + write_response(route, route.output_class.FromString(answer)) + b"}")
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from None
        except asyncio.CancelledError:
            if failed:
                raise failed[0] from None
            raise
        finally:
            call.cancel()
            reading.cancel()

    async def _forward_requests(self, call: Any, failed: list[RestError]) -> None:
        """Read requests until the empty message. A wrong one, or the client's end, cancels the call, which wakes its reader."""
        try:
            while (body := await self._next_request()) is not None:
                if not await send_message(call, read_stream_request(self._exchange, body).SerializeToString()):
                    break  # the server has answered, which the reader of its answers sees
            else:
                await end_messages(call)
            await self._watch()
        except RestError as error:
            failed.append(error)
            call.cancel()
        except _Gone:
            self._session.end(End.GONE)

    async def _pass_on(self, call: Any) -> None:
        """Send every message of the server as a frame. Raises RestError for how it failed."""
        try:
            while isinstance(raw := await call.read(), bytes):
                await self._send(self._frames.frame(self._route, raw).line()[:-1])
            failure = from_rpc_status(await call.code(), await call.details(), await call.trailing_metadata())
        except grpc.aio.AioRpcError as error:
            failure = from_rpc(error)
        if failure is not None:
            raise failure


class _Gone(Exception):
    """The client has closed, or its connection broke."""


_REASONS = {RESTART: "the shim restarts: connect again"}


def _check_origin(exchange: Exchange) -> None:
    """Raise RestError where a page of a foreign origin calls. Programs send no Origin."""
    origin = exchange.header(b"origin")
    if not origin:
        return
    allowed = exchange.options.cors_origins
    if "*" in allowed or origin in allowed or urlsplit(origin).netloc == exchange.header(b"host"):
        return
    message = f"pages of {origin[:200]!r} may not call: it is not this host, and none of cors_origins"
    raise rest_error(grpc.StatusCode.PERMISSION_DENIED, message, "PERMISSION_DENIED")


def _take_token(exchange: Exchange, offered: list[str]) -> None:
    """Use a token among the subprotocols as Authorization, unless there is one."""
    if any(key == "authorization" for key, _ in exchange.metadata.pairs):
        return
    for name in offered:
        if name.startswith(BEARER):
            exchange.metadata.pairs.append(("authorization", f"Bearer {name.removeprefix(BEARER)}"))
            return


async def _refuse(exchange: Exchange, error: RestError) -> None:
    """Answer the handshake with an error, where the HTTP server can (ASGI's websocket.http.response), or with 403."""
    if exchange.started or "websocket.http.response" not in exchange.scope.get("extensions", {}):
        await exchange.send({"type": "websocket.close", "code": CODE_BASE + error.status.code, "reason": ""})
        return
    headers = [(b"content-type", b"application/json"), *error.headers, *exchange.headers]
    await exchange.send({"type": "websocket.http.response.start", "status": error.http_status, "headers": headers})
    await exchange.send({"type": "websocket.http.response.body", "body": write_message(error.status)})
