"""Error responses in OpenAPI: google.rpc.Status for each HTTP status, with the reasons that an RPC's comment lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor
from google.rpc import error_details_pb2, status_pb2

from ingest_server.rest.comments import to_markdown
from ingest_server.rest.errors import HTTP_STATUS
from ingest_server.rest.openapi_schema import REF_ROOT, Schema, SchemaSet

Response = dict[str, Any]
STATUS = "google.rpc.Status"
TYPE_URL = "type.googleapis.com/"
DETAILS: tuple[Descriptor, ...] = tuple(
    kind.DESCRIPTOR
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo,
        error_details_pb2.QuotaFailure,
        error_details_pb2.PreconditionFailure,
        error_details_pb2.ResourceInfo,
    )
)
EVERYWHERE = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
"""What any call can end with."""

_MEANING: Mapping[grpc.StatusCode, str] = {
    grpc.StatusCode.CANCELLED: "The caller went away.",
    grpc.StatusCode.INVALID_ARGUMENT: "The request is wrong, whatever the state of the server; do not repeat it.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "The time the caller gave, or the server allows, is over.",
    grpc.StatusCode.NOT_FOUND: "It does not exist, or not for this caller.",
    grpc.StatusCode.ALREADY_EXISTS: "It exists already.",
    grpc.StatusCode.PERMISSION_DENIED: "The credentials do not allow this.",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "Too much at once, or a quota is used up: come back after Retry-After.",
    grpc.StatusCode.FAILED_PRECONDITION: "The state of the server does not allow it now.",
    grpc.StatusCode.ABORTED: "Another part of the request, or another call, stood in the way.",
    grpc.StatusCode.OUT_OF_RANGE: "Beyond what there is.",
    grpc.StatusCode.UNIMPLEMENTED: "This server does not offer it.",
    grpc.StatusCode.INTERNAL: "A fault of the server.",
    grpc.StatusCode.UNAVAILABLE: "The server cannot be reached, or goes down: repeat.",
    grpc.StatusCode.DATA_LOSS: "What arrived is not what was announced.",
    grpc.StatusCode.UNAUTHENTICATED: "No credentials, or wrong ones.",
}
_BY_NAME = {code.name: code for code in grpc.StatusCode}
_ERRORS = re.compile(r"\bErrors:(.*?)(?:\bPer item:|\n\n|\Z)", re.DOTALL)
_CODE = re.compile(r"\b(" + "|".join(sorted(_BY_NAME)) + r")\b(?:\s*\(([^()]*)\))?")
_HEADERS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds to wait, where it is known.", "schema": {"type": "integer", "minimum": 0}}},
    503: {"Retry-After": {"description": "Seconds to wait, where it is known.", "schema": {"type": "integer", "minimum": 0}}},
}

DETAILS_OF_STATUS: Mapping[str, Mapping[str, Any]] = {
    f"{STATUS}.code": {"description": "Number of the gRPC code, such as 5 for `NOT_FOUND`."},
    f"{STATUS}.message": {"description": "What was wrong, which value, which limit, what to do. For people."},
    f"{STATUS}.details": {"description": "One `ErrorInfo` whose reason programs decide by, and what else is known."},
    "google.rpc.ErrorInfo.reason": {"description": "A name of ErrorReason without its prefix, such as `JOB_NOT_FOUND`."},
    "google.rpc.BadRequest.FieldViolation.field": {"description": "Path of the field, such as `jobs[2].priority`."},
}
"""Keywords for the messages of google.rpc, whose comments are not at hand."""


def describe_status(schemas: SchemaSet, definitions: dict[str, Schema]) -> None:
    """Complete the schema of google.rpc.Status among `definitions`: its details are one of the known kinds, or of a kind to come.

    Args:
        schemas: has been asked for the details, see `refer_details`.
        definitions: what it made; changed in place.
    """
    kinds = [{"allOf": [schemas.reference(kind), _typed({"const": TYPE_URL + kind.full_name})]} for kind in DETAILS]
    other = {"not": {"enum": [TYPE_URL + kind.full_name for kind in DETAILS]}}
    status = definitions[STATUS]
    status["description"] = "An error, as google.rpc.Status. Its HTTP status follows from its code."
    status["properties"]["details"]["items"] = {"anyOf": [*kinds, _typed({"type": "string", **other})]}


def refer_details(schemas: SchemaSet) -> None:
    """Make sure that the schemas of Status and its details are made."""
    schemas.reference(status_pb2.Status.DESCRIPTOR)
    for kind in DETAILS:
        schemas.reference(kind)


def shared_responses() -> dict[str, Response]:
    """A response for each HTTP status an error can have, by name, such as "Error404"; and one for any other."""
    codes: dict[int, list[grpc.StatusCode]] = {}
    for code, meaning in _MEANING.items():
        if meaning:
            codes.setdefault(HTTP_STATUS[code.value[0]], []).append(code)
    shared = {
        f"Error{status}": _response(status, "\n".join(f"- `{code.name}`: {_MEANING[code]}" for code in of_status))
        for status, of_status in sorted(codes.items())
    }
    return {**shared, "Error": _response(0, "Any other error.")}


def error_responses(comment: str, *, streamed: bool = False) -> dict[str, Response]:
    """The error responses of an RPC.

    Args:
        comment: of the RPC. The codes after "Errors:" get their reasons, those that any call can end with are added.
        streamed: the answer is a stream, so an error before its first message may be written as one of its lines.

    Returns:
        By HTTP status; "default" for what is not foreseen.
    """
    told: dict[int, list[str]] = {}
    for found in _ERRORS.finditer(comment):
        for name, reasons in _CODE.findall(found[1]):
            text = " ".join(reasons.split()) or _MEANING.get(_BY_NAME[name], "")
            told.setdefault(HTTP_STATUS[_BY_NAME[name].value[0]], []).append(to_markdown(f"{name}: {text}"))
    statuses = {HTTP_STATUS[code.value[0]] for code in EVERYWHERE} | told.keys()
    shared = shared_responses()
    responses: dict[str, Response] = {}
    for status in sorted(statuses):
        if status in told:
            responses[str(status)] = _response(status, "\n".join(f"- {line}" for line in told[status]))
        else:
            responses[str(status)] = {"$ref": f"#/components/responses/Error{status}"}
    responses["default"] = {"$ref": "#/components/responses/Error"}
    if not streamed:
        return responses
    names = {status: response.get("$ref", "").rpartition("/")[2] for status, response in responses.items()}
    return {status: _streamed(shared.get(names[status], response)) for status, response in responses.items()}


def _streamed(response: Response) -> Response:
    line = {"type": "object", "required": ["error"], "properties": {"error": {"$ref": REF_ROOT + STATUS}}}
    return {**response, "content": {"application/json": {"schema": {"anyOf": [{"$ref": REF_ROOT + STATUS}, line]}}}}


def _response(status: int, description: str) -> Response:
    response: Response = {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": REF_ROOT + STATUS}}},
    }
    if status in _HEADERS:
        response["headers"] = dict(_HEADERS[status])
    return response


def _typed(url: Schema) -> Schema:
    return {"required": ["@type"], "properties": {"@type": url}}
