"""What a stream looks like in OpenAPI: one JSON object per line, or server-sent events.

Lines are answered as application/json, as grpc-gateway does, or as application/x-ndjson to those who accept that.
"""

from __future__ import annotations

from typing import Any

from ingest_server.rest.openapi_errors import STATUS
from ingest_server.rest.openapi_schema import REF_ROOT, Schema
from ingest_server.rest.routes import Route

LINES = "application/x-ndjson"
JSON = "application/json"
EVENTS = "text/event-stream"


def stream_parameters(route: Route) -> list[dict[str, Any]]:
    """Headers that matter to a stream: where a resumed one continues."""
    if "resume_token" not in route.method.input_type.fields_by_name:
        return []
    description = "Server-sent events only: `id` of the last event seen. The stream continues after it, as with a resume_token."
    return [{"name": "Last-Event-ID", "in": "header", "description": description, "schema": {"type": "string"}}]


def stream_responses(message: Schema) -> dict[str, Any]:
    """The response of a stream of `message`."""
    line: Schema = {
        "oneOf": [
            {"type": "object", "required": ["result"], "properties": {"result": message}},
            {"type": "object", "required": ["error"], "properties": {"error": {"$ref": REF_ROOT + STATUS}}},
        ]
    }
    description = (
        "A stream. By default one object per line: `result` is a message; `error` ends a stream that failed. With"
        " `Accept: text/event-stream` each message is an event whose `id` is its resume token; comments keep the connection open."
    )
    return {
        "description": description,
        "content": {
            LINES: {"schema": line},
            JSON: {"schema": line},
            EVENTS: {"schema": {"type": "string", "description": "Events, their data as in a line's `result`."}},
        },
    }
