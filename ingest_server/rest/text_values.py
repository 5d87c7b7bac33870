"""Text of a URL as a value of a protobuf type: what grpc-gateway takes, which is what Go's strconv and time take."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

INTEGER = re.compile(r"[+-]?[0-9]+")
FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
FLOAT_WORDS = {"inf": math.inf, "infinity": math.inf, "nan": math.nan}
TRUE, FALSE = frozenset({"1", "t", "T", "true", "TRUE", "True"}), frozenset({"0", "f", "F", "false", "FALSE", "False"})
DURATION = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+|[+-]?0")
DURATION_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
UNIT_NANOS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9}
DURATION_NANOS_MAX = (1 << 63) - 1
"""Of Go's time.Duration: about 292 years."""
CAMEL = re.compile(r"[A-Z]")

_INTEGER_BITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1, "a 32-bit integer"),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1, "a 64-bit integer"),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1, "an unsigned 32-bit integer"),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1, "an unsigned 64-bit integer"),
}


def parse_scalar(field: FieldDescriptor, text: str) -> Any:
    """The value of a field that is no message.

    Raises:
        ValueError: what the text is not.
    """
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return _bytes(text) if field.type == FieldDescriptor.TYPE_BYTES else text
    if kind in _INTEGER_BITS:
        return _integer(kind, text)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return _bool(text)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return _enum(field, text)
    return _float(text, single=kind == FieldDescriptor.CPPTYPE_FLOAT)


def parse_message(kind: Descriptor, text: str) -> Message:
    """The value of a field whose type is one of the well-known ones.

    Raises:
        ValueError: what the text is not, or that the type cannot be written in a URL.
    """
    message = message_factory.GetMessageClass(kind)()
    made: Any = message
    name = kind.full_name
    if name == "google.protobuf.Duration":
        nanos = _duration_nanos(text)
        # Both parts have the sign of the whole.
        made.seconds, made.nanos = (nanos // 10**9, nanos % 10**9) if nanos >= 0 else (-(-nanos // 10**9), -(-nanos % 10**9))
    elif name == "google.protobuf.FieldMask":
        made.paths.extend(CAMEL.sub(lambda found: "_" + found[0].lower(), path) for path in text.split(",") if path)
    elif name == "google.protobuf.Timestamp":
        try:
            made.FromJsonString(text)
        except ValueError:
            raise ValueError(f"{text[:80]!r} is no time such as 2026-01-31T12:00:00Z") from None
    elif name in ("google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"):
        try:
            json_format.Parse(text, message)
        except (json_format.ParseError, RecursionError):
            raise ValueError(f"{text[:80]!r} is not JSON for a {name}") from None
    elif kind.file.name == "google/protobuf/wrappers.proto":
        made.value = parse_scalar(kind.fields_by_name["value"], text)
    else:
        raise ValueError(f"a {name} cannot be written in a URL: name its fields, or send a body")
    return message


def _integer(kind: int, text: str) -> int:
    least, most, words = _INTEGER_BITS[kind]
    # 20 digits and a sign hold every value; longer texts are not worth converting.
    if not INTEGER.fullmatch(text) or len(text.lstrip("+-0")) > 20 or not least <= int(text) <= most:
        raise ValueError(f"{text[:80]!r} is not {words}")
    return int(text)


def _bool(text: str) -> bool:
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(f"{text[:80]!r} is neither true nor false")


def _enum(field: FieldDescriptor, text: str) -> int:
    kind = field.enum_type
    assert kind is not None
    value = kind.values_by_name.get(text)
    if value is None and INTEGER.fullmatch(text) and len(text) <= 11:
        value = kind.values_by_number.get(int(text))
    if value is None:
        names = ", ".join(list(kind.values_by_name)[:20])
        raise ValueError(f"{text[:80]!r} is not a valid value; use one of {names}")
    return int(value.number)


def _float(text: str, *, single: bool) -> float:
    word = FLOAT_WORDS.get(text.lstrip("+-").lower()) if len(text) - len(text.lstrip("+-")) <= 1 else None
    if word is not None:
        return -word if text.startswith("-") else word
    if not FLOAT.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a number")
    value = float(text)
    if single and math.isfinite(value):
        try:
            struct.pack("<f", value)
        except OverflowError:
            value = math.inf
    if math.isinf(value):
        raise ValueError(f"{text[:80]!r} is too large")
    return value


def _bytes(text: str) -> bytes:
    """Base64 with padding, in the standard or the URL alphabet, as Go's StdEncoding and URLEncoding."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{text[:80]!r} is not base64 (with its padding)") from None


def _duration_nanos(text: str) -> int:
    """Go's time.ParseDuration: "1.5s", "2h45m", "300ms"."""
    if len(text) > 100 or not DURATION.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no duration such as 1.5s, 300ms or 2h45m")
    nanos = 0
    for whole, fraction, unit in DURATION_PART.findall(text):
        nanos += int(whole or 0) * UNIT_NANOS[unit]
        if fraction:
            nanos += int(fraction) * UNIT_NANOS[unit] // 10 ** len(fraction)
    if nanos > DURATION_NANOS_MAX:
        raise ValueError(f"{text[:80]!r} is longer than 292 years")
    return -nanos if text.startswith("-") else nanos
