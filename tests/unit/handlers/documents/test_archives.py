"""ZIP and TAR: bombs, lies and links first, then what is read of sound ones."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import stat
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import ExtractOptions, extract
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.members import container
from ingest_server.handlers.members.member import label
from ingest_server.handlers.members.nesting import Nesting, NestingLimits
from tests.unit.handlers.documents.archive_files import Files, raw_zip, tar_header, tar_of, zip_of
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read

BOTH = pytest.mark.parametrize("pack", [zip_of, tar_of], ids=["zip", "tar"])
MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads with other limits than the usual ones."""

    def set_limits(**limits: int) -> None:
        monkeypatch.setattr(container, "Nesting", lambda: Nesting(NestingLimits(**limits)))

    return set_limits


def names(document: document_pb2.Document) -> list[str]:
    return [inner.name for inner in document.documents]


def text(document: document_pb2.Document) -> str:
    return "\n".join(element.text.text for element in document.elements)


def issues(document: document_pb2.Document) -> list[str]:
    return [issue.reason for issue in document.issues]


@BOTH
def test_one_member_of_each_kind_of_trouble_and_the_rest_is_read(read: Read, pack: Any, samples: Path) -> None:
    document = read(
        pack(
            [
                ("first.txt", b"the first"),
                ("torn.pdf", b"%PDF-1.4 torn"),
                ("picture.gif", b"GIF89a\x00"),
                ("empty.txt", b""),
                ("locked.pdf", (samples / "encrypted.pdf").read_bytes()),
                ("mystery", b"\x00\x01\x02" * 50),
                ("last.txt", b"the last"),
            ]
        )
    )
    assert names(document) == ["first.txt", "last.txt"]
    assert [(issue.reason, issue.message.split(":")[0]) for issue in document.issues] == [
        ("MEMBER_UNREADABLE", '"torn.pdf"'),
        ("MEMBER_NOT_SUPPORTED", '"picture.gif"'),
        ("MEMBER_EMPTY", '"empty.txt"'),
        ("MEMBER_ENCRYPTED", '"locked.pdf"'),
        ("MEMBER_NOT_SUPPORTED", '"mystery"'),
    ]


@BOTH
def test_a_flat_bomb_is_given_up_and_its_neighbours_are_read(read: Read, pack: Any, temporary: Path) -> None:
    bomb = pack([("a.txt", b"before"), ("bomb.txt", bytes(64 * MEBIBYTE)), ("z.txt", b"after")])
    if pack is tar_of:
        bomb = gzip.compress(bomb)
        with pytest.raises(HandlerFailure, match="bombs"):
            read(bomb)
    else:
        document = read(bomb)
        assert names(document) == ["a.txt", "z.txt"]
        assert "300 times" in document.issues[0].message
    assert not list(temporary.iterdir())


def test_all_members_draw_on_one_account_of_bytes_at_all_depths(read: Read, limited: Any) -> None:
    limited(total_bytes_max=50_000)
    inner = zip_of({f"{number}.txt": b"a" * 9_000 for number in range(4)}, zipfile.ZIP_STORED)
    document = read(zip_of({"one.zip": inner, "two.zip": inner, "three.txt": b"x"}, zipfile.ZIP_STORED))
    # 36 KB of the inner archive, and then its members: 14 KB are left for those.
    assert names(document) == ["one.zip"]
    assert names(document.documents[0]) == ["0.txt"]
    assert issues(document) == issues(document.documents[0]) == ["MEMBERS_LEFT_OUT"]
    assert "50,000 bytes" in document.issues[0].message
    assert '"one.zip"' in document.issues[0].message


def test_wrappers_inside_draw_on_the_same_account(read: Read, limited: Any) -> None:
    limited(total_bytes_max=1_000_000)
    packed = gzip.compress(b"x" * 400_000)
    document = read(zip_of({f"{number}.txt.gz": packed for number in range(5)}, zipfile.ZIP_STORED))
    assert len(document.documents) == 2
    assert issues(document) == ["MEMBERS_LEFT_OUT"]


def test_archives_in_each_other_end_at_the_depth(read: Read) -> None:
    nested = zip_of({"deep.txt": b"too deep"})
    for _ in range(7):
        nested = zip_of([("again.zip", nested), ("beside.txt", b"beside")])
    document, depth = read(nested), 1
    while document.documents[0].documents:
        assert text(document.documents[1]) == "beside"
        document, depth = document.documents[0], depth + 1
    assert depth == 5
    assert issues(document) == ["MEMBER_TOO_DEEP"]
    assert '"again.zip"' in document.issues[0].message


