"""Messages to protojson: one function per message type, made from its descriptor when the type is first met.

google.protobuf.json_format looks at every field's descriptor for every message; here that is done once, and what remains is one
dict display per message, which msgspec writes as bytes. What comes out is what grpc-gateway writes by default (EmitUnpopulated):

- fields without presence always, unset messages (and unset scalars of proto2) as null, unset members of a oneof and unset
  `optional` scalars not at all;
- 64-bit integers as strings, enums by name (by number where the name is not known), bytes in base64, NaN and infinities as words;
- well-known types in their own forms. An Any whose type is not known here keeps its bytes, as "value" in base64: a status must be
  shown even if a newer server put a new detail into it.

Extensions are not written. Source: the ProtoJSON page of protobuf.dev, protobuf-go's encoding/protojson.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from ingest_server.rest.fields import is_map, is_repeated, message_type

Tree = Any
"""What JSON is made of: dict, list, str, int, float, bool, None, and bytes, which are written in base64."""
Encode = Callable[[Any], Tree]

_EPOCH = datetime(1970, 1, 1)
_write = msgspec.json.Encoder().encode
_encoders: dict[Descriptor, Encode] = {}
"""By message type. Grows with the types of the contract, not with requests."""


def write_json(message: Message) -> bytes:
    """A message as one line of JSON in UTF-8.

    Raises:
        ValueError: a Timestamp or Duration in it is out of range.
    """
    return _write(encoder(message.DESCRIPTOR)(message))


def write_tree(tree: Tree) -> bytes:
    """A tree as one line of JSON in UTF-8."""
    return _write(tree)


def encoder(kind: Any) -> Encode:
    """The function that turns messages of a type into trees."""
    found = _encoders.get(kind)
    return found if found is not None else _make(kind)


def field_encoder(field: Any) -> Encode:
    """The function that turns the value of a field, repeated ones and maps included, into a tree. An unset message is null."""
    namespace: dict[str, Any] = {}
    source = f"lambda m: {_field_source(field, namespace, 'm.' + field.name)}"
    return _compiled(source, namespace)


def _make(kind: Descriptor) -> Encode:
    """Write the function for a type. It is known before its body is made, since types may contain themselves."""
    special = _SPECIAL.get(kind.full_name)
    if special is not None:
        _encoders[kind] = special
        return special
    namespace: dict[str, Any] = {}
    _encoders[kind] = lambda message: namespace["made"](message)
    plain, late = [], []
    for field in kind.fields:
        key = repr(field.json_name)
        oneof = field.containing_oneof
        if oneof is None:
            plain.append(f"{key}: {_field_source(field, namespace, 'm.' + field.name)}")
        elif len(oneof.fields) == 1:
            # `optional`: protobuf keeps its presence as a oneof of one.
            late.append(f" if m.HasField({field.name!r}): d[{key}] = {_value_source(field, namespace, 'm.' + field.name)}")
    for place, oneof in enumerate(kind.oneofs):
        if len(oneof.fields) > 1:
            members = {
                field.name: (
                    field.json_name,
                    _compiled(f"lambda m: {_value_source(field, namespace, 'm.' + field.name)}", namespace),
                )
                for field in oneof.fields
            }
            namespace[f"o{place}"] = members
            late.append(f" w = m.WhichOneof({oneof.name!r})\n if w is not None:\n  k, f = o{place}[w]\n  d[k] = f(m)")
    body = "\n".join([f"def made(m):\n d = {{{', '.join(plain)}}}", *late, " return d"])
    exec(compile(body, f"<json of {kind.full_name}>", "exec"), namespace)
    made: Encode = namespace["made"]
    _encoders[kind] = made
    return made


def _compiled(source: str, namespace: dict[str, Any]) -> Encode:
    """Sources are made of names of descriptors, which are identifiers, and of names given here; never of requests."""
    made: Encode = eval(compile(source, "<json of a field>", "eval"), namespace)
    return made


def _field_source(field: FieldDescriptor, namespace: dict[str, Any], value: str) -> str:
    """Source of the expression for a field that is always written."""
    if is_map(field):
        entry = message_type(field)
        keys, values = entry.fields_by_name["key"], entry.fields_by_name["value"]
        key = "k" if keys.cpp_type == FieldDescriptor.CPPTYPE_STRING else _key_source(keys)
        item = _value_source(values, namespace, "v")
        return f"dict({value})" if (key, item) == ("k", "v") else f"{{{key}: {item} for k, v in {value}.items()}}"
    if is_repeated(field):
        item = _value_source(field, namespace, "v")
        return f"list({value})" if item == "v" else f"[{item} for v in {value}]"
    source = _value_source(field, namespace, value)
    return f"{source} if m.HasField({field.name!r}) else None" if field.has_presence else source


def _key_source(field: FieldDescriptor) -> str:
    return "('true' if k else 'false')" if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else "str(k)"


def _value_source(field: FieldDescriptor, namespace: dict[str, Any], value: str) -> str:
    """Source of the expression for one value that is set."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        name = _named(namespace, encoder(message_type(field)))
        return f"{name}({value})"
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return f"{_named(namespace, enum_names(field.enum_type))}({value})"
    if kind in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return f"str({value})"
    if kind == FieldDescriptor.CPPTYPE_DOUBLE:
        return f"{_named(namespace, _double)}({value})"
    if kind == FieldDescriptor.CPPTYPE_FLOAT:
        return f"{_named(namespace, _single)}({value})"
    return value


