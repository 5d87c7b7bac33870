"""Single JSON values as protobuf values: scalars, map keys, and the well-known types with forms of their own."""

from __future__ import annotations

import binascii
import math
import re
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor

Read = Callable[[Any], Any]
"""From a JSON value to that of a field. Raises JsonFault."""

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
DURATION = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
DURATION_SECONDS_MAX = 315_576_000_000
"""10,000 years, as google/protobuf/duration.proto has it."""
TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
MASK_PATH = re.compile(r"[A-Za-z0-9.]*")
CAPITAL = re.compile(r"[A-Z]")
FLOAT_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
INTEGER_DIGITS_MAX = 400
"""More digits than any number that fits; longer texts are not worth converting."""

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_F = FieldDescriptor
_RANGES = {
    _F.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1, "a 32-bit integer"),
    _F.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1, "a 64-bit integer"),
    _F.CPPTYPE_UINT32: (0, (1 << 32) - 1, "an unsigned 32-bit integer"),
    _F.CPPTYPE_UINT64: (0, (1 << 64) - 1, "an unsigned 64-bit integer"),
}


class JsonFault(Exception):
    """A value does not fit. `path` leads to it, outermost first: names of fields and keys, places in arrays."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.path: list[str | int] = []

    def at(self, part: str | int) -> JsonFault:
        """The same fault, seen from one level further out."""
        self.path.insert(0, part)
        return self


def scalar_reader(field: FieldDescriptor) -> Read:
    """The function that reads values of a field that is no message."""
    kind = field.cpp_type
    if kind in _RANGES:
        return _integer_reader(*_RANGES[kind])
    if kind == _F.CPPTYPE_STRING:
        return read_bytes if field.type == _F.TYPE_BYTES else read_string
    if kind == _F.CPPTYPE_BOOL:
        return _read_bool
    if kind == _F.CPPTYPE_ENUM:
        return _enum_reader(field)
    return _read_single if kind == _F.CPPTYPE_FLOAT else _read_double


def map_key_reader(field: FieldDescriptor) -> Callable[[str], Any]:
    """The function that reads keys of a map, which JSON writes as strings."""
    if field.cpp_type == _F.CPPTYPE_BOOL:
        return _read_bool_key
    return scalar_reader(field)


def special_reader(kind: Descriptor) -> Callable[[Any, Any], None] | None:
    """The function that fills a message of a well-known type; None if the type has no form of its own."""
    name = kind.full_name
    if name in _SPECIAL:
        return _SPECIAL[name]
    if kind.file.name != "google/protobuf/wrappers.proto":
        return None
    read = scalar_reader(kind.fields_by_name["value"])

    def fill(message: Any, value: Any) -> None:
        message.value = read(value)

    return fill


def _told(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "an object" if isinstance(value, tuple) else "an array"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f'"{value[:80]}"' if isinstance(value, str) else str(value)[:80]


def read_string(value: Any) -> str:
    """A string that UTF-8 can hold."""
    if type(value) is not str:
        raise JsonFault(f"must be a string, not {_told(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise JsonFault("has half of a surrogate pair, which is no character") from None
    return value


def read_bytes(value: Any) -> bytes:
    """Base64 in the standard or the URL alphabet, with or without padding."""
    if type(value) is not str:
        raise JsonFault(f"must be a string of base64, not {_told(value)}")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        pass  # perhaps only another way to write it
    text = value.replace("-", "+").replace("_", "/").replace("\r", "").replace("\n", "").rstrip("=")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError as error:
        raise JsonFault(f"is not base64: {error}") from None


def _integer_reader(least: int, most: int, words: str) -> Read:
    def read(value: Any) -> int:
        if type(value) is str:
            if not NUMBER.fullmatch(value) or len(value) > INTEGER_DIGITS_MAX:
                raise JsonFault(f"must be {words}, not {_told(value)}")
            value = int(value) if INTEGER.fullmatch(value) else float(value)
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise JsonFault(f"must be {words}, not {_told(value)}")
        if not least <= value <= most:
            raise JsonFault(f"must be {words}, {least} … {most}, not {_told(value)}")
        return value

    return read


def _read_double(value: Any) -> float:
    if type(value) is str:
        word = FLOAT_WORDS.get(value)
        if word is not None:
            return word
        if not NUMBER.fullmatch(value) or len(value) > INTEGER_DIGITS_MAX:
            raise JsonFault(f"must be a number, not {_told(value)}")
    elif type(value) is not float and type(value) is not int:
        raise JsonFault(f"must be a number, not {_told(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise JsonFault(f"is larger than a double can be: {_told(value)}")
    return number


def _read_single(value: Any) -> float:
    number = _read_double(value)
    if number - number == 0:
        try:
            struct.pack("<f", number)
        except OverflowError:
            raise JsonFault(f"is larger than a float can be: {_told(value)}") from None
    return number


def _read_bool(value: Any) -> bool:
    if type(value) is not bool:
        raise JsonFault(f"must be true or false, not {_told(value)}")
    return value


def _read_bool_key(value: str) -> bool:
    if value not in ("true", "false"):
        raise JsonFault("must be true or false")
    return value == "true"


def _enum_reader(field: FieldDescriptor) -> Read:
    described: Any = field.enum_type
    numbers = {name: value.number for name, value in described.values_by_name.items()}
    takes_null = described.full_name == "google.protobuf.NullValue"

    def read(value: Any) -> int:
        if value is None and takes_null:
            return 0
        if type(value) is str:
            number = numbers.get(value)
            if number is None:
                raise JsonFault(f"{_told(value)} is no name of a {described.name}; use one of {', '.join([*numbers][:20])}")
            return int(number)
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not -(1 << 31) <= value < 1 << 31:
            raise JsonFault(f"must be the name of a {described.name}, not {_told(value)}")
        return value

    return read


def _timestamp(message: Any, value: Any) -> None:
    found = TIMESTAMP.fullmatch(value) if type(value) is str else None
    try:
        if found is None:
            raise ValueError
        time = datetime.fromisoformat(found[1] + ("+00:00" if found[3] == "Z" else found[3]))
        since = time - _EPOCH
    except (ValueError, OverflowError):
        raise JsonFault(f"must be a time such as 2026-01-31T12:00:00Z, not {_told(value)}") from None
    seconds = since.days * 86_400 + since.seconds
    if not -62_135_596_800 <= seconds <= 253_402_300_799:
        raise JsonFault(f"must be in the years 1 to 9999 (UTC), not {_told(value)}")
    message.seconds, message.nanos = seconds, int((found[2] or "").ljust(9, "0"))


def _duration(message: Any, value: Any) -> None:
    found = DURATION.fullmatch(value) if type(value) is str else None
    if found is None or int(found[2]) > DURATION_SECONDS_MAX:
        raise JsonFault(f"must be a duration in seconds such as 1.5s, not {_told(value)}")
    sign = -1 if found[1] else 1
    message.seconds, message.nanos = sign * int(found[2]), sign * int((found[3] or "").ljust(9, "0"))


def _field_mask(message: Any, value: Any) -> None:
    if type(value) is not str:
        raise JsonFault(f"must be paths joined by commas, not {_told(value)}")
    for path in value.split(",") if value else ():
        if not MASK_PATH.fullmatch(path):
            raise JsonFault(f"must be paths in lowerCamelCase joined by commas, not {_told(path)}")
        message.paths.append(CAPITAL.sub(lambda capital: "_" + capital[0].lower(), path))


def _struct(message: Any, value: Any) -> None:
    if type(value) is not tuple:
        raise JsonFault(f"must be an object, not {_told(value)}")
    message.SetInParent()
    fields = message.fields
    for key, item in value:
        read_string(key)
        if key in fields:
            raise JsonFault("is given twice").at(key)
        try:
            _value(fields[key], item)
        except JsonFault as fault:
            raise fault.at(key) from None


def _list_value(message: Any, value: Any) -> None:
    if type(value) is not list:
        raise JsonFault(f"must be an array, not {_told(value)}")
    message.SetInParent()
    for index, item in enumerate(value):
        try:
            _value(message.values.add(), item)
        except JsonFault as fault:
            raise fault.at(index) from None


def _value(message: Any, value: Any) -> None:
    kind = type(value)
    if kind is str:
        message.string_value = read_string(value)
    elif kind is bool:
        message.bool_value = value
    elif value is None:
        message.null_value = 0
    elif kind is tuple:
        _struct(message.struct_value, value)
    elif kind is list:
        _list_value(message.list_value, value)
    else:
        message.number_value = _read_double(value)


def _any(message: Any, value: Any) -> None:
    """Rare in requests, so left to protobuf's own reader."""
    if type(value) is not tuple:
        raise JsonFault(f"must be an object, not {_told(value)}")
    try:
        json_format.ParseDict(_as_dict(value), message, ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError, ValueError, AttributeError) as error:
        raise JsonFault(f"cannot be read: {str(error)[:200]}") from None


def _as_dict(value: Any) -> Any:
    if isinstance(value, tuple):
        made: dict[str, Any] = {}
        for key, item in value:
            if key in made:
                raise JsonFault("is given twice").at(key)
            made[key] = _as_dict(item)
        return made
    return [_as_dict(item) for item in value] if isinstance(value, list) else value


_SPECIAL: dict[str, Callable[[Any, Any], None]] = {
    "google.protobuf.Any": _any,
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.FieldMask": _field_mask,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list_value,
}
