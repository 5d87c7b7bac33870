"""ZIP and TAR: bombs, lies and links first, then what is read of sound ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import stat
import tarfile
import tempfile
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
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


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large archives are read at once here; test_member_parts.py reads them in parts."""
    monkeypatch.setattr(container.ContainerReader, "_divided", lambda *arguments: None)


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
