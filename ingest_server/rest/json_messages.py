"""A client stream whose messages are JSON: objects one after another in the body, as grpc-gateway reads them."""

from __future__ import annotations

import grpc
from google.protobuf.message import Message

from ingest_server.rest.errors import from_rpc
from ingest_server.rest.exchange import JSON, Exchange
from ingest_server.rest.json_splitter import json_values
from ingest_server.rest.metadata import response_headers
from ingest_server.rest.routes import Route
from ingest_server.rest.transcode import read_request, write_response
from ingest_server.rest.upstream_writes import early_end, end_messages, send_message


def read_stream_request(exchange: Exchange, body: bytes) -> Message:
    """One of the request messages of a client stream, from path, query and JSON. Raises RestError, naming the field."""
    assert exchange.match is not None, "streams have routes"
    query = exchange.scope["query_string"].decode("latin-1")
    return read_request(exchange.match.route, exchange.match.bindings, query, body, exchange.options)


async def send_values(exchange: Exchange, route: Route) -> None:
    """Pass the messages on as they come, and answer.

    Raises:
        RestError: a message is wrong, or the server refused.
        ClientGone: the body did not come to its end.
    """
    call = exchange.upstream.client_stream(route.full_method, None, exchange.metadata.pairs, exchange.metadata.timeout_seconds)
    try:
        async for value in json_values(exchange.chunks(), exchange.options.body_bytes_max):
            if not await send_message(call, read_stream_request(exchange, value).SerializeToString()):
                await early_end(call)
                break
        else:
            await end_messages(call)
        answer = await call
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from None
    finally:
        call.cancel()
    data = write_response(route, route.output_class.FromString(answer))
    await exchange.answer(200, data, [JSON, *response_headers(await call.initial_metadata())])
