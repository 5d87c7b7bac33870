"""Unary RPCs: read the request, call upstream, write the answer; end the call when the client goes away."""

from __future__ import annotations

import asyncio

import grpc

from ingest_server.rest.errors import from_rpc
from ingest_server.rest.exchange import JSON, ClientGone, Exchange
from ingest_server.rest.metadata import response_headers
from ingest_server.rest.transcode import read_request, write_response


async def serve_unary(exchange: Exchange) -> None:
    """Answer one unary call.

    Raises:
        RestError: the request is wrong, or the server refused it.
        ClientGone: nobody waits for the answer any more; the upstream call is cancelled.
    """
    match, options = exchange.match, exchange.options
    if match is None:
        raise RuntimeError("serve_unary needs a route")
    route = match.route
    body = await exchange.read_body() if route.body else b""
    query = exchange.scope["query_string"].decode("latin-1")
    request = read_request(route, match.bindings, query, body, options.query_parameters_max)
    timeout = exchange.metadata.timeout_seconds
    call = exchange.upstream.unary(
        route.full_method,
        request.SerializeToString(),
        exchange.metadata.pairs,
        options.call_seconds_max if timeout is None else timeout,
    )
    watch = asyncio.get_running_loop().call_later(options.disconnect_watch_seconds, _watch, exchange, call)
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from None
    except asyncio.CancelledError:
        if not call.cancelled() or asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a coroutine runs in a task
            raise
        raise ClientGone from None
    finally:
        watch.cancel()
    headers = response_headers(await call.initial_metadata())
    data = write_response(route, route.output_class.FromString(answer))
    await exchange.answer(200, data, [JSON, *headers])


def _watch(exchange: Exchange, call: grpc.aio.UnaryUnaryCall[bytes, bytes]) -> None:
    """Watch the client of a call that takes long. The task ends with the call."""

    async def until_gone() -> None:
        while (await exchange.receive())["type"] != "http.disconnect":
            pass
        call.cancel()

    task = asyncio.ensure_future(until_gone())
    call.add_done_callback(lambda _: _end(task))


def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
