"""Embedded pictures and drawn pages of PDFs: their bytes pixel by pixel, their place on the page and among its text."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from ingest.v1 import document_pb2
from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.pdf_files import document, image, placed, stream, words
from tests.unit.handlers.documents.pdf_structure_files import BLUE, GREEN, JPEG_SIZE, RED, WHITE, everything, jpeg

FOUR = image(2, 2, RED + GREEN + BLUE + WHITE)
RESOURCES = b"/XObject << /I 20 0 R >>"


def pictures(result: document_pb2.Document) -> list[document_pb2.Element]:
    return [each for each in result.elements if each.HasField("image")]


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def kinds(result: document_pb2.Document) -> list[str]:
    return [each.text.text or "picture" for each in result.elements]


def edges(element: document_pb2.Element) -> list[float]:
    box = element.bounding_box
    return [round(edge, 3) for edge in (box.left, box.top, box.right, box.bottom)]


def test_a_jpeg_is_passed_on_and_all_else_is_a_png_at_its_place(read: Read) -> None:
    result = read(everything(), images=True)
    assert kinds(result) == ["First page", "picture", "Below the picture", "Second page", "picture"]
    assert [each.id for each in result.elements] == ["e1", "e2", "e3", "e4", "e5"]
    first, second = pictures(result)
    assert (first.page, first.image.media_type, first.image.data) == (1, "image/jpeg", jpeg())
    assert (first.image.width_pixels, first.image.height_pixels) == JPEG_SIZE
    assert edges(first) == [50, 70, 210, 150]
    assert (second.page, second.image.media_type) == (2, "image/png")
    assert opened(second.image.data).convert("RGB").tobytes() == RED + GREEN + BLUE + WHITE
    assert edges(second) == [50, 100, 150, 200]
    assert not result.issues


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_pictures_are_given_as_stored_whatever_turns_them(read: Read, rotation: int) -> None:
    turned = b"q 0 100 -100 0 200 50 cm /I Do Q q -90 0 0 90 390 150 cm /I Do Q"
    result = read(document([turned], resources=RESOURCES, page=b"/Rotate %d" % rotation, more={20: FOUR}), images=True)
    assert len(pictures(result)) == 2
    for each in pictures(result):
        assert opened(each.image.data).convert("RGB").tobytes() == RED + GREEN + BLUE + WHITE


def test_a_grey_picture_stays_grey_and_a_mask_becomes_transparency(read: Read) -> None:
    grey = image(2, 2, b"\0\x55\xaa\xff", b"/DeviceGray")
    result = read(document([placed("I", 0, 0, 9, 9)], resources=RESOURCES, more={20: grey}), images=True)
    picture = opened(pictures(result)[0].image.data)
    assert (picture.mode, picture.tobytes()) == ("L", b"\0\x55\xaa\xff")
    masked = image(2, 2, RED + GREEN + BLUE + WHITE, entries=b"/SMask 21 0 R")
    mask = image(2, 2, b"\xff\0\xff\x80", b"/DeviceGray")
    result = read(document([placed("I", 0, 0, 9, 9)], resources=RESOURCES, more={20: masked, 21: mask}), images=True)
    picture = opened(pictures(result)[0].image.data)
    assert picture.mode == "RGBA"
    assert list(picture.getchannel("A").tobytes()) == [255, 0, 255, 128]
    assert picture.getpixel((0, 0)) == (255, 0, 0, 255)


def test_a_picture_in_a_form_stands_where_the_form_puts_it(read: Read) -> None:
    form = stream(
        b"q 10 0 0 20 5 6 cm /P Do Q",
        b"/Type /XObject /Subtype /Form /BBox [0 0 99 99] /Resources << /XObject << /P 21 0 R >> >>",
    )
    data = document([b"q 2 0 0 2 100 50 cm /I Do Q"], resources=RESOURCES, more={20: form, 21: FOUR})
    (picture,) = pictures(read(data, images=True))
    # 5 · 2 + 100 = 110 from the left; 6 · 2 + 50 = 62 from the bottom of 300; twice as large.
    assert edges(picture) == [110, 300 - 62 - 40, 130, 300 - 62]


def test_pictures_in_columns_are_read_in_their_column(read: Read) -> None:
    def column(left: float, name: str) -> bytes:
        upper = b"".join(words(f"{name} upper line {n} of text", left, 270 - 14 * n, 10) for n in range(5))
        lower = b"".join(words(f"{name} lower line {n} of text", left, 120 - 14 * n, 10) for n in range(5))
        return upper + placed("I", left, 140, 120, 50) + lower

    result = read(document([column(30, "Left") + column(230, "Right")], resources=RESOURCES, more={20: FOUR}), images=True)
    order = [text.split(" line")[0] for text in kinds(result)]
    assert order == ["Left upper", "picture", "Left lower", "Right upper", "picture", "Right lower"]


def test_headings_are_found_beside_pictures(read: Read) -> None:
    page = (
        words("Title", 50, 270, 24) + placed("I", 50, 150, 100, 100) + words("Body text of the page in usual size", 50, 100, 10)
    )
    data = document([page], resources=RESOURCES, more={20: FOUR})
    levels = [(each.text.text, each.heading_level) for each in read(data, images=True).elements]
    assert levels == [("Title", 1), ("", 0), ("Body text of the page in usual size", 0)]


def test_a_page_of_pictures_only_gives_them_and_is_told_of(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    pages = [words("Words", 50, 200), placed("I", 0, 0, 400, 300), words("More words", 50, 200)]
    data = document(pages, resources=RESOURCES, more={20: FOUR})
    result = read(data, images=True)
    assert [(each.page, each.id) for each in result.elements] == [(1, "e1"), (2, "e2"), (3, "e3")]
    assert kinds(result) == ["Words", "picture", "More words"]
    assert [(issue.page, issue.reason) for issue in result.issues] == [(2, "PAGE_HAS_NO_TEXT")]
    assert kinds(read(data)) == ["Words", "More words"]


def test_pages_as_they_are_shown(read: Read) -> None:
    page = words("Words", 50, 250, 40) + placed("I", 200, 100, 100, 100)
    result = read(document([page, b""], resources=RESOURCES, more={20: FOUR}), page_images_dpi=144)
    first, second = result.page_images
    assert [(each.page, each.media_type) for each in result.page_images] == [(1, "image/png"), (2, "image/png")]
    assert (first.width_pixels, first.height_pixels) == (800, 600)
    picture = opened(first.data)
    assert picture.size == (800, 600)
    assert picture.info["dpi"] == pytest.approx((144, 144), abs=0.1)
    # The middle of each quarter of the picture, 50 points wide, in the order of its pixels.
    middles = [picture.getpixel((2 * x, 2 * y)) for y in (125, 175) for x in (225, 275)]
    assert middles == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    assert picture.getpixel((5, 5)) == (255, 255, 255)
    assert min(picture.crop((100, 40, 300, 110)).convert("L").tobytes()) < 50
    blank = opened(second.data)
    assert (blank.mode, set(blank.tobytes())) == ("L", {255})


def test_form_fields_are_drawn(read: Read) -> None:
    appearance = stream(b"1 0 0 rg 0 0 100 20 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 100 20]")
    widget = b"<< /Subtype /Widget /FT /Tx /T (a) /V (v) /F 4 /Rect [50 40 150 60] /AP << /N 50 0 R >> >>"
    data = document(
        [b""], catalog=b"/AcroForm << /Fields [30 0 R] >>", page=b"/Annots [30 0 R]", more={30: widget, 50: appearance}
    )
    result = read(data, page_images_dpi=72)
    assert opened(result.page_images[0].data).getpixel((100, 250)) == (255, 0, 0)
    assert result.form_fields[0].value == "v"


def test_pictures_and_drawn_pages_do_not_disturb_each_other(read: Read) -> None:
    alone = read(everything(), page_images_dpi=72).page_images
    both = read(everything(), page_images_dpi=72, images=True, links=True, outline=True).page_images
    assert [each.data for each in both] == [each.data for each in alone]
