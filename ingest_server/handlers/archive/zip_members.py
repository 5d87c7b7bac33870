"""The members of a ZIP file, by its central directory (PKWARE APPNOTE 6.3), within limits.

Python's zipfile reads the directory and unpacks what is stored or deflated. bzip2 and LZMA are unpacked here: of these the
library unpacks each piece as a whole, and 64 KB of them can be gigabytes.
"""

from __future__ import annotations

import bz2
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO

from ingest_server.handlers.bounded_reads import BoundedReads
from ingest_server.handlers.members.member import (
    ENCRYPTED,
    NOT_SUPPORTED,
    PIECE_BYTES,
    UNREADABLE,
    Member,
    MemberFault,
    faulty,
    label,
)

DIRECTORY_BYTES_MAX = 8 * 1024 * 1024
"""Of the central directory, which is read at once: 65,535 members with names of 80 bytes; at the worst 130 MB of entries."""
LZMA_DICTIONARY_BYTES_MAX = 64 * 1024 * 1024
"""Memory that a member packed by LZMA may ask for: that of the strongest usual setting. The format allows 4 GiB."""

_ENCRYPTED, _PATCHES, _STRONGLY_ENCRYPTED, _UTF8 = 0x1, 0x20, 0x40, 0x800
"""General purpose flags."""
_PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_AES = 99
_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_LOCAL_HEADER_BYTES = 30
_RESOURCE_FORKS = "__MACOSX/"
"""macOS adds a companion to each file, with what its file system knows besides: no documents."""


