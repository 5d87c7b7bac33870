"""What only ZIP files have: a directory that lies, methods of packing, encryption."""

from __future__ import annotations

import bz2
import lzma
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.members.container import ContainerReader
from tests.unit.handlers.documents.archive_files import raw_zip, zip_of
from tests.unit.handlers.documents.conftest import Read

MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large archives are read at once here; test_member_parts.py reads them in parts."""
    monkeypatch.setattr(ContainerReader, "_divided", lambda *arguments: None)


def names(document: document_pb2.Document) -> list[str]:
    return [inner.name for inner in document.documents]


def text(document: document_pb2.Document) -> str:
    return "\n".join(element.text.text for element in document.elements)


def issues(document: document_pb2.Document) -> list[str]:
    return [issue.reason for issue in document.issues]


def test_members_that_share_their_bytes_are_refused(read: Read) -> None:
    kernel = zlib.compress(bytes(1000), wbits=-15)
    fields: dict[str, int | bytes] = {"data": kernel, "method": 8, "crc": zlib.crc32(bytes(1000)), "size": 1000}
    document = read(
        raw_zip([{"name": b"a.txt", **fields}, *({"name": b"b%d.txt" % n, "offset": 0, **fields} for n in range(50))])
    )
    assert issues(document) == ["MEMBER_UNREADABLE"] * 51
    assert "shares bytes" in document.issues[0].message


def test_lies_about_sizes_and_sums_are_found(read: Read) -> None:
    good = zlib.compress(b"hello there", wbits=-15)
    crc = zlib.crc32(b"hello there")
    document = read(
        raw_zip(
            [
                {"name": b"short.txt", "data": good, "method": 8, "crc": crc, "size": 5},
                {"name": b"long.txt", "data": good, "method": 8, "crc": crc, "size": 2**31},
                {"name": b"sum.txt", "data": b"hello", "crc": 7},
                {"name": b"noise.txt", "data": b"\xff" * 20, "method": 8, "size": 100},
                {"name": b"beyond.txt", "data": b"hello", "packed": 2**30, "size": 2**30},
                {"name": b"good.txt", "data": good, "method": 8, "crc": crc, "size": 11},
            ]
        )
    )
    assert "good.txt" in names(document)
    assert {"short.txt", "sum.txt", "noise.txt", "beyond.txt"}.isdisjoint(names(document))
    assert set(issues(document)) == {"MEMBER_UNREADABLE"}


@pytest.mark.parametrize("method", [9, 93, 95, 98, 1, 6])
def test_methods_that_are_not_read_are_named(read: Read, method: int) -> None:
    document = read(raw_zip([{"name": b"a.txt", "data": b"??", "method": method}, {"name": b"b.txt", "data": b"fine"}]))
    assert names(document) == ["b.txt"]
    assert issues(document) == ["MEMBER_NOT_SUPPORTED"]
    assert f"method {method}" in document.issues[0].message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_are_read(read: Read, method: int) -> None:
    long = b"\n\n".join(b"paragraph %d" % number for number in range(40_000))
    document = read(zip_of({"a.txt": b"short", "b.txt": long}, method))
    assert [len(inner.elements) for inner in document.documents] == [1, 40_000]


@pytest.mark.parametrize(("method", "pack"), [(12, bz2.compress), (14, lzma.compress)])
def test_dense_bombs_never_unpack_a_piece_as_a_whole(read: Read, method: int, pack: Any) -> None:
    zeros = bytes(128 * MEBIBYTE)
    data = pack(zeros)
    if method == 14:
        chain = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}
        body = lzma.compress(zeros, lzma.FORMAT_RAW, filters=[chain])
        data = struct.pack("<BBHBI", 9, 20, 5, 93, 1 << 20) + body
    archive = raw_zip([{"name": b"a.txt", "data": data, "method": method, "size": len(zeros), "crc": zlib.crc32(zeros)}])
    del zeros
    tracemalloc.start()
    document = read(archive)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "as only bombs do" in document.issues[0].message
    assert peak < 40 * MEBIBYTE


def test_lzma_may_not_ask_for_gigabytes(read: Read) -> None:
    data = struct.pack("<BBHBI", 9, 20, 5, 93, 2**32 - 1) + bytes(20)
    document = read(raw_zip([{"name": b"a.txt", "data": data, "method": 14}]))
    assert "4,294,967,295 bytes of memory" in document.issues[0].message


def test_encrypted_members_need_their_password(read: Read) -> None:
    # "Secret text" under the traditional encryption of PKWARE, made here by its definition (APPNOTE 6.1).
    archive = raw_zip(
        [
            {
                "name": b"s.txt",
                "data": sealed(b"Secret text", b"pass"),
                "flags": 1,
                "crc": zlib.crc32(b"Secret text"),
                "size": 11,
            },
            {"name": b"aes.txt", "data": b"????", "flags": 1, "method": 99},
            {"name": b"open.txt", "data": b"open"},
        ]
    )
    document = read(archive)
    assert names(document) == ["open.txt"]
    assert issues(document) == ["MEMBER_ENCRYPTED"] * 2
    assert issues(read(archive, password="wrong"))[0] in ("MEMBER_ENCRYPTED", "MEMBER_UNREADABLE")
    assert text(read(archive, password="pass").documents[0]) == "Secret text"


def sealed(data: bytes, password: bytes) -> bytes:
    """Traditional PKWARE encryption."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(value: int, byte: int) -> int:
        # One step of CRC-32 without its inversions.
        return zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    out = bytearray()
    for byte in bytes(11) + bytes([zlib.crc32(data) >> 24]) + data:
        word = keys[2] | 2
        out.append(byte ^ ((word * (word ^ 1) >> 8) & 0xFF))
        update(byte)
    return bytes(out)


def test_more_members_than_the_usual_count_are_read_up_to_it(read: Read, tmp_path: Path) -> None:
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for number in range(66_000):
            target.writestr(zipfile.ZipInfo(f"{number}"), b"")
    document = read(archive)
    assert len(document.issues) == 1_002
    assert document.issues[1_000].reason == "MEMBERS_LEFT_OUT"
    assert "10,000" in document.issues[1_000].message


def test_a_zip_that_begins_with_a_stored_pdf_is_no_pdf(read: Read, samples: Path) -> None:
    document = read(zip_of({"a.pdf": (samples / "report.pdf").read_bytes()}, zipfile.ZIP_STORED))
    assert document.media_type == "application/zip"
    assert document.documents[0].media_type == "application/pdf"


def test_names_without_the_mark_of_utf8(read: Read) -> None:
    fields: dict[str, int | bytes] = {"data": b"text"}
    document = read(raw_zip([{"name": "Grüße.txt".encode(), **fields}, {"name": "Grüße.txt".encode("cp437"), **fields}]))
    assert names(document) == ["Grüße.txt"] * 2