def test_many_archives_of_many_archives_end_at_the_members(read: Read, limited: Any) -> None:
    limited(members_max=50)
    nested = zip_of({"leaf.txt": b"leaf"})
    for _ in range(4):
        nested = zip_of([(f"{number}.zip", nested) for number in range(16)])
    document = read(nested)
    assert issues(document) == ["MEMBERS_LEFT_OUT"]
    assert "50 members" in document.issues[0].message


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


def test_links_devices_and_sparse_files_are_told_and_never_followed(read: Read) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, kind in (
            ("sym", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("dev", tarfile.BLKTYPE),
            ("fifo", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        sparse = tarfile.TarInfo("sparse.txt")
        sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**60)}
        archive.addfile(sparse)
        last = tarfile.TarInfo("last.txt")
        last.size = 4
        archive.addfile(last, io.BytesIO(b"last"))
    document = read(target.getvalue())
    assert names(document) == ["last.txt"]
    assert issues(document) == ["MEMBER_NOT_SUPPORTED"] * 5
    link = raw_zip([{"name": b"l", "data": b"/etc/passwd", "attributes": (stat.S_IFLNK | 0o777) << 16}])
    assert issues(read(link)) == ["MEMBER_NOT_SUPPORTED"]


def test_names_are_labels_only(read: Read, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    hostile = ["../../evil.txt", "/etc/evil.txt", "C:\\evil.txt", "a/../../b.txt", "x\x1b[31m.txt", "ab\u202etxt.exe.txt"]
    document = read(tar_of([(name, b"text") for name in hostile]))
    assert names(document) == ["evil.txt", "etc/evil.txt", "evil.txt", "a/b.txt", "x[31m.txt", "abtxt.exe.txt"]
    assert set(tmp_path.rglob("*")) == before
    assert len(label("é" * 5000 + ".pdf").encode()) <= 1024
    assert label("é" * 5000 + ".pdf").endswith(".pdf")


@BOTH
def test_names_that_occur_twice_are_both_read(read: Read, pack: Any) -> None:
    with pytest.warns(UserWarning, match="Duplicate") if pack is zip_of else nullcontext():
        packed = pack([("a.txt", b"first"), ("a.txt", b"second")])
    assert [text(inner) for inner in read(packed).documents] == ["first", "second"]


def test_more_members_than_the_usual_count_are_read_up_to_it(read: Read, tmp_path: Path) -> None:
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for number in range(66_000):
            target.writestr(zipfile.ZipInfo(f"{number}"), b"")
    document = read(archive)
    assert len(document.issues) == 1_002
    assert document.issues[1_000].reason == "MEMBERS_LEFT_OUT"
    assert "10,000" in document.issues[1_000].message


def test_torn_archives(read: Read) -> None:
    whole = zip_of({"a.txt": b"aaa", "b.txt": b"bbb"})
    with pytest.raises(HandlerFailure, match="directory") as caught:
        read(whole[:-30], "", "a.zip")
    assert caught.value.reason == "DOCUMENT_MALFORMED"
    torn = tar_of([("a.txt", b"aaa"), ("b.txt", b"b" * 5000)])
    document = read(torn[: 3 * 512 + 100])
    assert (names(document), issues(document)) == (["a.txt"], ["MEMBER_UNREADABLE"])
    broken = bytearray(tar_of([("a.txt", b"aaa"), ("b.txt", b"bbb")]))
    broken[1024 + 5] ^= 0xFF
    document = read(bytes(broken))
    assert (names(document), issues(document)) == (["a.txt"], ["MEMBERS_LEFT_OUT"])


@pytest.mark.parametrize(
    "header",
    [
        tar_header(b"a.txt", b"\xff" * 12),
        tar_header(b"a.txt", b"\x80" + b"\xff" * 11),
        tar_header(b"a.txt", b"-0000000001\x00"),
        tar_header(b"a.txt", b"77777777777\x00"),
        tar_header(b"a.txt", b"77777777777\x00", b"x"),
        tar_header(b"a.txt", b"00000001000\x00", b"x") + b"1 x=\n" + bytes(507),
        tar_header(b"a.txt", b"00000001000\x00", b"S") + b"\x01" * 4096,
    ],
    ids=["negative", "huge", "minus", "beyond", "beyond-extended", "records", "sparse"],
)
def test_impossible_numbers_in_a_tar_end_it(read: Read, header: bytes) -> None:
    document = read(tar_of([("good.txt", b"good")])[:1024] + header + bytes(1024))
    assert names(document) == ["good.txt"]
    assert len(document.issues) <= 2


def test_mutants_give_a_document_or_a_clear_failure(read: Read, temporary: Path) -> None:
    chance = random.Random(20)
    failures: list[HandlerFailure] = []
    originals = [
        zip_of([("a.txt", b"text " * 50), ("b/c.html", b"<p>page</p>")]),
        tar_of([("a.txt", b"text " * 50), ("n" * 150, b"x")]),
        tar_of([("a.txt", b"t")], tarfile.GNU_FORMAT),
    ]
    for original in originals:
        for _ in range(150):
            data = bytearray(original)
            for _ in range(chance.choice((1, 2, 8))):
                data[chance.randrange(len(data))] = chance.randrange(256)
            try:
                read(bytes(data[: chance.choice((len(data), chance.randrange(1, len(data))))]), "", "x.zip")
            except HandlerFailure as failure:
                failures.append(failure)
    assert not any(failure.retryable for failure in failures)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_tar_formats_and_long_names(read: Read, form: int) -> None:
    long = "folder/" + "sub" * 30 + "/" + "n" * 60 + ".txt"
    document = read(tar_of([("short.txt", b"s"), (long, b"long"), ("ü.txt", b"u")], form))
    assert names(document) == ["short.txt", long, "ü.txt"]
    old = tar_header(b"old.txt", b"00000000003\x00", b"\x00", bytes(8)) + b"old" + bytes(509 + 1024)
    assert text(read(old, "application/x-tar").documents[0]) == "old"
    assert text(read(old, "", "old.tar").documents[0]) == "old"


def test_each_member_is_described_as_a_document_of_its_own(read: Read, samples: Path) -> None:
    pdf = (samples / "report.pdf").read_bytes()
    document = read(tar_of({"papers/report.pdf": pdf, "page.html.gz": gzip.compress(b"<h1>Head</h1>")}, compression="gz"))
    assert (document.media_type, list(document.wrappers)) == ("application/x-tar", ["application/gzip"])
    report, page = document.documents
    assert (report.name, report.media_type, report.sha256) == (
        "papers/report.pdf",
        "application/pdf",
        hashlib.sha256(pdf).hexdigest(),
    )
    alone = read(pdf)
    assert report.elements == alone.elements
    assert report.page_count == alone.page_count
    assert (page.media_type, list(page.wrappers), text(page)) == ("text/html", ["application/gzip"], "Head")


def test_a_zip_that_begins_with_a_stored_pdf_is_no_pdf(read: Read, samples: Path) -> None:
    document = read(zip_of({"a.pdf": (samples / "report.pdf").read_bytes()}, zipfile.ZIP_STORED))
    assert document.media_type == "application/zip"
    assert document.documents[0].media_type == "application/pdf"


def test_names_without_the_mark_of_utf8(read: Read) -> None:
    fields: dict[str, int | bytes] = {"data": b"text"}
    document = read(raw_zip([{"name": "Grüße.txt".encode(), **fields}, {"name": "Grüße.txt".encode("cp437"), **fields}]))
    assert names(document) == ["Grüße.txt"] * 2


def test_large_members_pass_through_files_that_are_gone_afterwards(read: Read, temporary: Path) -> None:
    large = b"\n\n".join(b"line %d %s" % (n, os.urandom(40).hex().encode()) for n in range(60_000))
    document = read(zip_of({"large.txt": large, "small.txt": b"x"}))
    assert len(document.documents[0].elements) == 60_000
    assert not list(temporary.iterdir())


@BOTH
def test_progress_counts_members_and_cancel_is_seen(pack: Any) -> None:
    files: Files = {f"{number}.txt": b"text" for number in range(5)}
    context = FakeContext(FakeInput(pack(files)))
    extract(context, ExtractOptions())
    assert [done for done, _, _ in context.reports] == [1, 2, 3, 4, 5]
    assert {unit for _, _, unit in context.reports} == {"members"}
    with pytest.raises(Cancelled):
        extract(FakeContext(FakeInput(pack(files)), cancel_after=4), ExtractOptions())


def test_a_retryable_failure_of_a_member_is_one_of_the_whole(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    with pytest.raises(HandlerFailure) as caught:
        read(zip_of({"large.txt": os.urandom(16 * 1024) * 320}))
    assert (caught.value.reason, caught.value.retryable) == ("STORAGE_FULL", True)


def test_empty_archives_are_documents_without_any_inside(read: Read) -> None:
    for empty, name in ((zip_of({}), "empty.zip"), (tar_of({}), "empty.tar")):
        document = read(empty, "", name)
        assert not document.documents
        assert not document.issues
