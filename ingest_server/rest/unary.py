"""Unary RPCs: read the request, call upstream, write the answer; end the call when the client goes away."""

from __future__ import annotations

import asyncio

import grpc

from ingest_server.rest.errors import from_rpc
from ingest_server.rest.exchange import JSON, ClientGone, Exchange
from ingest_server.rest.metadata import response_headers, trailer_headers
from ingest_server.rest.transcode import raw_response, read_call, write_response

UnaryCall = grpc.aio.UnaryUnaryCall[bytes, bytes]


async def serve_unary(exchange: Exchange) -> None:
    """Answer one unary call.

    Raises:
        RestError: the request is wrong, or the server refused it.
        ClientGone: nobody waits for the answer any more; the upstream call is cancelled.
    """
    request = await read_call(exchange)
    match, options, metadata = exchange.match, exchange.options, exchange.metadata
    assert match is not None  # read_call has seen it
    route = match.route
    timeout = options.call_seconds_max if metadata.timeout_seconds is None else metadata.timeout_seconds
    call = exchange.upstream.unary(route.full_method, request.SerializeToString(), metadata.pairs, timeout)
    answer = await _answer(exchange, call)
    headers = response_headers(await call.initial_metadata())
    trailers = trailer_headers(await call.trailing_metadata()) if exchange.takes_trailers else ()
    message = route.output_class.FromString(answer)
    raw = raw_response(message)
    if raw is not None:
        await exchange.answer(200, raw[1], [(b"content-type", raw[0].encode("latin-1", "replace")), *headers], trailers)
    else:
        await exchange.answer(200, write_response(route, message), [JSON, *headers], trailers)


async def _answer(exchange: Exchange, call: UnaryCall) -> bytes:
    """Await the call, watching the client if it takes long."""
    gone: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()

    def watch() -> None:
        gone.append(loop.create_task(_until_gone(exchange, call)))

    timer = loop.call_later(exchange.options.disconnect_watch_seconds, watch)
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from None
    except asyncio.CancelledError:
        if gone and gone[0].done() and not gone[0].cancelled():
            raise ClientGone from None
        raise
    finally:
        timer.cancel()
        if gone and not gone[0].done():
            gone[0].cancel()


async def _until_gone(exchange: Exchange, call: UnaryCall) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass
    call.cancel()
