"""Protojson to messages: tables made from descriptors once, filled straight into the message, every fault told with its path.

The rules are protobuf-go's (encoding/protojson) with DiscardUnknown, which is how grpc-gateway reads bodies: unknown fields are
ignored, both spellings of a field name are taken, null leaves a field unset, a field given twice or two members of a oneof are
refused. Stricter in two points, because what is ignored there is a mistake: what follows the JSON value is refused, and so is an
unknown name of an enum (protobuf-go ignores one since 1.31, and refused it before; Envoy refuses it).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ingest_server.rest.errors import RestError, invalid
from ingest_server.rest.fields import is_map, is_repeated, message_type
from ingest_server.rest.json_values import JsonFault, map_key_reader, scalar_reader, special_reader

Fill = Callable[[Any, Any], None]
"""Puts a JSON value into a message, or into a field of it."""
_fills: dict[Descriptor, Fill] = {}
"""By message type. Grows with the types of the contract, not with requests."""


def read_json(body: bytes, depth_max: int) -> Any:
    """Parse JSON. Objects become tuples of (key, value) pairs, so that a key given twice is seen; arrays become lists.

    Raises:
        RestError: INVALID_ARGUMENT: not UTF-8, not JSON, or nested deeper than `depth_max`.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid(f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}", field="body") from None
    try:
        tree = _decode(text)
    except RecursionError:
        raise _too_deep(depth_max) from None
    except ValueError as error:
        # JSONDecodeError says where; others are numbers of thousands of digits.
        raise invalid(f"the body is not JSON: {error}", field="body") from None
    # Each level takes two brackets, so short bodies need no count.
    if text.count("{") + text.count("[") > depth_max and _depth(tree, depth_max) > depth_max:
        raise _too_deep(depth_max)
    return tree


def fill_message(message: Message, tree: Any, name: str = "") -> None:
    """Put a parsed JSON value into a message, which should be empty.

    Args:
        message: what to fill; its type may be a well-known one.
        tree: from `read_json`.
        name: of the field that the value is, if it is one.

    Raises:
        RestError: INVALID_ARGUMENT naming the field at fault.
    """
    try:
        _fill(message.DESCRIPTOR)(message, tree)
    except JsonFault as fault:
        raise refusal(fault, name) from None


def fill_field(message: Message, field: FieldDescriptor, tree: Any) -> None:
    """Put a parsed JSON value into a field of a message; raises as `fill_message`."""
    try:
        _setter(field)(message, tree)
    except JsonFault as fault:
        raise refusal(fault, field.name) from None


def refusal(fault: JsonFault, name: str = "") -> RestError:
    """The fault as an error, its path written like "jobs[2].priority"."""
    path = name
    for part in fault.path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return invalid(f"{path}: {fault}" if path else f"the body: {fault}", field=path or "body")


def _fill(kind: Any) -> Fill:
    found = _fills.get(kind)
    return found if found is not None else _make(kind)


def _make(kind: Descriptor) -> Fill:
    special = special_reader(kind)
    if special is not None:
        _fills[kind] = special
        return special
    table: dict[str, tuple[str, str, Fill]] = {}

    def fill(message: Any, tree: Any) -> None:
        if type(tree) is not tuple:
            raise JsonFault(f"must be an object, not {shown(tree)}")
        seen: set[str] = set()
        for key, value in tree:
            entry = table.get(key)
            if entry is None:
                continue
            name, oneof, put = entry
            if name in seen:
                raise JsonFault("is given twice").at(name)
            seen.add(name)
            if oneof and value is not None:
                if oneof in seen:
                    raise JsonFault(f"is the second of {oneof[1:]!r} that is given, and only one may be").at(name)
                seen.add(oneof)
            try:
                put(message, value)
            except JsonFault as fault:
                raise fault.at(name) from None

    _fills[kind] = fill  # before its fields: types may contain themselves
    for field in kind.fields:
        oneof = field.containing_oneof
        # No field name begins with a space, so names of fields and of oneofs share one set.
        group = " " + oneof.name if oneof is not None and len(oneof.fields) > 1 else ""
        table[field.name] = table[field.json_name] = (field.name, group, _setter(field))
    return fill


def _setter(field: FieldDescriptor) -> Fill:
    """The function that puts a JSON value into a field. null leaves it unset, unless null is a value of its type."""
    if is_map(field):
        return _map_setter(field)
    if is_repeated(field):
        return _list_setter(field)
    name = field.name
    if field.message_type is not None:
        kind = message_type(field)
        takes_null = kind.full_name == "google.protobuf.Value"
        inner = _fill(kind)

        def put_message(message: Any, value: Any) -> None:
            if value is not None or takes_null:
                part = getattr(message, name)
                part.SetInParent()
                inner(part, value)

        return put_message
    read = scalar_reader(field)

    def put(message: Any, value: Any) -> None:
        if value is not None:
            setattr(message, name, read(value))

    def put_null(message: Any, value: Any) -> None:
        setattr(message, name, 0)

    return put_null if field.enum_type is not None and field.enum_type.full_name == "google.protobuf.NullValue" else put


def _list_setter(field: FieldDescriptor) -> Fill:
    name = field.name
    inner = _fill(message_type(field)) if field.message_type is not None else None
    read = scalar_reader(field) if inner is None else None

    def put(message: Any, value: Any) -> None:
        if value is None:
            return
        if type(value) is not list:
            raise JsonFault(f"must be an array, not {shown(value)}")
        items = getattr(message, name)
        index = 0
        try:
            if inner is not None:
                for index, item in enumerate(value):  # noqa: B007  # told when it fails
                    inner(items.add(), item)
            elif read is not None:
                found = []
                for index, item in enumerate(value):  # noqa: B007
                    found.append(read(item))
                items.extend(found)
        except JsonFault as fault:
            raise fault.at(index) from None

    return put


def _map_setter(field: FieldDescriptor) -> Fill:
    entry = message_type(field)
    name, values = field.name, entry.fields_by_name["value"]
    read_key = map_key_reader(entry.fields_by_name["key"])
    inner = _fill(message_type(values)) if values.message_type is not None else None
    read = scalar_reader(values) if inner is None else None

    def put(message: Any, value: Any) -> None:
        if value is None:
            return
        if type(value) is not tuple:
            raise JsonFault(f"must be an object, not {shown(value)}")
        items = getattr(message, name)
        seen = set()
        for text, item in value:
            try:
                key = read_key(text)
                if key in seen:
                    raise JsonFault("is given twice")
                seen.add(key)
                if inner is not None:
                    inner(items[key], item)
                elif read is not None:
                    items[key] = read(item)
            except JsonFault as fault:
                raise fault.at(text) from None

    return put


def shown(tree: Any) -> str:
    """A JSON value as a message to people names it."""
    if isinstance(tree, tuple):
        return "an object"
    return "an array" if isinstance(tree, list) else json.dumps(tree)[:80]


def _no_constant(word: str) -> Any:
    raise ValueError(f'{word} is not JSON; write "{word}"')


_decode = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=_no_constant).decode


def _too_deep(depth_max: int) -> RestError:
    return invalid(f"the body is nested deeper than {depth_max} levels", field="body")


def _depth(tree: Any, most: int) -> int:
    """Levels of nesting, counted up to one more than `most`."""
    level, depth = [tree], 0
    while level and depth <= most:
        following = []
        for item in level:
            if isinstance(item, tuple):
                following += [value for _, value in item if isinstance(value, tuple | list)]
            elif isinstance(item, list):
                following += [value for value in item if isinstance(value, tuple | list)]
        depth += 1
        level = following
    return depth