def _named(namespace: dict[str, Any], value: Any) -> str:
    name = f"c{len(namespace)}"
    namespace[name] = value
    return name


def enum_names(kind: Any) -> Callable[[int], str | int | None]:
    """The function from number to name. A number without a name stays a number; the null of JSON is its own."""
    described: EnumDescriptor = kind
    if described.full_name == "google.protobuf.NullValue":
        return lambda number: None
    names = {number: value.name for number, value in described.values_by_number.items()}
    return lambda number: names.get(number, number)


def _double(value: float) -> float | str:
    if value - value == 0:  # finite
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _single(value: float) -> float | str:
    """The shortest decimal that reads back as the same float of 32 bits; 9 digits always do."""
    if value - value != 0:
        return _double(value)
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        try:
            if struct.unpack("<f", struct.pack("<f", short))[0] == value:
                return short
        except OverflowError:
            continue  # rounded up beyond the largest float
    return float(f"{value:.9g}")


def fraction(nanos: int) -> str:
    """Nanoseconds as a decimal fraction of 0, 3, 6 or 9 digits."""
    if nanos == 0:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03d}"
    return f".{nanos // 1_000:06d}" if nanos % 1_000 == 0 else f".{nanos:09d}"


def _timestamp(message: Any) -> str:
    if not 0 <= message.nanos < 1_000_000_000:
        raise ValueError(f"a Timestamp has {message.nanos:,} nanos")
    try:
        time = _EPOCH + timedelta(seconds=message.seconds)
    except OverflowError:
        raise ValueError(f"a Timestamp of {message.seconds:,} s is not in the years 1 to 9999") from None
    return f"{time.isoformat()}{fraction(message.nanos)}Z"


def _duration(message: Any) -> str:
    seconds, nanos = message.seconds, message.nanos
    if abs(nanos) >= 1_000_000_000 or abs(seconds) > 315_576_000_000 or (seconds and nanos and (seconds < 0) != (nanos < 0)):
        raise ValueError(f"a Duration of {seconds:,} s and {nanos:,} ns is not one")
    return f"{'-' if seconds < 0 or nanos < 0 else ''}{abs(seconds)}{fraction(abs(nanos))}s"


def _field_mask(message: Any) -> str:
    return ",".join(_camel(path) for path in message.paths)


def _camel(path: str) -> str:
    first, *rest = path.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _struct(message: Any) -> Tree:
    return {key: _value(value) for key, value in message.fields.items()}


def _list_value(message: Any) -> Tree:
    return [_value(value) for value in message.values]


def _value(message: Any) -> Tree:
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return _struct(message.struct_value)
    if kind == "list_value":
        return _list_value(message.list_value)
    if kind == "number_value":
        return _double(message.number_value)
    return None if kind in (None, "null_value") else getattr(message, kind)


def _any(message: Any) -> Tree:
    url: str = message.type_url
    if not url:
        return {}
    try:
        kind = message.DESCRIPTOR.file.pool.FindMessageTypeByName(url.rpartition("/")[2])
        inner = message_factory.GetMessageClass(kind).FromString(message.value)
    except (KeyError, DecodeError):
        return {"@type": url, "value": message.value}
    tree = encoder(kind)(inner)
    return {"@type": url, "value": tree} if kind.full_name in _SPECIAL else {"@type": url, **tree}


def _wrapped(message: Any) -> Tree:
    return message.value


def _wrapped_integer(message: Any) -> Tree:
    return str(message.value)


_SPECIAL: dict[str, Encode] = {
    "google.protobuf.Any": _any,
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.FieldMask": _field_mask,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list_value,
    "google.protobuf.DoubleValue": lambda message: _double(message.value),
    "google.protobuf.FloatValue": lambda message: _single(message.value),
    "google.protobuf.Int64Value": _wrapped_integer,
    "google.protobuf.UInt64Value": _wrapped_integer,
    "google.protobuf.Int32Value": _wrapped,
    "google.protobuf.UInt32Value": _wrapped,
    "google.protobuf.BoolValue": _wrapped,
    "google.protobuf.StringValue": _wrapped,
    "google.protobuf.BytesValue": _wrapped,
}