class ZipMembers:
    """The members of an open ZIP file, in the order of its directory. Folders are none.

    Args:
        file: the ZIP file; it must stay open as long as members are read.
        password: of encrypted members; "" if there is none.

    Raises:
        zipfile.BadZipFile, ValueError, OSError, OverflowError, RuntimeError, struct.error: its directory cannot be read.
    """

    def __init__(self, file: BinaryIO, password: str = "") -> None:
        self._file = file
        self._password = password.encode("utf-8", "replace")
        self._zip = zipfile.ZipFile(BoundedReads(file, DIRECTORY_BYTES_MAX))
        self._infos = [info for info in self._zip.infolist() if not _is_no_file(info)]
        self._overlapping = _overlapping(self._zip)

    def __len__(self) -> int:
        return len(self._infos)

    def __iter__(self) -> Iterator[Member]:
        for info in self._infos:
            name = label(_name(info))
            fault = self._fault(info)
            if fault is not None:
                yield faulty(name, fault.reason, fault.message)
            else:
                yield Member(name, partial(self._pieces, info), size_bytes=info.file_size, packed_bytes=info.compress_size)

    def _fault(self, info: zipfile.ZipInfo) -> MemberFault | None:
        """Why a member cannot be read, as far as the directory tells."""
        method = info.compress_type
        if stat.S_ISLNK(info.external_attr >> 16):
            return MemberFault(NOT_SUPPORTED, "is a symbolic link, and links are not followed")
        if info.header_offset in self._overlapping:
            return MemberFault(UNREADABLE, "shares bytes of the archive with another member, as only bombs do")
        if info.flag_bits & _ENCRYPTED and method not in (*_PLAIN_METHODS, _AES):
            return MemberFault(NOT_SUPPORTED, f"is encrypted and packed by method {method}")
        if info.flag_bits & _PATCHES:
            return MemberFault(NOT_SUPPORTED, "is a patch of another file")
        if method == _AES or info.flag_bits & _STRONGLY_ENCRYPTED:
            return MemberFault(
                ENCRYPTED, "is encrypted by AES or another strong method, which is not read. Unpack it, and send what is inside"
            )
        if info.flag_bits & _ENCRYPTED and not self._password:
            return MemberFault(ENCRYPTED, "is encrypted. Give the password of the archive")
        if method not in (*_PLAIN_METHODS, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            told = f" ({_METHODS[method]})" if method in _METHODS else ""
            return MemberFault(NOT_SUPPORTED, f"is packed by method {method}{told}; stored, Deflate, bzip2 and LZMA are read")
        return None

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """The bytes of a member. Raises MemberFault."""
        try:
            if info.compress_type in _PLAIN_METHODS:
                yield from self._plain_pieces(info)
            else:
                yield from self._unpacked(info)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, struct.error) as error:
            raise MemberFault(UNREADABLE, f"is damaged or cut off ({error})") from error
        except RuntimeError as error:
            if info.flag_bits & _ENCRYPTED:
                raise MemberFault(ENCRYPTED, "is encrypted, and the password given is not its own") from error
            raise MemberFault(UNREADABLE, f"is damaged ({error})") from error

    def _plain_pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        password = self._password if info.flag_bits & _ENCRYPTED else None
        with self._zip.open(info, pwd=password) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece

    def _unpacked(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """The bytes of a member packed by bzip2 or LZMA."""
        start = self._data_offset(info)
        left = info.compress_size
        if info.compress_type == zipfile.ZIP_BZIP2:
            stream: Any = bz2.BZ2Decompressor()
        else:
            stream, used = self._lzma(start)
            start, left = start + used, left - used
        checksum = size_bytes = 0
        while not stream.eof:
            packed = b""
            if stream.needs_input:
                self._file.seek(start)
                packed = self._file.read(max(0, min(left, 64 * 1024)))
                start, left = start + len(packed), left - len(packed)
            piece = stream.decompress(packed, PIECE_BYTES)
            checksum, size_bytes = zlib.crc32(piece, checksum), size_bytes + len(piece)
            if piece:
                yield piece
            elif not packed:
                break  # LZMA without a mark of its end
        if (checksum, size_bytes) != (info.CRC, info.file_size):
            raise MemberFault(UNREADABLE, f"is damaged: {size_bytes:,} bytes came out, not the {info.file_size:,} announced")

    def _data_offset(self, info: zipfile.ZipInfo) -> int:
        """Where the packed bytes begin: after the local header and its two fields of variable length."""
        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL_HEADER_BYTES)
        if header[:4] != b"PK\x03\x04":
            raise MemberFault(UNREADABLE, "is damaged: its header is not where the directory says")
        name_bytes, extra_bytes = struct.unpack_from("<HH", header, 26)
        return info.header_offset + _LOCAL_HEADER_BYTES + int(name_bytes) + int(extra_bytes)

    def _lzma(self, start: int) -> tuple[lzma.LZMADecompressor, int]:
        """The decompressor that the properties in front of the data ask for, and the length of these (APPNOTE 5.8.8)."""
        self._file.seek(start)
        _, size, packed, dictionary_bytes = struct.unpack("<HHBI", self._file.read(9))
        if size != 5 or packed >= 9 * 5 * 5:
            raise MemberFault(UNREADABLE, "is damaged: the properties of its LZMA stream make no sense")
        if dictionary_bytes > LZMA_DICTIONARY_BYTES_MAX:
            raise MemberFault(
                NOT_SUPPORTED, f"asks for {dictionary_bytes:,} bytes of memory; {LZMA_DICTIONARY_BYTES_MAX:,} are given"
            )
        packed, lc = divmod(packed, 9)
        pb, lp = divmod(packed, 5)
        chain = {"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary_bytes, 4096), "lc": lc, "lp": lp, "pb": pb}
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain]), 9


def _is_no_file(info: zipfile.ZipInfo) -> bool:
    return info.is_dir() or info.filename.startswith(_RESOURCE_FORKS)


def _name(info: zipfile.ZipInfo) -> str:
    """The name. Without the flag for UTF-8 it is in code page 437 by the standard, and in UTF-8 by many tools all the same."""
    if info.flag_bits & _UTF8 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _overlapping(archive: zipfile.ZipFile) -> set[int]:
    """Offsets of members whose bytes reach into the next one's, or into the directory: one kernel that is unpacked many times is
    how the densest bombs are made (D. Fifield, "A better zip bomb", 2019)."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in infos), archive.start_dir][1:]
    return {
        info.header_offset
        for info, end in zip(infos, ends, strict=True)
        if info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size > end
    }
