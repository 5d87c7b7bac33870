"""TAR archives that lie about sizes and places; ZIP archives are among the bombs by compression."""

from __future__ import annotations

import gzip
import io
import tarfile

from scripts.hostile_set.bombs.canary import PLACE
from scripts.hostile_set.bombs.compression import flat_member, stored_zip, zeros
from scripts.hostile_set.bombs.registered import bomb

GROUP = "archives"
MIB = 1024 * 1024
ENDING = bytes(1_024)


def header(name: str, size: int = 0, kind: bytes = b"0", link: str = "", *, extra: dict[int, bytes] | None = None) -> bytes:
    """A header of a TAR member with a right checksum; `extra` puts bytes at offsets of it."""
    block = bytearray(512)
    block[: len(name.encode()[:100])] = name.encode()[:100]
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124:136] = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    block[136:148], block[156:157] = b"00000000000\0", kind
    block[157 : 157 + len(link.encode())] = link.encode()
    block[257:265] = b"ustar  \0"
    for at, value in (extra or {}).items():
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: str, data: bytes, kind: bytes = b"0") -> bytes:
    """A member with its content."""
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


@bomb(GROUP, "sparse.tar")
def _sparse_giant() -> bytes:
    """An old GNU sparse file of eight exabytes, of which a block is there."""
    place = {386: b"%011o\0" % 0, 398: b"%011o\0" % 512, 483: b"\x80" + (2**62).to_bytes(11, "big")}
    return header("sparse.txt", 512, b"S", extra=place) + b"w" * 512 + ENDING


@bomb(GROUP, "sparse-pax.tar")
def _sparse_by_pax() -> bytes:
    """The same by the newer headers, with a map of ten million pieces announced."""
    records = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n28 GNU.sparse.name=words.t\n"
    records += b"40 GNU.sparse.realsize=9223372036854775\n"
    return member("pax", records, b"x") + member("words.txt", b"10000000\n" + b"0\n1\n" * 100) + ENDING


@bomb(GROUP, "size.tar")
def _claimed_size() -> bytes:
    """A member of eight exabytes of which nothing is there."""
    return header("big.txt", 2**63 - 1) + b"words"


@bomb(GROUP, "minus.tar")
def _negative_size() -> bytes:
    """A member of less than nothing, which leads back to itself."""
    return header("minus.txt", extra={124: b"\xff" * 11 + b"\x00"}) * 3 + ENDING


@bomb(GROUP, "many.tar", heavy=True)
def _many_members() -> bytes:
    """A hundred thousand members of a byte: 100 MB."""
    return b"".join(header(f"{number}.txt") for number in range(100_000)) + ENDING


@bomb(GROUP, "pax.tar")
def _long_pax() -> bytes:
    """A header of sixty-four megabytes before a member."""
    value = b"w" * (64 * MIB)
    return member("pax", b"%d comment=%b\n" % (len(value) + 18, value), b"x") + member("a.txt", b"words") + ENDING


@bomb(GROUP, "names.tar", heavy=True)
def _chain_of_long_names() -> bytes:
    """Fifty thousand long names for one member, each of which needs the next header."""
    return member("././@LongLink", b"n" * 200 + b"\0", b"L") * 50_000 + member("a.txt", b"words") + ENDING


@bomb(GROUP, "outside.tar")
def _outside() -> bytes:
    """Names and links that lead out of any folder."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("../../../tmp/ingest-escaped.txt", "/tmp/ingest-escaped.txt", "a/../../b.txt", "..", "\n.txt"):
            info = tarfile.TarInfo(name)
            info.size = 5
            tar.addfile(info, io.BytesIO(b"words"))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo("link.txt")
            info.type, info.linkname = kind, PLACE
            tar.addfile(info)
        for kind in (tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("device.txt")
            info.type, info.devmajor, info.devminor = kind, 1, 5
            tar.addfile(info)
    return file.getvalue()


@bomb(GROUP, "outside.zip")
def _zip_outside() -> bytes:
    """The same names in a ZIP archive."""
    names = ("../../../tmp/ingest-escaped.txt", "/tmp/ingest-escaped.txt", "..\\..\\a.txt", "C:\\a.txt", "con.txt", "a\x01.txt")
    return stored_zip(dict.fromkeys(names, b"words"))


@bomb(GROUP, "nested.tar")
def _nested() -> bytes:
    """Two hundred archives within each other."""
    data = b"words"
    for number in range(200):
        data = member(f"{number}.tar", data) + ENDING
    return data


@bomb(GROUP, "packed.tar.gz")
def _packed_zeros() -> bytes:
    """A member of eight gibibytes in eight megabytes."""
    packed = gzip.compress(header("zeros.txt", 8 * 1024 * MIB), mtime=0)
    return packed + zeros(8 * 1024 * MIB)


@bomb(GROUP, "mixed.tar")
def _bombs_within() -> bytes:
    """Bombs of other kinds as members, and one that is well."""
    inner = flat_member("zeros.txt", 256 * MIB)
    return (
        member("a.zip", inner)
        + member("b.txt.gz", zeros(1024 * MIB))
        + member("c.json", b"[" * 1_000_000)
        + member("d.txt", b"words")
        + ENDING
    )
