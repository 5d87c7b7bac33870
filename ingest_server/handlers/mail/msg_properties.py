"""Properties of an Outlook message, of a recipient or of an attachment, as they lie in its file ([MS-OXMSG])."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ingest_server.handlers.mail.code_pages import codec_of
from ingest_server.handlers.mail.compound_file import CompoundFault, Storage

STREAM = "__properties_version1.0"
OUTER_HEADER_BYTES, EMBEDDED_HEADER_BYTES, ITEM_HEADER_BYTES = 32, 24, 8
"""What stands before the properties of the message itself, of one inside it, of a recipient or an attachment (2.4.1)."""
TEXT_BYTES_MAX = 128 * 1024
PROPERTIES_BYTES_MAX = 1024 * 1024

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MESSAGE_CODE_PAGE = 0x3FFD
_UNICODE, _EIGHT_BIT, _BINARY = "001F", "001E", "0102"


class Properties:
    """Properties by their numbers ([MS-OXPROPS]).

    Args:
        storage: that holds them.
        header_bytes: before the properties of fixed length; see above.
        codec: of texts in eight bits, where the storage does not say it.

    Attributes:
        storage: the same.
        codec: of its texts in eight bits.

    Raises:
        CompoundFault: they cannot be read.
    """

    def __init__(self, storage: Storage, header_bytes: int, codec: str = "cp1252") -> None:
        self.storage = storage
        self._fixed: dict[int, bytes] = {}
        data = storage.read(STREAM, PROPERTIES_BYTES_MAX)
        for offset in range(header_bytes, len(data) - 15, 16):
            (number,) = struct.unpack_from("<2xH", data, offset)
            self._fixed.setdefault(number, data[offset + 8 : offset + 16])
        self.codec = codec_of(self.number(_MESSAGE_CODE_PAGE)) or codec

    def number(self, tag: int) -> int:
        """A number of 32 bits; 0 if it is missing."""
        return int.from_bytes(self._fixed.get(tag, b"")[:4], "little")

    def time(self, tag: int) -> datetime | None:
        """A time; None if it is missing, or none that Python has."""
        ticks = int.from_bytes(self._fixed.get(tag, b""), "little")
        try:
            return _EPOCH + timedelta(microseconds=ticks // 10) if ticks else None
        except OverflowError:
            return None

    def text(self, tag: int, bytes_max: int = TEXT_BYTES_MAX) -> str:
        """A text, cut at `bytes_max`; "" if it is missing or cannot be read."""
        try:
            if (name := _stream(tag, _UNICODE)) in self.storage:
                return self.storage.read(name, bytes_max).decode("utf-16-le", "replace").rstrip("\x00")
            return self.storage.read(_stream(tag, _EIGHT_BIT), bytes_max).decode(self.codec, "replace").rstrip("\x00")
        except CompoundFault:
            return ""

    def line(self, tag: int) -> str:
        """A text in one line."""
        return " ".join(self.text(tag).split())

    def has_bytes(self, tag: int) -> bool:
        """Whether there are bytes."""
        return _stream(tag, _BINARY) in self.storage

    def size_bytes(self, tag: int) -> int:
        """Of the bytes, as claimed. KeyError if there are none."""
        return self.storage.size_bytes(_stream(tag, _BINARY))

    def read_bytes(self, tag: int, bytes_max: int) -> bytes:
        """The bytes, cut at `bytes_max`; b"" if they are missing.

        Raises:
            CompoundFault: they cannot be read.
        """
        return self.storage.read(_stream(tag, _BINARY), bytes_max)

    def pieces(self, tag: int) -> Iterator[bytes]:
        """The bytes, in pieces of at most 256 KiB. KeyError if there are none; CompoundFault if they cannot be read."""
        return self.storage.pieces(_stream(tag, _BINARY))

    def inner(self, tag: int) -> Storage | None:
        """A storage that is a property's value; None if there is none."""
        return self.storage.storage(f"__substg1.0_{tag:04X}000D")


def _stream(tag: int, kind: str) -> str:
    return f"__substg1.0_{tag:04X}{kind}"
