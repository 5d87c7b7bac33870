"""The OpenAPI 3.1 description of the routes, made from the descriptors and their comments at run time.

What is described is what the route table serves: a new RPC with its google.api.http rule appears with no further code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, FileDescriptor, ServiceDescriptor

from ingest_server.rest.comments import Comments
from ingest_server.rest.field_limits import FIELD_LIMITS
from ingest_server.rest.fields import is_list
from ingest_server.rest.openapi_bytes import describe_bytes
from ingest_server.rest.openapi_errors import (
    DETAILS_OF_STATUS,
    describe_status,
    error_responses,
    refer_details,
    shared_responses,
)
from ingest_server.rest.openapi_examples import EXAMPLES
from ingest_server.rest.openapi_parameters import openapi_path, path_fields, path_parameters, query_parameters
from ingest_server.rest.openapi_schema import Schema, SchemaSet
from ingest_server.rest.openapi_streams import stream_parameters, stream_responses
from ingest_server.rest.routes import WHOLE, Route, RouteTable

OPENAPI_VERSION = "3.1.0"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ABOUT = """\
The same service as over gRPC, by HTTP and JSON.

JSON is [protojson](https://protobuf.dev/programming-guides/json/): names in lowerCamelCase (names as in the proto are
understood too), 64-bit integers and bytes as strings, enums by name, durations such as `"1.5s"`, times as RFC 3339. Unknown
fields are ignored. Fields of the request that neither path nor body carries may be query parameters.

Every error is a `google.rpc.Status` whose details hold one `ErrorInfo`; decide by its `reason`. `Retry-After` tells when to come
back. `Grpc-Timeout: 10S` bounds a call; every answer has an `X-Request-Id`, which the server's log tells with a call that failed.

Streams come as one JSON object per line, or as server-sent events with `Accept: text/event-stream`; a WebSocket to the same path
carries the same frames."""

ABOUT_TOKENS = "A token of the server's `tokens_file` or `auth_token`. Not needed where authentication is off."

_VARIABLE = re.compile(r"\{[^}]+\}")
_CAPITAL = re.compile(r"[A-Z][a-z0-9]*")
Operation = dict[str, Any]


def openapi_document(
    table: RouteTable,
    *,
    title: str,
    version: str,
    own_paths: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Describe all routes.

    Args:
        table: what is served.
        title, version: of the API.
        own_paths: path items of what is no RPC.

    Returns:
        The document but for `servers`, which depends on where the app is mounted; plain JSON values.
    """
    comments = Comments(_files(table.services))
    packages = {service.file.package for service in table.services}
    schemas = SchemaSet(comments, {**FIELD_LIMITS, **DETAILS_OF_STATUS}, packages)
    refer_details(schemas)
    paths = _paths(table.routes, schemas, comments)
    definitions = schemas.definitions()
    describe_status(schemas, definitions)
    return {
        "openapi": OPENAPI_VERSION,
        "jsonSchemaDialect": DIALECT,
        "info": {"title": title, "version": version, "description": ABOUT},
        "security": [{}, {"bearer": []}],
        "tags": [{"name": service.name, "description": comments.markdown(service.full_name)} for service in table.services],
        "paths": {**paths, **(own_paths or {})},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": ABOUT_TOKENS}},
            "responses": shared_responses(),
            "schemas": definitions,
        },
    }


def _files(services: Iterable[ServiceDescriptor]) -> list[FileDescriptor]:
    """The files of services and all they import."""
    found: dict[str, FileDescriptor] = {}
    waiting = [service.file for service in services]
    while waiting:
        file = waiting.pop()
        if file.name not in found:
            found[file.name] = file
            waiting.extend(file.dependencies)
    return list(found.values())


