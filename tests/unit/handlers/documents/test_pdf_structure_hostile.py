"""Outlines, links, form fields and pictures made to do harm: each costs little, is told of, and leaves the text alone."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Reason
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.pdf import beside_text, form_fields, images, links, outline, rendering
from ingest_server.handlers.pdf.picture_bytes import PictureBytes
from ingest_server.handlers.pdf.reader import PdfReader
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read
from tests.unit.handlers.documents.pdf_files import document, image, placed, stream, words
from tests.unit.handlers.documents.pdf_structure_files import everything
from tests.unit.handlers.documents.test_pdf_hostile import ends_well

TEXT = words("Hello words", 50, 200)
EVERYTHING: dict[str, Any] = {"images": True, "page_images_dpi": 72, "links": True, "outline": True}
PICTURE = TEXT + placed("I", 50, 50, 100, 100)
RESOURCES = b"/XObject << /I 20 0 R >>"


@pytest.fixture
def read_all(read: Read) -> Read:
    """Reads everything, and sees that the text is there."""

    def run(data: bytes | Path, **options: Any) -> document_pb2.Document:
        result = read(data, "application/pdf", **{**EVERYTHING, **options})
        assert [each.text.text for each in result.elements if each.HasField("text")] == ["Hello words"]
        return result

    return run


def reasons(result: document_pb2.Document) -> list[str]:
    return [issue.reason for issue in result.issues]


def outlined(items: dict[int, bytes]) -> bytes:
    """A document with an outline whose root is object 10."""
    return document([TEXT], catalog=b"/Outlines 10 0 R", more=items)


@pytest.mark.parametrize(
    ("items", "titles"),
    [
        ({10: b"<< /First 11 0 R >>", 11: b"<< /Title (A) /First 11 0 R /Next 11 0 R >>"}, ["A"]),
        ({10: b"<< /First 11 0 R >>", 11: b"<< /Title (A) /First 10 0 R >>"}, ["A", ""]),
        (
            {10: b"<< /First 11 0 R >>", 11: b"<< /Title (A) /Next 12 0 R >>", 12: b"<< /Title (B) /Next 11 0 R >>"},
            ["A", "B"],
        ),
        (
            {10: b"<< /First 11 0 R >>", 11: b"<< /Title (A) /First 12 0 R >>", 12: b"<< /Title (B) /First 11 0 R >>"},
            ["A", "B"],
        ),
    ],
    ids=["itself", "the root", "siblings", "children"],
)
def test_an_outline_that_leads_in_a_circle_ends(read_all: Read, items: dict[int, bytes], titles: list[str]) -> None:
    result = read_all(outlined(items))
    assert [item.title for item in result.outline] == titles
    assert reasons(result) == ["OUTLINE_TRUNCATED"]
    assert "circle" in result.issues[0].message


@pytest.mark.slow
def test_an_outline_of_a_million_items_is_cut(read_all: Read, tmp_path: Path) -> None:
    chain = {1000 + n: b"<< /Title (T) /Next %d 0 R /Dest [100 0 R /Fit] >>" % (1001 + n) for n in range(1_000_000)}
    path = tmp_path / "million.pdf"
    path.write_bytes(outlined({10: b"<< /First 1000 0 R >>", **chain}))
    del chain
    result = read_all(path)
    assert len(result.outline) == outline.ITEMS_MAX == 100_000
    assert reasons(result) == ["OUTLINE_TRUNCATED"]
    assert "more than 100,000 items" in result.issues[0].message


def test_an_outline_of_many_levels_keeps_the_upper_ones(read_all: Read) -> None:
    chain = {1000 + n: b"<< /Title (T%d) /First %d 0 R >>" % (n, 1001 + n) for n in range(5_000)}
    result = read_all(outlined({10: b"<< /First 1000 0 R >>", **chain}))
    assert [item.level for item in result.outline] == list(range(1, outline.DEPTH_MAX + 1))
    assert reasons(result) == ["OUTLINE_TRUNCATED"]


def test_a_long_outline_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "CHECK_EVERY", 10)
    chain = {1000 + n: b"<< /Title (T) /Next %d 0 R >>" % (1001 + n) for n in range(100)}
    context = FakeContext(FakeInput(outlined({10: b"<< /First 1000 0 R >>", **chain})), cancel_after=5)
    with pytest.raises(Cancelled):
        PdfReader().read(Source(context.input), ReadOptions(outline=True), context)


def linked(*annotations: bytes) -> bytes:
    """A document whose page has these annotations."""
    return document([TEXT], page=b"/Annots [" + b" ".join(annotations) + b"]")


@pytest.mark.parametrize("page", [b"-1", b"1", b"99", b"2147483647", b"2147483648", b"9 0 R"])
def test_a_link_to_a_page_that_is_not_there_is_left_out(read_all: Read, page: bytes) -> None:
    result = read_all(linked(b"<< /Subtype /Link /Rect [40 190 120 215] /Dest [%s /Fit] >>" % page))
    assert not result.links


@pytest.mark.parametrize("page", [b"99999999999999999999", b"(x)", b"null", b"[0]", b"0.5"])
def test_a_link_to_no_number_leads_to_a_page_or_nowhere(read_all: Read, page: bytes) -> None:
    result = read_all(linked(b"<< /Subtype /Link /Rect [40 190 120 215] /Dest [%s /Fit] >>" % page))
    assert [link.target_page for link in result.links] in ([], [1])


def test_annotations_in_circles_end(read_all: Read) -> None:
    result = read_all(
        document(
            [TEXT],
            catalog=b"/AcroForm << /Fields [23 0 R 24 0 R] >>",
            page=b"/Annots 20 0 R",
            more={
                20: b"[20 0 R 21 0 R 23 0 R 24 0 R 25 0 R]",
                21: b"<< /Subtype /Link /Rect [0 0 9 9] /A 22 0 R /Parent 21 0 R /Popup 21 0 R >>",
                22: b"<< /S /GoTo /D 22 0 R /Next 22 0 R >>",
                23: b"<< /Subtype /Widget /FT /Tx /T (a) /Kids [23 0 R 24 0 R] /Parent 24 0 R /Rect [0 0 9 9] >>",
                24: b"<< /Subtype /Widget /T (b) /Parent 23 0 R /Kids [23 0 R] /Rect [0 0 9 9] >>",
                25: b"<< /Subtype /Popup /Parent 25 0 R /Rect [0 0 9 9] >>",
            },
        )
    )
    assert not result.links


def test_a_rectangle_that_makes_no_sense_harms_nobody(read_all: Read) -> None:
    edges = b"[1e400 -1e400 999999999999999999999999999999999999999999999999 5]"
    result = read_all(linked(b"<< /Subtype /Link /Rect %s /A << /S /URI /URI (http://example.org) >> >>" % edges))
    (link,) = result.links
    assert link.uri == "http://example.org"
    assert link.bounding_box.left <= link.bounding_box.right
    assert link.bounding_box.top <= link.bounding_box.bottom


def test_links_of_a_page_are_bounded(read_all: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PAGE_LINKS_MAX", 3)
    annotation = b"<< /Subtype /Link /Rect [40 190 120 215] /A << /S /URI /URI (u) >> >>"
    result = read_all(linked(*[annotation] * 4))
    assert len(result.links) == 3
    assert reasons(result) == ["LINKS_TRUNCATED"]
    assert "at most 3 of a page" in result.issues[0].message
    assert not reasons(read_all(linked(*[annotation] * 3)))


def test_finding_the_texts_of_links_is_bounded(read_all: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "LOOKED_AT_MAX", 2 * len("Hello words") + 1)
    annotation = b"<< /Subtype /Link /Rect [40 190 120 215] /A << /S /URI /URI (u) >> >>"
    assert [link.text for link in read_all(linked(*[annotation] * 3)).links] == ["Hello words", "Hello words", ""]


def test_addresses_too_long_or_of_another_kind_lead_nowhere(read_all: Read) -> None:
    long = b"x" * (links.URI_BYTES_MAX + 1)
    result = read_all(
        linked(
            b"<< /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (%s) >> >>" % long,
            b"<< /Subtype /Link /Rect [0 0 9 9] /A << /S /Launch /F (/bin/sh) >> >>",
            b"<< /Subtype /Link /Rect [0 0 9 9] /A << /S /JavaScript /JS (app.alert\\(1\\)) >> >>",
            b"<< /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (a\\nb\\033[31m\\377) >> >>",
        )
    )
    assert [link.uri for link in result.links] == ["a b [31m\ufffd"]


def formed(fields: list[bytes]) -> bytes:
    """A document with a form of these widgets."""
    numbers = b" ".join(b"%d 0 R" % (1000 + n) for n in range(len(fields)))
    more = {21: b"[%s]" % numbers, **{1000 + n: field for n, field in enumerate(fields)}}
    return document([TEXT], catalog=b"/AcroForm << /Fields 21 0 R >>", page=b"/Annots 21 0 R", more=more)


def test_a_field_of_ten_megabytes_is_told_without_its_value(read_all: Read, tmp_path: Path) -> None:
    path = tmp_path / "form.pdf"
    widget = b"<< /Subtype /Widget /FT /Tx /T (%s) /V (%s) /Rect [0 0 9 9] >>"
    path.write_bytes(formed([widget % (b"long", b"x" * 10_000_000), widget % (b"short", b"y")]))
    result = read_all(path)
    assert [(field.name, field.value) for field in result.form_fields] == [("long", ""), ("short", "y")]
    assert reasons(result) == ["FORM_FIELDS_TRUNCATED"]
    assert "524,288 characters" in result.issues[0].message


@pytest.mark.parametrize(
    ("limit", "value", "count"),
    [("FIELDS_MAX", 3, 3), ("PAGE_ANNOTATIONS_MAX", 4, 0), ("CHARACTERS_MAX", 8, 2)],
)
def test_fields_are_bounded(read_all: Read, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, count: int) -> None:
    monkeypatch.setattr(form_fields, limit, value)
    result = read_all(formed([b"<< /Subtype /Widget /FT /Tx /T (a%d) /V (v) /Rect [0 0 9 9] >>" % n for n in range(5)]))
    assert [field.name for field in result.form_fields] == [f"a{n}" for n in range(count)]
    assert reasons(result) == ["FORM_FIELDS_TRUNCATED"]


def test_choices_are_bounded(read_all: Read) -> None:
    choices = b" ".join(b"(c%d)" % n for n in range(1_500))
    result = read_all(formed([b"<< /Subtype /Widget /FT /Ch /T (a) /Opt [%s] /Rect [0 0 9 9] >>" % choices]))
    assert list(result.form_fields[0].options) == [f"c{n}" for n in range(form_fields.OPTIONS_MAX)]
    assert reasons(result) == ["FORM_FIELDS_TRUNCATED"]


def claiming(width: int, height: int, entries: bytes = b"") -> bytes:
    """A picture of four bytes that claims any size."""
    size = b"/Width %d /Height %d" % (width, height)
    return stream(b"abcd", b"/Subtype /Image %s /ColorSpace /DeviceGray /BitsPerComponent 8 %s" % (size, entries))


def test_a_picture_of_billions_of_pixels_is_not_decoded(read_all: Read) -> None:
    begin = time.process_time()
    result = read_all(document([PICTURE], resources=RESOURCES, more={20: claiming(60_000, 60_000)}))
    assert time.process_time() - begin < 1
    (picture,) = [each.image for each in result.elements if each.HasField("image")]
    assert (picture.width_pixels, picture.height_pixels, picture.media_type, picture.data) == (60_000, 60_000, "", b"")
    assert reasons(result) == ["IMAGE_OMITTED", "PAGE_IMAGE_OMITTED"]
    assert "60,000 × 60,000 pixels" in result.issues[0].message
    assert "3,600,000,000 pixels" in result.issues[1].message
    assert not result.page_images


@pytest.mark.parametrize(("width", "height"), [(-5, 7), (0, 0), (2**31, 1), (-(2**31), -(2**31))])
def test_sizes_that_make_no_sense(read_all: Read, width: int, height: int) -> None:
    result = read_all(document([PICTURE], resources=RESOURCES, more={20: claiming(width, height)}), page_images_dpi=0)
    pictures = [each.image for each in result.elements if each.HasField("image")]
    assert all(picture.width_pixels >= 0 and picture.height_pixels >= 0 and not picture.data for picture in pictures)
    assert reasons(result) == ["IMAGE_OMITTED"] * len(pictures)


@pytest.mark.slow
def test_a_picture_shorter_than_it_claims_and_a_huge_mask(read_all: Read) -> None:
    masked = image(2, 2, b"abcd", b"/DeviceGray", b"/SMask 21 0 R")
    result = read_all(document([PICTURE], resources=RESOURCES, more={20: masked, 21: claiming(20_000, 20_000)}))
    assert [each.image.width_pixels for each in result.elements if each.HasField("image")] == [2]
    read_all(document([PICTURE], resources=RESOURCES, more={20: claiming(1_000, 1_000)}))


@pytest.mark.parametrize("entries", [b"/Filter /DCTDecode", b"/Filter /JPXDecode", b"/Filter /CCITTFaxDecode", b"/Filter /None"])
def test_pictures_whose_bytes_are_damaged(read_all: Read, entries: bytes) -> None:
    result = read_all(document([PICTURE], resources=RESOURCES, more={20: claiming(50, 50, entries)}), page_images_dpi=0)
    for each in result.elements:
        if each.HasField("image"):
            assert each.image.media_type == ("image/png" if each.image.data else "")
            assert each.image.data or "IMAGE_OMITTED" in reasons(result)


def test_a_form_that_draws_itself_ends(read_all: Read) -> None:
    itself = stream(b"/I Do", b"/Subtype /Form /BBox [0 0 1 1] /Resources << /XObject << /I 20 0 R >> >>")
    assert not reasons(read_all(document([PICTURE], resources=RESOURCES, more={20: itself})))


def test_pictures_are_bounded_by_number(read_all: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PAGE_PICTURES_MAX", 2)
    data = document(
        [TEXT + placed("I", 50, 50, 100, 100) * 3], resources=RESOURCES, more={20: image(2, 2, b"abcd", b"/DeviceGray")}
    )
    result = read_all(data)
    assert len(result.elements) == 3
    assert reasons(result) == ["IMAGES_TRUNCATED"]
    monkeypatch.setattr(images, "OBJECTS_MAX", 1)
    result = read_all(data)
    assert len(result.elements) == 1
    assert "first 1 objects" in result.issues[0].message


def test_bytes_of_pictures_are_bounded(read_all: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside_text, "PictureBytes", lambda: PictureBytes(100))
    data = document(
        [TEXT + placed("I", 50, 50, 100, 100) * 2], resources=RESOURCES, more={20: image(2, 2, b"abcd", b"/DeviceGray")}
    )
    result = read_all(data)
    pictures = [each.image for each in result.elements if each.HasField("image")]
    assert [bool(picture.data) for picture in pictures] == [True, False]
    assert reasons(result) == ["IMAGE_OMITTED", "PAGE_IMAGE_OMITTED"]
    assert all("100 bytes of pictures" in issue.message for issue in result.issues)


def test_a_huge_page_is_drawn_more_coarsely(read_all: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "PIXELS_MAX", 30_000)
    result = read_all(document([TEXT]))
    (drawn,) = result.page_images
    assert (drawn.width_pixels, drawn.height_pixels) == (200, 150)
    assert reasons(result) == ["PAGE_IMAGE_COARSER"]
    assert "36 dots per inch" in result.issues[0].message
    monkeypatch.setattr(rendering, "PIXELS_MAX", 20)
    result = read_all(document([TEXT]))
    assert not result.page_images
    assert reasons(result) == ["PAGE_IMAGE_OMITTED"]


@pytest.mark.parametrize("dots_per_inch", [-1, 35, 601, 2**31 - 1])
def test_resolutions_out_of_range_are_refused(read: Read, dots_per_inch: int) -> None:
    with pytest.raises(HandlerFailure, match="36 … 600") as caught:
        read(document([TEXT]), page_images_dpi=dots_per_inch)
    assert (caught.value.reason, caught.value.retryable) == (Reason.INVALID_OPTIONS, False)


def test_bytes_changed_at_random(read: Read) -> None:
    original = everything()
    for seed in range(100):
        generator = random.Random(seed)
        data = bytearray(original)
        for _ in range(generator.choice((1, 3, 10, 50))):
            data[generator.randrange(len(data))] = generator.randrange(256)
        ends_well(lambda given, media_type: read(given, media_type, **EVERYTHING), bytes(data))
