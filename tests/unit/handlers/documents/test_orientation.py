"""Pictures that lie on their side: what is no orientation first, then every orientation of JPEG and TIFF as it is seen."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from ingest_server.domain.extract_rules import OcrMode
from ingest_server.handlers.image import upright as upright_module
from ingest_server.handlers.image.exif import orientation_of
from ingest_server.handlers.image.header import PictureSize, jpeg_size
from ingest_server.handlers.image.tiff import tiff_sizes
from ingest_server.handlers.image.upright import upright
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.ocr.tesseract import PageNotRecognised
from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.pictures import jpeg_claiming, needs_tesseract, page, saved

TAG = 0x0112
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""Orientation → how the pixels are stored so that they are to be turned by it."""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def turned(kind: str, orientation: int) -> bytes:
    """A page of 1,000 × 400 pixels as it is seen, stored in another orientation."""
    how = STORED[orientation]
    picture = page(["Read as it is seen"])
    stored = picture if how is None else picture.transpose(how)
    file = io.BytesIO()
    if kind == "TIFF":
        stored.save(file, kind, dpi=(150, 150), tiffinfo={TAG: orientation})
    else:
        exif = Image.Exif()
        exif[TAG] = orientation
        stored.save(file, kind, dpi=(150, 150), exif=exif, quality=90)
    return file.getvalue()


def file_of(data: bytes, folder: Path) -> Path:
    """A file of its own for a picture: tesseract reads files."""
    path = folder / "picture"
    path.write_bytes(data)
    return path


def exif_of(orientation: int) -> bytes:
    """Exif as it stands behind its signature."""
    exif = Image.Exif()
    exif[TAG] = orientation
    return exif.tobytes().removeprefix(b"Exif\x00\x00")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II*\x00",
        b"no Exif at all",
        exif_of(0),
        exif_of(9),
        exif_of(6)[:12],
        b"II*\x00\xff\xff\xff\xff" + bytes(20),
        b"MM\x00*\x00\x00\x00\x08\xff\xff" + bytes(40),
    ],
)
def test_what_tells_no_orientation_is_upright(data: bytes) -> None:
    assert orientation_of(data) == 1


@pytest.mark.parametrize("orientation", STORED)
def test_sizes_are_those_that_are_seen(orientation: int) -> None:
    assert orientation_of(exif_of(orientation)) == orientation
    size = jpeg_size(io.BytesIO(turned("JPEG", orientation)))
    assert (size.width, size.height, size.orientation) == (1000, 400, orientation)
    ((size,), fault) = tiff_sizes(io.BytesIO(turned("TIFF", orientation)))
    assert (size.width, size.height, fault) == (1000, 400, "")


def test_resolutions_turn_with_the_picture() -> None:
    assert PictureSize(10, 20, 100.0, 200.0).turned(6) == PictureSize(20, 10, 200.0, 100.0, 6)
    assert PictureSize(10, 20, 100.0, 200.0).turned(3) == PictureSize(10, 20, 100.0, 200.0, 3)
    assert PictureSize(10, 20).turned(77) == PictureSize(10, 20)


def test_a_segment_that_is_cut_off_is_told(read: Read) -> None:
    data = turned("JPEG", 6)
    with pytest.raises(HandlerFailure, match="it ends within its header"):
        read(data[: data.index(b"Exif") + 8])


def test_what_cannot_be_turned_is_told_and_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no JPEG")
    size = PictureSize(9, 9, orientation=6)
    with pytest.raises(PageNotRecognised, match="could not be decoded to be turned upright"), upright(broken, size):
        pytest.fail("turned")
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_without_recognition_a_picture_has_the_size_that_is_seen(read: Read, kind: str, orientation: int) -> None:
    (element,) = read(turned(kind, orientation), ocr=OcrMode.OFF).elements
    assert (element.image.width_pixels, element.image.height_pixels, element.page) == (1000, 400, 1)
    assert (element.image.media_type, element.image.data) == (f"image/{kind.lower()}", b"")


@needs_tesseract
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_picture_is_read_as_it_is_seen(read: Read, kind: str, orientation: int, temporary: Path, tmp_path: Path) -> None:
    (element,) = read(file_of(turned(kind, orientation), tmp_path)).elements
    assert element.text.text == "Read as it is seen"
    # 50 pixels at 150 to the inch are 24 points.
    assert element.bounding_box.left == pytest.approx(24, abs=2)
    assert element.bounding_box.top == pytest.approx(28, abs=4)
    assert not list(temporary.iterdir())


@needs_tesseract
def test_a_large_picture_is_drawn_more_coarsely_and_its_boxes_are_its_own(
    read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(upright_module, "DRAWN_PIXELS_MAX", 225_000)  # three quarters a side
    (element,) = read(file_of(turned("JPEG", 8), tmp_path)).elements
    assert element.text.text.replace(" ", "") == "Readasitisseen"
    assert element.bounding_box.left == pytest.approx(24, abs=2)


def test_a_jpeg_of_no_orientation_is_not_drawn(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest_server.handlers.image.reader.upright", lambda *_: pytest.fail("drawn"))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HandlerFailure, match="tesseract is not installed"):
        read(saved(page(), "JPEG"))
    with pytest.raises(HandlerFailure, match="at most 100,000,000 pixels"):
        read(jpeg_claiming(60_000, 60_000))
