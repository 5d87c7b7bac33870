"""Typed options: from the plain values a client sent to the handler's own type, and the JSON schema that clients see.

Numbers of a protobuf Struct are doubles. One without a fraction is taken as an integer wherever it stands, so that a field of
type `int` can be filled; msgspec takes integers for `float` fields too. Beyond 2**53 doubles have no exact integers: they stay
floats.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from google.protobuf import struct_pb2

EXACT_INTEGER_MAX = 2.0**53
NO_OPTIONS_SCHEMA = '{"type":"object","properties":{},"additionalProperties":false}'


class InvalidOptions(ValueError):
    """The handler does not take these options; the text names the option and what is wrong."""


class OptionsCodec:
    """Reads options of one type.

    Args:
        options_type: a dataclass or `msgspec.Struct` whose fields can be read from JSON.

    Raises:
        TypeError: it is neither, or msgspec cannot read one of its fields.
    """

    def __init__(self, options_type: Any) -> None:
        is_record = isinstance(options_type, type) and (
            dataclasses.is_dataclass(options_type) or issubclass(options_type, msgspec.Struct)
        )
        if not is_record:
            raise TypeError(f"options must be a dataclass or a msgspec.Struct, not {options_type!r}")
        try:
            self._schema = _closed_schema(options_type)
            self._decoder = msgspec.json.Decoder(options_type, strict=True)
        except (TypeError, NameError) as error:
            raise TypeError(f"options type {options_type.__name__} cannot be read from JSON: {error}") from error
        self._names = frozenset(self._schema["properties"])

    def schema_json(self) -> str:
        """The JSON schema (2020-12) as JSON text: an object that allows no other properties."""
        return msgspec.json.encode(self._schema).decode()

    def encode(self, plain: dict[str, Any]) -> bytes:
        """Check options and give the form `decode` takes. Raises InvalidOptions."""
        unknown = sorted(plain.keys() - self._names)
        if unknown:
            known = ", ".join(sorted(self._names)) or "none"
            raise InvalidOptions(f"unknown option {unknown[0]!r}; known options: {known}")
        data = msgspec.json.encode(plain)
        self.decode(data)
        return data

    def decode(self, data: bytes) -> Any:
        """Make a fresh options object, so that what a handler does to it is seen by no other attempt. Raises InvalidOptions."""
        try:
            return self._decoder.decode(data)
        except msgspec.ValidationError as error:
            raise InvalidOptions(str(error)) from error
        except Exception as error:  # __post_init__ of the author's own type
            raise InvalidOptions(f"{type(error).__name__}: {error}") from error


def schema_of(options_type: type | None) -> str:
    """JSON schema of a handler's options as JSON text; of no options: an object without properties."""
    return NO_OPTIONS_SCHEMA if options_type is None else OptionsCodec(options_type).schema_json()


def plain_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The plain values of a Struct; numbers without a fraction as integers."""
    return {name: _plain_value(value) for name, value in struct.fields.items()}


def _plain_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= EXACT_INTEGER_MAX else number
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return plain_struct(value.struct_value)
    if kind == "list_value":
        return [_plain_value(item) for item in value.list_value.values]
    return None


def _closed_schema(options_type: type) -> dict[str, Any]:
    """The schema of a record, at the top level and without room for unknown names.

    msgspec puts records under `$defs` and refers to them; clients that draw forms want the properties at the top.
    """
    (reference,), components = msgspec.json.schema_components([options_type], ref_template="#/$defs/{name}")
    name = reference.get("$ref", "").rpartition("/")[2]
    record = dict(components.get(name, reference))
    if record.get("type") != "object" or "properties" not in record:
        raise TypeError("its JSON form is not an object with named properties")
    record["additionalProperties"] = False
    # The definition of the record itself stays only if it refers to itself.
    others = {key: value for key, value in components.items() if key != name}
    if msgspec.json.encode(record).find(f'"#/$defs/{name}"'.encode()) >= 0:
        others[name] = components[name]
    if others:
        record["$defs"] = others
    return record
