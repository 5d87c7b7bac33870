"""RPCs whose HTTP form carries plain bytes, in OpenAPI: uploads as a raw body or a form, downloads with ranges and entity tags.

Which RPCs these are is read from the descriptors (byte_shapes), here as where they are served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest_server.rest.byte_shapes import gives_bytes, takes_bytes
from ingest_server.rest.openapi_errors import STATUS
from ingest_server.rest.openapi_schema import REF_ROOT, SchemaSet
from ingest_server.rest.routes import Route

OCTETS = "application/octet-stream"
FORM = "multipart/form-data"
_BINARY = {"type": "string", "format": "binary"}
_TOKEN = {"type": "string"}

_UPLOAD = """\

By HTTP the body is the bytes themselves, or a form with one file; they are passed on as they come. Tell the digest
first (`sha256` in the query or in a form field before the file, or `Content-Digest: sha-256=:…:`), else the bytes are kept in a
temporary file until it is known. With `Content-Type: application/json` the body is the messages of the RPC, one after another."""
_DOWNLOAD = """\

By HTTP the answer is the bytes themselves, with the digest as `ETag`; `Range` gives a part. With
`Accept: application/x-ndjson` it is the messages of the RPC, one per line."""


def describe_bytes(route: Route, operation: dict[str, Any], schemas: SchemaSet) -> None:
    """Complete the operation of a route that carries bytes; in place. Nothing happens to others."""
    if takes_bytes(route):
        _describe_upload(route, operation, schemas)
    elif gives_bytes(route):
        _describe_download(operation)


def _describe_upload(route: Route, operation: dict[str, Any], schemas: SchemaSet) -> None:
    fields = route.method.input_type.fields_by_name
    digest = {**schemas.field(fields["sha256"]), "pattern": "^[0-9a-f]{64}$"}
    digest.pop("description", None)
    offset = {"type": "integer", "format": "int64", "minimum": 0}
    operation["description"] = operation.get("description", "") + "\n" + _flow(_UPLOAD)
    operation["parameters"] = [
        *operation.get("parameters", []),
        _parameter("sha256", "query", "SHA-256 of the whole: 64 lower-case hexadecimal digits. Saves a temporary file.", digest),
        _parameter("offset_bytes", "query", "Continues an upload that broke off, from here; needs the digest.", offset),
        _parameter("Content-Digest", "header", "The digest of a raw body as RFC 9530 has it: `sha-256=:<base64>:`.", _TOKEN),
    ]
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "sha256": {**digest, "description": "SHA-256 of the file. Put it before the file."},
            "file": {**_BINARY, "description": "The bytes."},
        },
    }
    content = operation["requestBody"]["content"]
    _blame_the_sender(operation["responses"])
    operation["requestBody"]["content"] = {OCTETS: {"schema": _BINARY}, FORM: {"schema": form}, **content}


def _blame_the_sender(responses: dict[str, Any]) -> None:
    """Bytes that do not have the digest announced are DATA_LOSS, and by HTTP 400: the request is wrong, not the server."""
    lost = responses.get("500", {}).get("description", "")
    if lost:
        responses["500"] = {"$ref": "#/components/responses/Error500"}
        responses["400"] = {**responses["400"], "description": f"{responses['400']['description']}\n{lost}"}


def _describe_download(operation: dict[str, Any]) -> None:
    operation["description"] = operation.get("description", "") + "\n" + _flow(_DOWNLOAD)
    operation["parameters"] = [
        *operation.get("parameters", []),
        _parameter("Range", "header", "One range of bytes, such as `bytes=0-1023` or `bytes=-1024` (RFC 9110).", _TOKEN),
        _parameter("If-None-Match", "header", "Entity tags that are here already: then the answer is 304.", _TOKEN),
        _parameter("If-Match", "header", "Entity tags wanted: any other is refused with 412.", _TOKEN),
        _parameter("If-Range", "header", "The entity tag that Range is meant for; of another the whole is sent.", _TOKEN),
    ]
    headers = {
        "ETag": {"description": "The digest, in quotes.", "schema": _TOKEN},
        "Accept-Ranges": {"description": "bytes", "schema": _TOKEN},
    }
    responses = operation["responses"]
    lines = {kind: told for kind, told in responses["200"]["content"].items() if kind != "text/event-stream"}
    whole = {"description": "The bytes.", "headers": headers, "content": {OCTETS: {"schema": _BINARY}, **lines}}
    content_range = {"Content-Range": {"description": "Which part of how many bytes.", "schema": _TOKEN}}
    operation["responses"] = {
        "200": whole,
        "206": {
            "description": "The range that was asked for.",
            "headers": {**headers, **content_range},
            "content": {OCTETS: {"schema": _BINARY}},
        },
        "304": {"description": "The client has these bytes.", "headers": headers},
        **{status: told for status, told in responses.items() if status not in ("200", "default")},
        "412": _refused("If-Match names another version."),
        "416": _refused("The range begins behind the end.", content_range),
        "default": responses["default"],
    }
    operation.pop("x-stream", None)


def _flow(text: str) -> str:
    """Lines of one paragraph as one."""
    return "\n" + " ".join(text.split())


def _parameter(name: str, place: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "description": description, "schema": dict(schema)}


def _refused(description: str, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": REF_ROOT + STATUS}}},
    }
    return {**response, "headers": dict(headers)} if headers else response
