"""Tells what a container (ZIP, OLE) holds, by its own directory rather than by its first bytes."""

from __future__ import annotations

import struct
from typing import BinaryIO

from ingest_server.handlers.office.package import Package
from ingest_server.handlers.office.xml_events import PartFault

ENCRYPTED_OFFICE = "application/x-ooxml-encrypted"
"""A document of Office Open XML sealed with a password ([MS-OFFCRYPTO] 2.3.4): which kind it is, only the password tells."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = {
    "encryptedpackage": ENCRYPTED_OFFICE,
    "worddocument": "application/msword",
    "workbook": "application/vnd.ms-excel",
    "book": "application/vnd.ms-excel",
    "powerpoint document": "application/vnd.ms-powerpoint",
    "__properties_version1.0": "application/vnd.ms-outlook",
}
"""Name of a stream, lower case → what the file is. The first that is found in this order decides."""
_DIRECTORY_SECTORS_MAX = 256
"""Sectors of an OLE directory looked at: 1,024 entries or more, and the streams that tell are among the first."""
_LISTS_MAX = 512
"""Lists of an OLE allocation table gone through: enough for 4 GiB in sectors of 512 bytes."""
_END_OF_CHAIN = 0xFFFFFFFA
"""From here on sector numbers are marks ([MS-CFB] 2.1)."""


def media_type_inside(file: BinaryIO) -> str | None:
    """Media type of what a container holds.

    Args:
        file: the document, open; its position is changed.

    Returns:
        The type; "" if this is a sound container of something else; None if it is none, or its directory cannot be read.

    Raises:
        OSError: the file cannot be read.
    """
    file.seek(0)
    head = file.read(512)
    if head.startswith(_ZIP):
        try:
            return Package(file).media_type()[0]
        except PartFault:
            return None
    if head.startswith(_OLE):
        try:
            names = _ole_names(file, head)
        except (struct.error, ValueError, OverflowError):
            return None
        return next((media_type for name, media_type in _OLE_STREAMS.items() if name in names), "")
    return None


def _ole_names(file: BinaryIO, head: bytes) -> set[str]:
    """Names of streams and storages, lower case ([MS-CFB] 2.2 header, 2.3 FAT, 2.6 directory).

    Raises:
        struct.error, ValueError: the file is cut off or not what it claims.
    """
    (shift,) = struct.unpack_from("<H", head, 30)
    if shift not in (9, 12):
        raise ValueError(f"sectors of 2^{shift} bytes")
    size = 1 << shift
    (sector,) = struct.unpack_from("<I", head, 48)
    names: set[str] = set()
    for _ in range(_DIRECTORY_SECTORS_MAX):
        if sector >= _END_OF_CHAIN:
            break
        data = _sector(file, sector, size)
        for offset in range(0, len(data) - 127, 128):
            (length,) = struct.unpack_from("<H", data, offset + 64)
            if 2 < length <= 64:
                names.add(data[offset : offset + length - 2].decode("utf-16-le", "replace").lower())
        group, index = divmod(sector, size // 4)
        table = _table_sector(file, head, group, size)
        if table >= _END_OF_CHAIN:
            break
        (sector,) = struct.unpack_from("<I", _sector(file, table, size), 4 * index)
    return names


def _table_sector(file: BinaryIO, head: bytes, group: int, size: int) -> int:
    """Number of the sector that holds a part of the allocation table: 109 are listed in the header, the others in a chain of
    lists, each of which ends with the number of the next. A directory may lie behind everything else."""
    if group < 109:
        return int(struct.unpack_from("<I", head, 76 + 4 * group)[0])
    hops, place = divmod(group - 109, size // 4 - 1)
    (difat,) = struct.unpack_from("<I", head, 68)
    for _ in range(min(hops, _LISTS_MAX)):
        if difat >= _END_OF_CHAIN:
            return _END_OF_CHAIN
        (difat,) = struct.unpack_from("<I", _sector(file, difat, size), size - 4)
    if difat >= _END_OF_CHAIN or hops > _LISTS_MAX:
        return _END_OF_CHAIN
    return int(struct.unpack_from("<I", _sector(file, difat, size), 4 * place)[0])


def _sector(file: BinaryIO, number: int, size: int) -> bytes:
    file.seek((number + 1) * size)
    return file.read(size)
