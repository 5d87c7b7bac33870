"""From HTTP request to request message, and from answer message to JSON: what every endpoint of an RPC shares."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import json_format
from google.protobuf.message import Message

from ingest_server.rest.errors import invalid
from ingest_server.rest.query import fill, read_pairs
from ingest_server.rest.routes import WHOLE, Route


def read_request(route: Route, bindings: Mapping[str, str], query: str, body: bytes, parameters_max: int) -> Message:
    """Build the request message of a call (for a client stream: that of its first message).

    Args:
        route: which RPC, and what the body is.
        bindings: path variables.
        query: the raw query string; ignored where the body is the whole request, as in grpc-gateway.
        body: JSON; ignored where the rule has no body, empty means a message without fields.
        parameters_max: most query parameters.

    Raises:
        RestError: INVALID_ARGUMENT, naming the field.
    """
    message = route.input_class()
    if body and route.body == WHOLE:
        message = read_message(body, route.input_class)
    elif body and route.body:
        part = getattr(message, route.body)
        part.CopyFrom(read_message(body, type(part)))
    pairs = read_pairs(query, parameters_max) if query and route.body != WHOLE else []
    fill(message, route, bindings, pairs)
    return message


def read_message(body: bytes, message_class: type[Message]) -> Message:
    """One message from protojson: unknown fields are ignored, enums by name or number, both spellings of field names.

    Raises:
        RestError: INVALID_ARGUMENT, naming the field.
    """
    try:
        return json_format.Parse(body, message_class(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise invalid(f"the body cannot be read: {error}", field="body") from None


def write_message(message: Message) -> bytes:
    """A message as protojson in UTF-8, on one line, as grpc-gateway writes by default (EmitUnpopulated): fields without presence
    always, unset messages as null, unset members of a oneof and optional scalars not at all; int64 as strings."""
    return json_format.MessageToJson(message, always_print_fields_with_no_presence=True, indent=None).encode()


def write_response(route: Route, message: Message) -> bytes:
    """The body of a successful answer: the message, or its field that `response_body` names."""
    return write_message(message)