def _paths(routes: Iterable[Route], schemas: SchemaSet, comments: Comments) -> dict[str, dict[str, Operation]]:
    paths: dict[str, dict[str, Operation]] = {}
    shapes: dict[str, str] = {}
    bindings: dict[str, int] = {}
    for route in routes:
        bindings[route.full_method] = bindings.get(route.full_method, 0) + 1
        operation = _operation(route, bindings[route.full_method], schemas, comments)
        describe_bytes(route, operation, schemas)
        # A custom rule for any verb is described as POST, the verb that fits every RPC.
        verb = "post" if route.verb == WHOLE else route.verb.lower()
        path = openapi_path(route.template)
        # Paths that differ by the names of their variables only are one path to OpenAPI: the first one's names are used.
        shared = shapes.setdefault(_VARIABLE.sub("{}", path), path)
        _rename(operation, dict(zip(_VARIABLE.findall(path), _VARIABLE.findall(shared), strict=True)))
        paths.setdefault(shared, {})[verb] = operation
    return paths


def _rename(operation: Operation, names: Mapping[str, str]) -> None:
    """Give path parameters other names; in place."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["name"] = names["{" + parameter["name"] + "}"][1:-1]


def _operation(route: Route, binding: int, schemas: SchemaSet, comments: Comments) -> Operation:
    name = f"{route.method.containing_service.full_name}.{route.method.name}"
    comment = comments.text(name)
    operation: Operation = {
        "operationId": f"{route.method.containing_service.name}_{route.method.name}" + (str(binding) if binding > 1 else ""),
        "tags": [route.method.containing_service.name],
        "summary": words(route.method.name),
        "x-rpc": name,
    }
    description = comments.markdown(name)
    if description:
        operation["description"] = description
    parameters = [*path_parameters(route, schemas), *query_parameters(route, schemas)]
    if route.server_streaming:
        parameters += stream_parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.body:
        operation["requestBody"] = _request_body(route, schemas)
    answer = _answer_schema(route, schemas)
    ok = stream_responses(answer) if route.server_streaming else {"description": _told(route, comments), "content": _json(answer)}
    operation["responses"] = {"200": ok, **error_responses(comment, streamed=route.server_streaming)}
    if route.server_streaming:
        operation["x-stream"] = True
    return operation


def words(name: str) -> str:
    """A name in camel case as words: "FindMissingBlobs" is "Find missing blobs"."""
    return _CAPITAL.sub(lambda found: " " + found[0].lower(), name).strip().capitalize()


def _request_body(route: Route, schemas: SchemaSet) -> dict[str, Any]:
    taken = path_fields(route)
    field = route.body_field
    if field is None:
        schema = schemas.message(route.method.input_type, without=[path for path in taken if "." not in path])
    else:
        below = frozenset(path.removeprefix(f"{field.name}.") for path in taken if path.startswith(f"{field.name}."))
        schema = schemas.field(field, without=below)
        if is_list(field) and field.message_type is not None:  # one item, a list of them, or the whole request: see transcode
            schema = {"anyOf": [schema["items"], schema, schemas.message(route.method.input_type)]}
    body: dict[str, Any] = {"required": True, "content": _json(schema)}
    examples = {
        name.lower().replace(" ", "-"): {"summary": name, "value": _example(value, field)}
        for name, value in EXAMPLES.get(route.method.input_type.full_name, {}).items()
    }
    if examples:
        body["content"]["application/json"]["examples"] = examples
    return body


def _example(value: Mapping[str, Any], field: FieldDescriptor | None) -> Any:
    """What of an example of a request is its body: all of it, or a field, of which one item alone stands for a list of one."""
    if field is None:
        return value
    part = value[field.json_name]
    return part[0] if is_list(field) and len(part) == 1 else part


def _answer_schema(route: Route, schemas: SchemaSet) -> Schema:
    if route.response_body:
        return schemas.field(route.method.output_type.fields_by_name[route.response_body])
    return schemas.message(route.method.output_type)


def _told(route: Route, comments: Comments) -> str:
    return comments.markdown(route.method.output_type.full_name) or f"{route.method.output_type.name}"


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
