"""Query parameters and path variables into message fields, by grpc-gateway's rules (runtime/query.go).

Keys are field paths by proto or JSON names ("filter.batch_id", "filter.batchId"); a repeated field takes a key several times, a
map "labels[key]=value"; unknown keys are ignored. Beyond grpc-gateway, one rule: a repeated string field whose name ends in
"_ids" also takes ids joined by commas ("job_ids=a,b"), for ids have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ingest_server.rest.errors import RestError, invalid
from ingest_server.rest.fields import is_list, is_map, is_repeated, message_type
from ingest_server.rest.routes import Route
from ingest_server.rest.text_values import parse_message, parse_scalar

MAP_KEY = re.compile(r"(.*)\[(.*)\]", re.DOTALL)


def read_pairs(text: str, parameters_max: int) -> list[tuple[str, str]]:
    """Take a query or form apart.

    Args:
        text: what follows the "?", or the body of a form.
        parameters_max: most pairs.

    Raises:
        RestError: INVALID_ARGUMENT for invalid UTF-8 or too many pairs.
    """
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=parameters_max)
    except UnicodeDecodeError:
        raise invalid("the query is not UTF-8", field="query") from None
    except ValueError:
        raise invalid(f"the query has more than {parameters_max:,} parameters: send a POST with a body", field="query") from None


def fill(message: Message, route: Route, bindings: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> None:
    """Set fields of a request from path variables, then from query parameters.

    Args:
        message: what to fill; fields of the body are set already.
        route: decides which fields the query may not set: those of path and body, which are left out in silence.
        bindings: path variables.
        pairs: query parameters in order.

    Raises:
        RestError: INVALID_ARGUMENT naming the field, for a value that does not fit its type, two values where one is taken, two
            members of a oneof.
    """
    for path, value in bindings.items():
        fields = _resolve(message.DESCRIPTOR, path)
        repeated = bool(fields) and is_repeated(fields[-1])
        _populate(message, fields, path, value.split(",") if repeated else [value])
    if not pairs:
        return
    grouped: dict[str, list[str]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    taken = [tuple(path.split(".")) for path in bindings]
    if route.body:
        taken.append((route.body,))
    for key, values in grouped.items():
        _parameter(message, taken, key, values)


def _parameter(message: Message, taken: Sequence[tuple[str, ...]], key: str, values: list[str]) -> None:
    brackets = MAP_KEY.fullmatch(key)
    if brackets:
        key, values = brackets[1], [brackets[2], *values]
    fields = _resolve(message.DESCRIPTOR, key)
    names = tuple(item.name for item in fields)
    if not fields or any(names[: len(path)] == path for path in taken):
        return
    if not brackets and names[-1].endswith("_ids") and is_list(fields[-1]) and fields[-1].type == FieldDescriptor.TYPE_STRING:
        values = [item for value in values for item in value.split(",")]
    _populate(message, fields, key, values)


def _resolve(message: Any, path: str) -> list[FieldDescriptor]:
    """The fields along a path; empty if one does not exist.

    Raises:
        RestError: the path leads through something that is no singular message.
    """
    fields: list[FieldDescriptor] = []
    for name in path.split("."):
        if fields and (message is None or is_repeated(fields[-1])):
            raise invalid(f"{path}: {fields[-1].name!r} is not a message, so it has no field {name!r}", field=path)
        found = message.fields_by_name.get(name) or message.fields_by_camelcase_name.get(name)
        if found is None or (found.json_name != name and found.name != name):
            found = next((item for item in message.fields if item.json_name == name), None)
        if found is None:
            return []
        fields.append(found)
        message = found.message_type
    return fields


def _populate(message: Message, fields: Sequence[FieldDescriptor], path: str, values: list[str]) -> None:
    *parents, field = fields
    for parent in parents:
        _check_oneof(message, parent, path)
        message = getattr(message, parent.name)
        message.SetInParent()
    _check_oneof(message, field, path)
    if is_map(field):
        _populate_map(message, field, path, values)
    elif is_repeated(field):
        items = getattr(message, field.name)
        for value in values:
            parsed = _parsed(field, path, value)
            if isinstance(parsed, Message):
                items.add().CopyFrom(parsed)
            else:
                items.append(parsed)
    elif len(values) > 1:
        raise invalid(f"{path}: takes one value, but {len(values)} were given: {', '.join(values)[:200]}", field=path)
    else:
        parsed = _parsed(field, path, values[0])
        if isinstance(parsed, Message):
            getattr(message, field.name).CopyFrom(parsed)
        else:
            setattr(message, field.name, parsed)


def _populate_map(message: Message, field: FieldDescriptor, path: str, values: list[str]) -> None:
    if len(values) != 2:
        raise invalid(f"{path}: is a map: write {path}[key]=value, each key once", field=path)
    entry = message_type(field)
    key = _parsed(entry.fields_by_name["key"], path, values[0])
    value = _parsed(entry.fields_by_name["value"], path, values[1])
    items = getattr(message, field.name)
    if isinstance(value, Message):
        items[key].CopyFrom(value)
    else:
        items[key] = value


def _parsed(field: FieldDescriptor, path: str, value: str) -> Any:
    try:
        if field.message_type is not None:
            return parse_message(message_type(field), value)
        return parse_scalar(field, value)
    except ValueError as error:
        raise _fault(path, error) from None


def _fault(path: str, error: ValueError) -> RestError:
    return invalid(f"{path}: {error}", field=path)


def _check_oneof(message: Message, field: FieldDescriptor, path: str) -> None:
    """Raise if another member of the field's oneof is set."""
    oneof = field.containing_oneof
    if oneof is None or len(oneof.fields) == 1:
        return
    present = message.WhichOneof(oneof.name)
    if present is not None and (present != field.name or field.message_type is None):
        raise invalid(f"{path}: {present!r} of the oneof {oneof.name!r} is set already, and only one may be", field=path)
