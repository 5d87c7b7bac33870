"""Office documents made to harm, damaged or sealed: each ends as a clear failure, within bounded memory."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile

import pytest

from ingest_server.domain.errors import Code
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.office import package, word_story, word_table, xml_events
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read, SetLimits
from tests.unit.handlers.documents.office_files import NAMESPACES, docx, docx_parts, ole, zipped

MEMORY_BYTES_MAX = 64 * 1024 * 1024
"""What a hostile document may take, as Python counts it."""
PARAGRAPH = "<w:p><w:r><w:t>words</w:t></w:r></w:p>"


def refused(read: Read, data: bytes, media_type: str = package.DOCX) -> HandlerFailure:
    """The failure of a document that must not be read, and must not take much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(HandlerFailure) as caught:
            read(data, media_type)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES_MAX + len(data)
    finally:
        tracemalloc.stop()
    assert not caught.value.retryable
    return caught.value


def malformed(read: Read, data: bytes, *words: str) -> None:
    """The same, as malformed, with these words in the message."""
    failure = refused(read, data)
    assert (failure.reason, failure.code) == ("DOCUMENT_MALFORMED", Code.INVALID_ARGUMENT)
    for word in words:
        assert word in failure.message


def with_main(content: str | bytes) -> bytes:
    """A document whose main part has this content."""
    return zipped(docx_parts("") | {"word/document.xml": content})


@pytest.mark.parametrize("declared", ["", package.DOCX, "application/msword"])
def test_a_sealed_document_is_told_as_such(read: Read, declared: str) -> None:
    failure = refused(read, ole("EncryptionInfo", "EncryptedPackage"), declared)
    assert (failure.reason, failure.code) == ("DOCUMENT_ENCRYPTED", Code.FAILED_PRECONDITION)
    assert "password" in failure.message


def test_an_old_binary_document_under_the_new_name_is_told_as_what_it_is(read: Read) -> None:
    failure = refused(read, ole("WordDocument"), package.DOCX)
    assert failure.reason == "MEDIA_TYPE_NOT_SUPPORTED"
    assert "application/msword" in failure.message


def test_every_cut_is_a_clear_failure(read: Read) -> None:
    data = docx(PARAGRAPH * 50)
    for size in range(4, len(data) - 1, 37):
        malformed(read, data[:size], "cut off")


def test_mutants_are_read_or_refused(read: Read) -> None:
    data = docx(PARAGRAPH * 20, styles='<w:style w:styleId="A"><w:name w:val="heading 1"/></w:style>')
    chance = random.Random(11)
    outcomes = set()
    for _ in range(400):
        mutant = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        try:
            read(bytes(mutant), package.DOCX)
            outcomes.add("read")
        except HandlerFailure as failure:
            outcomes.add(str(failure.reason))
    assert outcomes <= {"read", "DOCUMENT_MALFORMED", "DOCUMENT_ENCRYPTED", "MEDIA_TYPE_NOT_SUPPORTED"}
    assert {"read", "DOCUMENT_MALFORMED"} <= outcomes


def test_xml_mutants_are_read_or_refused(read: Read) -> None:
    chance = random.Random(12)
    outcomes = set()
    text = str(docx_parts(PARAGRAPH + "<w:tbl><w:tr><w:tc>" + PARAGRAPH + "</w:tc></w:tr></w:tbl>")["word/document.xml"])
    tags = ["w:p", "w:r", "w:t", "w:tbl", "w:tr", "w:tc", "w:txbxContent", "w:footnote", "mc:Choice", "w:pPr", "w:trPr", "w:del"]
    for _ in range(300):
        mutant = text
        for _ in range(chance.randint(1, 4)):
            old, new = chance.choice(tags), chance.choice(tags)
            mutant = mutant.replace(f"<{old}>", f"<{new}>").replace(f"</{old}>", f"</{new}>")
        try:
            read(with_main(mutant))
            outcomes.add("read")
        except HandlerFailure as failure:
            outcomes.add(str(failure.reason))
    assert "read" in outcomes
    assert outcomes <= {"read", "DOCUMENT_MALFORMED"}


def test_a_zip_bomb_ends_at_the_ratio(read: Read) -> None:
    body = b"<x>" + b" " * (40 * 1024 * 1024)
    malformed(read, with_main(body), "times its", "bomb")


def test_a_bomb_of_another_part_costs_only_that_part(read: Read) -> None:
    data = zipped(docx_parts(PARAGRAPH, styles="") | {"word/styles.xml": b" " * (40 * 1024 * 1024)})
    document = read(data)
    assert [issue.reason for issue in document.issues] == ["STYLES_UNREADABLE"]
    assert [element.text.text for element in document.elements] == ["words"]


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        '<?xml version="1.0"?><!-- first --><!DOCTYPE x><x/>',
    ],
)
def test_document_types_are_refused(read: Read, declaration: str) -> None:
    malformed(read, with_main(declaration), "document type")
    malformed(read, with_main(declaration.encode("utf-16")), "document type")


