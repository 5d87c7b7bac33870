"""The protobuf wire format, as far as readers write documents of many parts as bytes: numbers, and the tags of fields.

Source: protobuf.dev/programming-guides/encoding. Field numbers come from the descriptors, so the proto stays the only place that
says them.
"""

from __future__ import annotations

VARINT, FIXED64, BYTES = 0, 1, 2
"""Wire types."""


def varint(value: int) -> bytes:
    """A number from 0 in groups of seven bits, the lowest first. Raises ValueError below 0."""
    if value < 0x80:
        if value < 0:
            raise ValueError(f"{value} is negative: it would take ten bytes, and no field here is")
        return _SHORT[value]
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def tag(message: type, field: str, wire_type: int) -> bytes:
    """What stands before a field of a message class. KeyError if it has no such field."""
    number = message.DESCRIPTOR.fields_by_name[field].number  # type: ignore[attr-defined]
    return varint(number << 3 | wire_type)


_SHORT = [bytes((value,)) for value in range(0x80)]
