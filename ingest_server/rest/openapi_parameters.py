"""OpenAPI parameters of a route: its path in OpenAPI's form, path variables, and the fields that a query may set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor

from ingest_server.rest.fields import is_list, is_map, message_type
from ingest_server.rest.openapi_schema import SchemaSet, has_behavior, is_well_known
from ingest_server.rest.path_template import PathTemplate, Variable
from ingest_server.rest.routes import WHOLE, Route

Parameter = dict[str, Any]
QUERY_DEPTH_MAX = 8
"""Messages within messages that a query is described for: those that contain themselves must end somewhere."""


def openapi_path(template: PathTemplate) -> str:
    """The path of a template as OpenAPI writes it: each variable is one name in braces, a bare wildcard is called after its
    place."""
    begins = {variable.begin: variable for variable in template.variables}
    parts, index = [], 0
    while index < len(template.segments):
        if index in begins:
            parts.append("{" + ".".join(begins[index].field_path) + "}")
            index = begins[index].end
        else:
            segment = template.segments[index]
            parts.append(_wildcard_name(index) if segment.startswith("*") else segment)
            index += 1
    return "/" + "/".join(parts) + (f":{template.verb}" if template.verb else "")


def path_fields(route: Route) -> frozenset[str]:
    """Dotted paths of the fields that the path binds."""
    return frozenset(".".join(variable.field_path) for variable in route.template.variables)


def path_parameters(route: Route, schemas: SchemaSet) -> list[Parameter]:
    """The variables of the path, in its order, and its bare wildcards."""
    parameters = [_path_parameter(route, variable, schemas) for variable in route.template.variables]
    covered = {index for variable in route.template.variables for index in range(variable.begin, variable.end)}
    for index, segment in enumerate(route.template.segments):
        if segment.startswith("*") and index not in covered:
            name = _wildcard_name(index)[1:-1]
            parameters.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})
    return parameters


def query_parameters(route: Route, schemas: SchemaSet) -> list[Parameter]:
    """The fields that neither path nor body carries, in the order of their declaration; none where the body is everything."""
    if route.body == WHOLE:
        return []
    taken = path_fields(route) | ({route.body} if route.body else set())
    return list(_query_fields(route.method.input_type, "", taken, schemas, QUERY_DEPTH_MAX))


def _wildcard_name(index: int) -> str:
    return "{segment" + str(index) + "}"


def _path_parameter(route: Route, variable: Variable, schemas: SchemaSet) -> Parameter:
    message = route.method.input_type
    *way, last = variable.field_path
    for name in way:
        message = message_type(message.fields_by_name[name])
    schema = schemas.field(message.fields_by_name[last])
    segments = route.template.segments[variable.begin : variable.end]
    if segments != ("*",):
        schema["pattern"] = "^" + "/".join({"*": "[^/]+", "**": ".*"}.get(part, part) for part in segments) + "$"
    elif schema.get("type") == "string" and "pattern" not in schema:
        schema["minLength"] = 1  # an empty segment is another path
    return _parameter(".".join(variable.field_path), "path", schema, required=True)


def _query_fields(message: Descriptor, prefix: str, taken: frozenset[str], schemas: SchemaSet, depth: int) -> Iterator[Parameter]:
    for field in message.fields:
        name = prefix + field.name
        if name in taken:
            continue
        inner = field.message_type
        if is_map(field):
            if message_type(field).fields_by_name["value"].message_type is None:
                yield {**_parameter(name, "query", schemas.field(field)), "style": "deepObject", "explode": True}
        elif inner is None or is_well_known(inner):
            yield _parameter(name, "query", schemas.field(field), required=not prefix and has_behavior(field, "REQUIRED"))
        elif not is_list(field) and depth > 1:
            yield from _query_fields(inner, f"{name}.", taken, schemas, depth - 1)


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool = False) -> Parameter:
    """A parameter whose description stands where readers of parameters look for it."""
    description = schema.pop("description", "")
    schema.pop("x-input-only", None)
    parameter: Parameter = {"name": name, "in": place, "schema": schema}
    if description:
        parameter["description"] = description
    if required:
        parameter["required"] = True
    if schema.get("type") == "array" and place == "query":
        parameter["explode"] = True  # ?a=1&a=2
    return parameter