def test_deep_nesting_ends(read: Read) -> None:
    depth = 1_000_000
    malformed(read, with_main("<a>" * depth), str(xml_events.DEPTH_MAX))


def test_tables_in_tables_end(read: Read) -> None:
    depth = 400
    malformed(read, docx("<w:tbl><w:tr><w:tc>" * depth), str(xml_events.DEPTH_MAX))


def test_names_without_number_end(read: Read) -> None:
    malformed(read, with_main("<x>" + "".join(f"<n{number}/>" for number in range(60_000))), str(xml_events.NAMES_MAX))


def test_a_long_namespace_is_not_multiplied(read: Read) -> None:
    space = "n" * 1_000_000
    malformed(read, with_main(f'<x xmlns="{space}">' + "".join(f"<n{n}/>" for n in range(9_000))), "namespace of 1000000")


def test_a_tag_without_end_ends(read: Read) -> None:
    noise = f"{random.Random(3).getrandbits(6 * 1024 * 1024):b}"
    malformed(read, with_main(f'<x y="{noise}"/>'), str(xml_events.TOKEN_BYTES_MAX))


def test_parts_without_number_end(read: Read, limits: SetLimits) -> None:
    limits(read_office_parts_max=1_000)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(1_001):
            archive.writestr(f"{number}", b"")
    malformed(read, file.getvalue(), "has 1001 parts; at most 1000 are read")


def test_a_directory_of_any_length_is_not_read_at_once(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    monkeypatch.setattr(package, "DIRECTORY_BYTES_MAX", 100)
    malformed(read, docx(PARAGRAPH), "100 is the limit")


def test_limits_of_size_hold(limits: SetLimits, read: Read) -> None:
    data = with_main(f"<w:document {NAMESPACES}>{PARAGRAPH * 5_000}</w:document>")
    limits(read_office_part_bytes_max=100_000)
    malformed(read, data, "more than 100000 bytes")
    limits(read_office_part_bytes_max=1_000_000, read_office_bytes_max=150_000)
    malformed(read, data, "more than 150000 bytes")


def test_limits_of_content_hold(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    monkeypatch.setattr(word_story, "BLOCKS_MAX", 99)
    malformed(read, docx(PARAGRAPH * 100), "99 paragraphs")
    malformed(read, docx("<w:tbl><w:tr>" + "<w:tc/>" * 100 + "</w:tr></w:tbl>"), "99 paragraphs")
    monkeypatch.setattr(word_story, "CHARACTERS_MAX", 100)
    malformed(read, docx(PARAGRAPH * 30), "100 characters")
    monkeypatch.setattr(word_table, "CELLS_MAX", 10)
    malformed(read, docx("<w:tbl><w:tr>" + "<w:tc/>" * 11 + "</w:tr></w:tbl>"), "10 cells")
    malformed(read, docx("<w:p>" + '<w:fldChar w:fldCharType="begin"/>' * 1001 + "</w:p>"), "fields")


def test_absurd_numbers_are_bounded(read: Read) -> None:
    span = '<w:tc><w:tcPr><w:gridSpan w:val="999999999999999999999"/></w:tcPr>' + PARAGRAPH + "</w:tc>"
    (table,) = read(docx(f"<w:tbl><w:tr>{span * 3}</w:tr></w:tbl>")).elements
    assert table.table.columns == 3
    span = span.replace("9" * 21, "9" * 12)
    (table,) = read(docx(f"<w:tbl><w:tr>{span * 3}</w:tr></w:tbl>")).elements
    assert table.table.columns == 3 * word_table.SPAN_MAX


def test_parts_packed_in_other_ways_are_refused(read: Read) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in docx_parts(PARAGRAPH).items():
            archive.writestr(name, part, zipfile.ZIP_LZMA if name == "word/document.xml" else zipfile.ZIP_DEFLATED)
    malformed(read, file.getvalue(), "method 14")


def test_a_package_without_a_document_is_refused(read: Read) -> None:
    malformed(read, zipped({"a.txt": "words"}), "no office document")
    parts = docx_parts("")
    del parts["word/document.xml"]
    malformed(read, zipped(parts), "is missing")


def test_styles_in_a_circle_end(read: Read) -> None:
    styles = "".join(
        f'<w:style w:styleId="{one}"><w:name w:val="{one}"/><w:basedOn w:val="{other}"/></w:style>' for one, other in ("AB", "BA")
    )
    (element,) = read(docx(PARAGRAPH.replace("<w:r>", '<w:pPr><w:pStyle w:val="A"/></w:pPr><w:r>'), styles=styles)).elements
    assert element.heading_level == 0


def test_a_cancel_is_heard_within_a_part() -> None:
    noise = random.Random(3).randbytes(300_000).hex()
    context = FakeContext(FakeInput(docx(f"<w:p><w:r><w:t>{noise}</w:t></w:r></w:p>")), cancel_after=8)
    with pytest.raises(Cancelled):
        extract(context, ExtractOptions())
