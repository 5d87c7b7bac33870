"""The members of a TAR file: the format of POSIX (ustar, pax), GNU's and the one of Unix Version 7, read header by header.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; the GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from ingest_server.handlers.members.member import NOT_SUPPORTED, PIECE_BYTES, UNREADABLE, Member, MemberFault, faulty, label

BLOCK_BYTES = 512
EXTENSION_BYTES_MAX = 1024 * 1024
"""Of an extended header: a long name, pax records. It is read at once; real ones have a few hundred bytes."""

_REGULAR = b"\x000 7"
_KINDS = {
    b"1": "is a link to another member, and links are not followed",
    b"2": "is a symbolic link, and links are not followed",
    b"3": "is a device",
    b"4": "is a device",
    b"6": "is a pipe",
    b"M": "is the continuation of a file from another volume",
    b"S": "is a sparse file of GNU tar, which is not read. Pack it without --sparse",
}
_WITHOUT_DATA = b"123456"
_SKIPPED = b"5DVgK"
"""Folders, lists of their files, labels of volumes, records for all members, targets of links: no members."""
_RESOURCE_FORK = "._"
_GNU_SPARSE = _KINDS[b"S"]


@dataclass(slots=True)
class _Extensions:
    """What extended headers say of the member that follows."""

    name: str = ""
    size_bytes: int = -1
    sparse: bool = False


class TarMembers:
    """The members of an open TAR file, in order. Folders are none. Can be gone over once.

    Args:
        file: the TAR file; it must stay open as long as members are read.
        check: called for every header; may raise.
    """

    def __init__(self, file: BinaryIO, check: Callable[[], None]) -> None:
        self._file = file
        self._check = check
        self._end = file.seek(0, 2)

    def __iter__(self) -> Iterator[Member]:
        """Raises MemberFault where the archive is damaged: where the next header is nobody knows."""
        offset = 0
        extensions = _Extensions()
        while (header := self._header(offset)) is not None:
            self._check()
            kind = header[156:157]
            claimed = 0 if kind in _WITHOUT_DATA else _number(header[124:136])
            size_bytes = extensions.size_bytes if extensions.size_bytes >= 0 and kind in _REGULAR else claimed
            start = offset + BLOCK_BYTES
            if kind == b"S":
                start = self._after_sparse_map(header, start)
            offset = start + -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES
            if kind in (b"x", b"X", b"L"):
                self._extend(extensions, kind, start, size_bytes)
                continue
            name = extensions.name or _name(header)
            sparse, extensions = extensions.sparse, _Extensions()
            if kind in _SKIPPED or (kind in _REGULAR and name.endswith("/")):
                continue
            if name.rpartition("/")[2].startswith(_RESOURCE_FORK) and kind in _REGULAR:
                continue  # macOS: what its file system knows of a file besides; no document
            if sparse or kind in _KINDS:
                yield faulty(label(name), NOT_SUPPORTED, _KINDS.get(kind, _GNU_SPARSE))
            else:  # kinds that nobody has defined are files (POSIX)
                yield Member(label(name), partial(self._pieces, start, size_bytes), size_bytes=size_bytes)

    def _header(self, offset: int) -> bytes | None:
        """The header at an offset; None at the end. Raises MemberFault."""
        header = self._read(offset, BLOCK_BYTES)
        if not header or header == bytes(BLOCK_BYTES):
            return None
        if not is_header(header):
            raise MemberFault(UNREADABLE, f"is damaged or cut off at byte {offset:,}: there is no header of a member")
        return header

    def _extend(self, extensions: _Extensions, kind: bytes, start: int, size_bytes: int) -> None:
        """Take what an extended header says of the next member. Raises MemberFault."""
        if size_bytes > EXTENSION_BYTES_MAX:
            raise MemberFault(UNREADABLE, f"has an extended header of {size_bytes:,} bytes; {EXTENSION_BYTES_MAX:,} is the limit")
        data = self._read(start, size_bytes)
        if len(data) < size_bytes:
            raise MemberFault(UNREADABLE, f"is cut off at byte {start:,}")
        if kind == b"L":
            extensions.name = _text(data)
            return
        for key, value in _records(data):
            if key == b"path":
                extensions.name = _text(value)
            elif key == b"size" and value.isdigit() and len(value) < 20:
                extensions.size_bytes = int(value)
            elif key.startswith(b"GNU.sparse."):
                extensions.sparse = True
                if key == b"GNU.sparse.name":
                    extensions.name = _text(value)

    def _after_sparse_map(self, header: bytes, start: int) -> int:
        """Where the data of an old sparse file of GNU begins: after blocks that continue its map."""
        more = header[482:483]
        while more == b"\x01":
            self._check()
            block = self._read(start, BLOCK_BYTES)
            start += BLOCK_BYTES
            more = block[504:505]
        return start

    def _pieces(self, start: int, size_bytes: int) -> Iterator[bytes]:
        """The bytes of a member. Raises MemberFault."""
        if start + size_bytes > self._end:
            there = max(0, self._end - start)
            raise MemberFault(UNREADABLE, f"is cut off: {there:,} bytes are there, {size_bytes:,} were announced")
        while size_bytes:
            piece = self._read(start, min(size_bytes, PIECE_BYTES))
            start, size_bytes = start + len(piece), size_bytes - len(piece)
            yield piece

    def _read(self, offset: int, size_bytes: int) -> bytes:
        if offset >= self._end:
            return b""
        self._file.seek(offset)
        return self._file.read(size_bytes)


def is_header(block: bytes) -> bool:
    """Whether a block is a header: it carries the sum of its bytes, with blanks in the place of the sum. Old programs counted
    bytes as signed."""
    if len(block) < BLOCK_BYTES:
        return False
    try:
        claimed = _number(block[148:156])
    except MemberFault:
        return False
    rest = block[:148] + block[156:BLOCK_BYTES]
    unsigned = sum(rest) + 8 * 0x20
    return claimed in (unsigned, unsigned - 256 * sum(byte > 127 for byte in rest))


def _number(field: bytes) -> int:
    """A number, in octal digits or, of GNU, in base 256. Raises MemberFault."""
    if field[0] & 0x80:
        if field[0] != 0x80 or any(field[1:-8]):
            raise MemberFault(UNREADABLE, "is damaged: it announces a member of impossible size")
        return int.from_bytes(field[-8:], "big")
    digits = field.split(b"\x00", 1)[0].strip()
    try:
        number = int(digits or b"0", 8)
    except ValueError:
        number = -1
    if number < 0:
        raise MemberFault(UNREADABLE, f"is damaged: it announces a size of {digits!r}")
    return number


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\x00" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    """A name: UTF-8 as everywhere today, or else Latin-1, in which everything is something."""
    field = field.split(b"\x00", 1)[0]
    try:
        return field.decode()
    except UnicodeError:
        return field.decode("latin-1")


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Records of a pax header: "length key=value\\n", the length counting all of it. Ends where they make no sense."""
    offset = 0
    while offset < len(data):
        digits, blank, _ = data[offset : offset + 20].partition(b" ")
        if not blank or not digits.isdigit() or int(digits) <= len(digits) + 2:
            return
        end = offset + int(digits)
        key, _, value = data[offset + len(digits) + 1 : end - 1].partition(b"=")
        yield key, value
        offset = end
