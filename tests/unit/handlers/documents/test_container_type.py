"""What a container holds is told by its directory, however its bytes begin and whatever they are called."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from ingest_server.handlers.container_type import ENCRYPTED_OFFICE, media_type_inside
from ingest_server.handlers.office import package
from ingest_server.handlers.source import Source
from tests.unit.handlers.documents.conftest import FakeInput
from tests.unit.handlers.documents.office_files import SLIDES, WORD, content_types, docx_parts, ole, zipped

NOISE = random.Random(1).randbytes(20_000)


@pytest.mark.parametrize(
    ("main", "declared", "expected"),
    [
        ("word/document.xml", f"{WORD}.document.main+xml", package.DOCX),
        ("word/document.xml", "application/vnd.ms-word.document.macroEnabled.main+xml", package.DOCX),
        ("strange/place.xml", f"{SLIDES}.slideshow.main+xml", package.PPTX),
        ("xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroEnabled.main", package.XLSB),
        ("word/document.xml", "application/xml", ""),
    ],
)
def test_the_declared_type_of_the_main_part_decides(main: str, declared: str, expected: str) -> None:
    # Twenty thousand bytes that say nothing come first, so that no look at the first bytes could tell.
    data = zipped({"media/noise.bin": NOISE, "[Content_Types].xml": content_types(main, declared), main: "<x/>"})
    assert media_type_inside(io.BytesIO(data)) == expected


def test_an_archive_of_a_folder_called_word_is_an_archive() -> None:
    document = Source(FakeInput(zipped({"word/notes.txt": "words"})))
    assert (document.media_type.media_type, document.media_type.source) == ("application/zip", "content")


def test_bytes_win_over_declaration_and_name() -> None:
    data = zipped({"media/noise.bin": NOISE, **docx_parts("")})
    decision = Source(FakeInput(data, "application/pdf", "a.pdf")).media_type
    assert (decision.media_type, decision.source) == (package.DOCX, "content")


def test_a_large_file_is_looked_at_on_disk(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(zipped(docx_parts("")))
    source = Source(FakeInput(file), whole_bytes_max=100)
    assert (source.media_type.media_type, source.in_memory) == (package.DOCX, False)


def test_a_document_cut_off_is_known_by_its_first_bytes() -> None:
    data = zipped({"word/document.xml": NOISE})
    assert media_type_inside(io.BytesIO(data[:9000])) is None
    assert Source(FakeInput(data[:9000])).media_type.media_type == package.DOCX


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        (("EncryptionInfo", "EncryptedPackage"), ENCRYPTED_OFFICE),
        (("WordDocument",), "application/msword"),
        (("Workbook",), "application/vnd.ms-excel"),
        (("__properties_version1.0",), "application/vnd.ms-outlook"),
        (("Something",), ""),
    ],
)
def test_streams_of_an_ole_file(streams: tuple[str, ...], expected: str) -> None:
    assert media_type_inside(io.BytesIO(ole(*streams))) == expected


def test_mutants_never_raise() -> None:
    chance = random.Random(7)
    for original in (zipped(docx_parts("")), ole("EncryptedPackage"), ole("Workbook")):
        for _ in range(300):
            mutant = bytearray(original)
            for _ in range(chance.randint(1, 12)):
                mutant[chance.randrange(len(mutant))] = chance.randrange(256)
            media_type_inside(io.BytesIO(bytes(mutant[: chance.randint(1, len(mutant))])))


def test_a_directory_that_goes_in_circles_ends() -> None:
    data = bytearray(ole("Something"))
    data[512 + 4 : 512 + 8] = (1).to_bytes(4, "little")
    assert media_type_inside(io.BytesIO(bytes(data))) == ""
