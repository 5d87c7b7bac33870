"""The paths that are no RPC in OpenAPI: probes and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TAG = "Probes"
TEXT = "text/plain"


def _answer(description: str, media_type: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _get(operation_id: str, summary: str, description: str, responses: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "get": {
            "operationId": operation_id,
            "tags": [TAG],
            "summary": summary,
            "description": description,
            "responses": {**responses, "default": {"$ref": "#/components/responses/Error"}},
        }
    }


PROBE_PATHS: Mapping[str, Mapping[str, Any]] = {
    "/healthz": _get(
        "healthz",
        "Liveness",
        "Tells that the process can answer. Says nothing of the server behind it, whose loss no restart of the shim mends.",
        {"200": _answer("It lives.", TEXT, {"type": "string"})},
    ),
    "/readyz": _get(
        "readyz",
        "Readiness",
        "Tells whether calls are taken: the server behind says so, and neither it nor the shim drains.",
        {
            "200": _answer("Ready.", "application/json", {"type": "object", "properties": {"status": {"const": "ready"}}}),
            "503": {"$ref": "#/components/responses/Error503"},
        },
    ),
    "/metrics": _get(
        "metrics",
        "Metrics",
        "Figures of the shim, and those of the server behind it where their address is known, for Prometheus. For callers whom"
        " the server itself answers.",
        {
            "200": _answer("Text format of Prometheus.", TEXT, {"type": "string"}),
            "401": {"$ref": "#/components/responses/Error401"},
        },
    ),
}
"""Path items, as `openapi_document` takes them."""
