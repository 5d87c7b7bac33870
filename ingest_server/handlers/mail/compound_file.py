"""The container of Outlook's messages ([MS-CFB]): a file system in a file, of storages and streams, read within limits."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ingest_server.handlers.members.member import PIECE_BYTES

ENTRIES_MAX = 200_000
"""Storages and streams of one file; a message to 2,000 people has 30,000."""

_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SPECIAL = 0xFFFFFFFA
"""From here on sector numbers are marks: free, end of chain, tables."""
_NO_ENTRY = 0xFFFFFFFF
_ENTRY_BYTES = 128
_ENTRY = struct.Struct("<64sHBBIII36xIQ")
_STORAGE, _STREAM, _ROOT = 1, 2, 5


class CompoundFault(Exception):
    """The file is damaged. The text says how, as the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A storage or a stream as the directory has it."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size_bytes: int


class CompoundFile:
    """A compound file, open for reading. Not for two threads.

    Args:
        file: must stay open as long as streams are read.
        check: called now and then; may raise.

    Attributes:
        root: the outermost storage.
        file_bytes: of the file.

    Raises:
        CompoundFault: it is damaged or cut off.
    """

    def __init__(self, file: BinaryIO, check: Callable[[], None]) -> None:
        self._file = file
        self._check = check
        self.file_bytes = file.seek(0, 2)
        file.seek(0)
        head = file.read(512)
        if len(head) < 512 or not head.startswith(_SIGNATURE):
            raise CompoundFault("has no header of a compound file")
        version, shift, mini_shift = struct.unpack_from("<H2xHH", head, 26)
        if shift not in (9, 12) or mini_shift != 6:
            raise CompoundFault(f"has sectors of 2^{shift} and 2^{mini_shift} bytes, not of 512 or 4,096 and 64")
        directory, self._mini_cutoff, mini_table, difat = struct.unpack_from("<I4xII4xI", head, 48)
        self._size_mask = 0xFFFFFFFF if version < 4 else 2**64 - 1
        self._sector_bytes = 1 << shift
        self._sectors = self.file_bytes // self._sector_bytes + 1
        self._fat = self._table(self._fat_sectors(head, difat))
        self._entries = self._directory(directory)
        root = self._entries[0]
        # No more of both than the small streams can fill, whatever the chains say.
        small_bytes = min(root.size_bytes, self.file_bytes)
        self._mini_fat = self._table(self._chain(mini_table, self._fat, small_bytes // 16 // self._sector_bytes))
        self._mini_sectors = self._chain(root.start, self._fat, small_bytes // self._sector_bytes) if small_bytes else array("I")
        self.root = Storage(self, root)

    def children(self, storage: Entry) -> Iterator[Entry]:
        """What a storage holds, in no order. Each once, whatever the tree of siblings says."""
        seen: set[int] = set()
        waiting = [storage.child]
        while waiting:
            number = waiting.pop()
            if number == _NO_ENTRY or number >= len(self._entries) or number in seen:
                continue
            seen.add(number)
            entry = self._entries[number]
            waiting += (entry.left, entry.right)
            if entry.kind in (_STORAGE, _STREAM):
                yield entry

    def pieces(self, stream: Entry) -> Iterator[bytes]:
        """The bytes of a stream, in pieces of at most 256 KiB.

        Raises:
            CompoundFault: they are not all there.
        """
        if stream.size_bytes > self.file_bytes:
            raise CompoundFault(f"is damaged: it claims {stream.size_bytes:,} bytes of a file of {self.file_bytes:,}")
        if stream.size_bytes >= self._mini_cutoff:
            places, unit = self._sector_places(stream), self._sector_bytes
        else:
            places, unit = self._mini_places(stream), 64
        left = stream.size_bytes
        for place, count in _runs(places, unit, PIECE_BYTES // unit):
            self._check()
            piece = self._read(place, min(count * unit, left))
            left -= len(piece)
            yield piece
            if not left:
                return
        if left:
            raise CompoundFault(f"is damaged: {left:,} of its {stream.size_bytes:,} bytes are missing")

    def _sector_places(self, stream: Entry) -> Iterator[int]:
        count = -(-stream.size_bytes // self._sector_bytes)
        return ((number + 1) * self._sector_bytes for number in self._chain(stream.start, self._fat, count)[:count])

    def _mini_places(self, stream: Entry) -> Iterator[int]:
        """Small streams lie in sectors of 64 bytes in the stream of the root."""
        count = -(-stream.size_bytes // 64)
        per_sector = self._sector_bytes // 64
        for number in self._chain(stream.start, self._mini_fat, count)[:count]:
            index, offset = divmod(number, per_sector)
            if index >= len(self._mini_sectors):
                raise CompoundFault("is damaged: it lies beyond the end of the small sectors")
            yield (self._mini_sectors[index] + 1) * self._sector_bytes + offset * 64

    def _chain(self, start: int, table: array[int], count_max: int) -> array[int]:
        """Numbers of the sectors of a chain; at most one more than `count_max`, so that a ring ends.

        Raises:
            CompoundFault: it leads out of the table.
        """
        chain = array("I")
        number = start
        while number < _SPECIAL and len(chain) <= count_max:
            chain.append(number)
            if number >= len(table):
                raise CompoundFault(f"is damaged: a chain leads to sector {number:,}, and there are {len(table):,}")
            number = table[number]
        return chain

    def _fat_sectors(self, head: bytes, difat: int) -> array[int]:
        """Numbers of the sectors that hold the allocation table: 109 in the header, the others in a chain of lists."""
        numbers = array("I", struct.unpack_from("<109I", head, 76))
        per_sector = self._sector_bytes // 4
        lists = 0
        while difat < _SPECIAL:
            lists += 1
            if lists * per_sector > self._sectors + per_sector:
                raise CompoundFault("is damaged: the list of its allocation tables has no end")
            listed = array("I", self._sector(difat))
            difat = listed.pop()
            numbers += listed
        return array("I", (number for number in numbers if number < _SPECIAL))[: self._sectors // per_sector + 1]

    def _table(self, sectors: array[int]) -> array[int]:
        """The numbers in some sectors, one behind the other."""
        table = array("I")
        for number in sectors[: self._sectors]:
            table.frombytes(self._sector(number))
        return table

    def _directory(self, start: int) -> list[Entry]:
        """All entries of the directory.

        Raises:
            CompoundFault: there is no root.
        """
        entries: list[Entry] = []
        for number in self._chain(start, self._fat, ENTRIES_MAX * _ENTRY_BYTES // self._sector_bytes):
            self._check()
            data = self._sector(number)
            for offset in range(0, len(data), _ENTRY_BYTES):
                raw, length, kind, _, left, right, child, first, size_bytes = _ENTRY.unpack_from(data, offset)
                name = raw[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
                entries.append(Entry(name, kind, left, right, child, first, size_bytes & self._size_mask))
        if not entries or entries[0].kind != _ROOT:
            raise CompoundFault("is damaged: its directory has no root")
        return entries

    def _sector(self, number: int) -> bytes:
        return self._read((number + 1) * self._sector_bytes, self._sector_bytes)

    def _read(self, place: int, size_bytes: int) -> bytes:
        self._file.seek(place)
        data = self._file.read(size_bytes)
        if len(data) < size_bytes:
            raise CompoundFault(f"is cut off: {size_bytes:,} bytes should be at byte {place:,}, {len(data):,} are there")
        return data


class Storage:
    """A storage by the names of what it holds, lower case. Of names that occur twice the last found counts."""

    def __init__(self, file: CompoundFile, entry: Entry) -> None:
        self._file = file
        self._streams: dict[str, Entry] = {}
        self._storages: dict[str, Entry] = {}
        for child in file.children(entry):
            (self._streams if child.kind == _STREAM else self._storages)[child.name.lower()] = child

    def __contains__(self, stream: str) -> bool:
        return stream.lower() in self._streams

    def names(self) -> list[str]:
        """Names of the storages in it, sorted."""
        return sorted(self._storages)

    def storage(self, name: str) -> Storage | None:
        """A storage in it; None if there is none of that name."""
        entry = self._storages.get(name.lower())
        return None if entry is None else Storage(self._file, entry)

    @property
    def streams_bytes(self) -> int:
        """Of all streams in it, together."""
        return sum(min(entry.size_bytes, self._file.file_bytes) for entry in self._streams.values())

    def size_bytes(self, stream: str) -> int:
        """Of a stream, as it claims. KeyError if there is none of that name."""
        return self._streams[stream.lower()].size_bytes

    def pieces(self, stream: str) -> Iterator[bytes]:
        """The bytes of a stream; see `CompoundFile.pieces`. KeyError if there is none of that name."""
        return self._file.pieces(self._streams[stream.lower()])

    def read(self, stream: str, bytes_max: int) -> bytes:
        """The first bytes of a stream, `bytes_max` at most; b"" if there is none of that name.

        Raises:
            CompoundFault: they are not there.
        """
        data = bytearray()
        if stream in self:
            for piece in self.pieces(stream):
                data += piece
                if len(data) >= bytes_max:
                    break
        return bytes(data[:bytes_max])


def _runs(places: Iterator[int], unit: int, count_max: int) -> Iterator[tuple[int, int]]:
    """Places that follow one another, together: (first place, how many)."""
    first, count = -1, 0
    for place in places:
        if count and count < count_max and place == first + count * unit:
            count += 1
            continue
        if count:
            yield first, count
        first, count = place, 1
    if count:
        yield first, count
