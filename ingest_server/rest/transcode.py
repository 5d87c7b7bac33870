"""From HTTP request to request message, and from answer message to JSON: what every endpoint of an RPC shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import Message

from ingest_server.rest.errors import RestError, rest_error
from ingest_server.rest.exchange import Exchange
from ingest_server.rest.field_mask import add_patch_mask
from ingest_server.rest.fields import is_list
from ingest_server.rest.json_decode import fill_field, fill_message, read_json
from ingest_server.rest.json_encode import field_encoder, write_json, write_tree
from ingest_server.rest.options import RestOptions
from ingest_server.rest.query import fill, read_pairs
from ingest_server.rest.routes import WHOLE, Route


async def read_call(exchange: Exchange) -> Message:
    """Build the request message of an exchange that has matched a route, reading its body if the rule has one.

    Raises:
        RestError: the request is wrong; the field is named.
        ClientGone: the connection ended before the body did.
    """
    match = exchange.match
    if match is None:
        raise RuntimeError("only an exchange with a route has a request message")
    route = match.route
    query: str = exchange.scope["query_string"].decode("latin-1")
    if exchange.form:
        form = (await exchange.read_body()).decode("latin-1")
        query = f"{form}&{query}" if query else form
        return read_request(route, match.bindings, query, b"", exchange.options)
    body = await exchange.read_body() if route.body else b""
    return read_request(route, match.bindings, query, body, exchange.options)


def read_request(route: Route, bindings: Mapping[str, str], query: str, body: bytes, options: RestOptions) -> Message:
    """Build the request message of a call (for a client stream: that of its first message).

    Args:
        route: which RPC, and what the body is.
        bindings: path variables.
        query: the raw query string; ignored where the body is the whole request, as in grpc-gateway.
        body: JSON; ignored where the rule has no body, empty means a message without fields.
        options: limits.

    Raises:
        RestError: INVALID_ARGUMENT, naming the field.
    """
    message = route.input_class()
    tree: Any = None
    if route.body and body and not body.isspace():
        tree = read_json(body, options.json_depth_max)
        _fill_body(message, route, tree)
    pairs: Sequence[tuple[str, str]] = ()
    if query and route.body != WHOLE:
        pairs = read_pairs(query, options.query_parameters_max)
    if bindings or pairs:
        fill(message, route, bindings, pairs)
    if route.verb == "PATCH" and tree is not None:
        add_patch_mask(message, route, tree)
    return message


def _fill_body(message: Message, route: Route, tree: Any) -> None:
    """Put the body where the rule wants it.

    Beyond grpc-gateway: where the body is a list of messages, one object stands for a list of one, and an object that has the
    list under its own name is the whole request. So one job, a list of jobs, and a SubmitJobsRequest can be posted to one path.
    """
    field = route.body_field
    if field is None:
        fill_message(message, tree)
        return
    if isinstance(tree, tuple) and field.message_type is not None and is_list(field):
        names = {field.name, field.json_name}
        if any(key in names for key, _ in tree) and not names & set(field.message_type.fields_by_name):
            fill_message(message, tree)
            return
        tree = [tree]
    fill_field(message, field, tree)


def read_message(body: bytes, message_class: type[Message], depth_max: int = 100) -> Message:
    """One message from protojson.

    Raises:
        RestError: INVALID_ARGUMENT, naming the field.
    """
    message = message_class()
    fill_message(message, read_json(body, depth_max))
    return message


def write_message(message: Message) -> bytes:
    """A message as protojson in UTF-8, on one line, as grpc-gateway writes by default (EmitUnpopulated): fields without presence
    always, unset messages as null, unset members of a oneof and optional scalars not at all; int64 as strings."""
    try:
        return write_json(message)
    except ValueError as error:
        raise _unwritable(error) from None


def write_response(route: Route, message: Message) -> bytes:
    """The body of a successful answer: the message, or its field that `response_body` names.

    Raises:
        RestError: INTERNAL: the server answered something JSON has no form for.
    """
    if not route.response_body:
        return write_message(message)
    try:
        return write_tree(field_encoder(message.DESCRIPTOR.fields_by_name[route.response_body])(message))
    except ValueError as error:
        raise _unwritable(error) from None


def raw_response(message: Message) -> tuple[str, bytes] | None:
    """Media type and bytes of a google.api.HttpBody, which is answered as it is; None for other messages."""
    if message.DESCRIPTOR.full_name != "google.api.HttpBody":
        return None
    body: Any = message
    return body.content_type, body.data


def _unwritable(error: ValueError) -> RestError:
    return rest_error(grpc.StatusCode.INTERNAL, f"the answer of the server cannot be written as JSON: {error}", "INTERNAL")
