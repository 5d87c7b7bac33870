"""The wire format of protobuf, as far as messages are put together from bytes that are serialized already.

Source: protobuf.dev/programming-guides/encoding. Two properties carry the whole: fields of a message may be concatenated in any
order, and a submessage that occurs twice is merged.
"""

from __future__ import annotations

from ingest_server.handlers.protobuf_bytes import varint


def varint_field(number: int, value: int) -> bytes:
    """Encode an integer, enum or bool field of 1 … 15; b"" for 0, which proto3 leaves out."""
    return bytes((number << 3,)) + varint(value) if value else b""


def bytes_field(number: int, data: bytes) -> bytes:
    """Encode a string, bytes or submessage field of 1 … 15, also when empty: for a submessage that means present."""
    return bytes((number << 3 | 2,)) + varint(len(data)) + data


def text_field(number: int, text: str) -> bytes:
    """Encode a string field of 1 … 15; b"" for "", which proto3 leaves out."""
    return bytes_field(number, text.encode("utf-8")) if text else b""
