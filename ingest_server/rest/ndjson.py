"""A stream from the server as lines of JSON, as grpc-gateway writes it: {"result": …}, and {"error": …} as the last if it fails.

An error before the first message is the status line too. The content type is grpc-gateway's application/json; who asks for
application/x-ndjson, which tells the same more exactly, is answered that.
"""

from __future__ import annotations

import asyncio

import grpc

from ingest_server.rest.errors import RestError, from_rpc, rest_error
from ingest_server.rest.exchange import JSON, ClientGone, Exchange
from ingest_server.rest.metadata import response_headers
from ingest_server.rest.routes import Route
from ingest_server.rest.stream_frames import FrameCache
from ingest_server.rest.stream_session import End, Session, next_message
from ingest_server.rest.transcode import write_message

MEDIA_TYPE = "application/x-ndjson"


def error_line(error: RestError) -> bytes:
    """The last line of a stream that failed."""
    return b'{"error":' + write_message(error.status) + b"}\n"


def draining() -> RestError:
    """What a stream without a resume token of its own is told when the shim ends."""
    return rest_error(grpc.StatusCode.UNAVAILABLE, "the REST shim is shutting down; connect again", "SHUTTING_DOWN")


async def send_lines(
    exchange: Exchange, route: Route, call: grpc.aio.UnaryStreamCall[bytes, bytes], session: Session, frames: FrameCache
) -> None:
    """Pass a stream on. The next message is asked for when the client has taken the last one but for what its socket holds.

    Raises:
        ClientGone: nobody reads any more.
    """
    try:
        while (raw := await next_message(call)) is not None:
            if not exchange.started:
                await _start(exchange, call)
            line = frames.frame(route, raw).line()
            del raw  # a slow reader holds one copy of a message, not two
            await exchange.body(line, more=True)
        failure = from_rpc_status(await call.code(), await call.details(), await call.trailing_metadata())
    except grpc.aio.AioRpcError as error:
        failure = from_rpc(error)
    except asyncio.CancelledError:
        if session.ended_by() is End.GONE:
            raise ClientGone from None
        failure = draining()
    if failure is None:
        if not exchange.started:
            await _start(exchange, call)
        await exchange.body(b"", more=False)
    elif exchange.started:
        await exchange.body(error_line(failure), more=False)
    else:
        await exchange.answer(failure.http_status, error_line(failure), [JSON, *failure.headers])


async def _start(exchange: Exchange, call: grpc.aio.UnaryStreamCall[bytes, bytes]) -> None:
    kind = (b"content-type", MEDIA_TYPE.encode()) if MEDIA_TYPE in exchange.header(b"accept") else JSON
    await exchange.start(200, [kind, *response_headers(await call.initial_metadata())])


def from_rpc_status(code: grpc.StatusCode, details: str | None, trailers: grpc.aio.Metadata | None) -> RestError | None:
    """The error of a stream that has ended; None where it ended well. `read` raises most of them, but not all."""
    if code is grpc.StatusCode.OK:
        return None
    return from_rpc(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers or grpc.aio.Metadata(), details))
