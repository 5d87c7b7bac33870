"""Archives for tests: sound ones by the standard library, hostile ones byte by byte."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence

Files = Mapping[str, bytes] | Sequence[tuple[str, bytes]]


def pairs(files: Files) -> list[tuple[str, bytes]]:
    """Names and bytes in order; names may repeat in a sequence."""
    return list(files.items()) if isinstance(files, Mapping) else list(files)


def zip_of(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP file."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in pairs(files):
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return target.getvalue()


def tar_of(files: Files, form: int = tarfile.PAX_FORMAT, compression: str = "") -> bytes:
    """A TAR file, in one of the library's formats; `compression` as in its modes."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=f"w:{compression}", format=form) as archive:  # type: ignore[call-overload]
        for name, data in pairs(files):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def tar_header(name: bytes, size: bytes = b"00000000000\x00", kind: bytes = b"0", magic: bytes = b"ustar\x0000") -> bytes:
    """One header with a true checksum, whatever else it says."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136] = size
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = magic
    block[148:156] = b"%06o\x00 " % sum(block)
    return bytes(block)


def raw_zip(entries: Sequence[Mapping[str, int | bytes]]) -> bytes:
    """A ZIP file whose directory says what it is told to.

    Each entry has `name` and `data` (as packed); `method`, `flags`, `crc`, `size` (unpacked), `offset` (of the local header),
    `packed` and `attributes` replace what would be true.
    """
    body, directory = bytearray(), bytearray()
    for entry in entries:
        name, data = bytes(entry["name"]), bytes(entry["data"])
        method, flags = entry.get("method", 0), entry.get("flags", 0)
        crc = entry.get("crc", zlib.crc32(data))
        size, packed = entry.get("size", len(data)), entry.get("packed", len(data))
        offset = entry.get("offset", len(body))
        local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, flags, method, 0, 0, crc, packed, size, len(name), 0)
        if "offset" not in entry:
            body += local + name + data
        directory += struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 0x314, 20, flags, method, 0, 0, crc, packed, size, len(name), 0, 0, 0, 0,
            entry.get("attributes", 0), offset,
        ) + name  # fmt: skip
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return bytes(body + directory + end)
