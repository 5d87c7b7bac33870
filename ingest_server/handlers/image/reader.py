"""Reads pictures of pages: their text, recognised by tesseract, as paragraphs with their boxes.

Sizes are read from the headers first: a picture of too many pixels is refused before anything decodes it. Pictures are read as
they are meant to be seen: tesseract's library turns those of a TIFF by itself, a JPEG is drawn upright for it.
"""

from __future__ import annotations

from pathlib import Path

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.domain.extract_rules import OcrMode
from ingest_server.handlers.elements import ElementBuilder
from ingest_server.handlers.image.header import HeaderFault, PictureSize, jpeg_size, png_size
from ingest_server.handlers.image.tiff import tiff_sizes
from ingest_server.handlers.image.upright import upright
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.ocr.tesseract import PageNotRecognised, Tesseract
from ingest_server.handlers.ocr.words import Recognised
from ingest_server.handlers.operator import reader_limits
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

PAGE_UNREADABLE = "PAGE_UNREADABLE"
PAGE_HAS_NO_TEXT = "PAGE_HAS_NO_TEXT"

SIDE_PIXELS_MAX = 32_767
"""What tesseract takes: its coordinates have 16 bits."""
POINTS_PER_INCH = 72.0


class ImageReader(DocumentReader):
    """Reads PNG, JPEG and TIFF, the last with all of its pages.

    Args:
        tesseract: recognises the text; None: the one on the PATH.
        pixels_max: of one page; None: as the operator has set it.
        side_pixels_max: width and height of one page.
    """

    media_types = ("image/png", "image/jpeg", "image/tiff")

    def __init__(
        self, tesseract: Tesseract | None = None, pixels_max: int | None = None, side_pixels_max: int = SIDE_PIXELS_MAX
    ) -> None:
        self._tesseract = tesseract or Tesseract()
        self._pixels_max = pixels_max
        self._side_pixels_max = side_pixels_max

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read the pages asked for. See `DocumentReader.read`.

        Boxes are in points by the resolution that the file tells; where it tells none, a pixel counts as a point. Where the task
        has switched recognition off, each page is an ImageElement.

        Raises:
            HandlerFailure: DOCUMENT_MALFORMED if no page can be read; MEDIA_TYPE_NOT_SUPPORTED if tesseract or a language is not
                installed, or the operator has switched recognition off; INVALID_OPTIONS; ATTEMPT_TIMEOUT.
            Cancelled: the attempt was asked to stop.
        """
        media_type = source.media_type.media_type
        sizes, fault = _sizes(source, media_type)
        first, last = _page_range(len(sizes), options)
        document = document_pb2.Document(page_count=len(sizes))
        builder = ElementBuilder(document)
        if options.ocr == OcrMode.OFF:
            for number in range(first, last + 1):
                _add_picture(builder, number, sizes[number - 1], media_type)
            _note_missing(document, last, len(sizes), fault)
            return document
        # Before tesseract is asked for anything: what is refused here is refused on every machine alike.
        refused = {number: why for number in range(first, last + 1) if (why := self._too_large(sizes[number - 1]))}
        if len(refused) == last - first + 1:
            raise _malformed(refused[first], media_type)
        languages = self._tesseract.languages(options.ocr_languages, media_type, context)
        path = source.path()
        unread = 0
        for number in range(first, last + 1):
            context.check()
            try:
                if number in refused:
                    raise PageNotRecognised(refused[number])
                found = self._found(path, sizes[number - 1], number, media_type, languages, context)
                _add(builder, found, number, sizes[number - 1])
                if not found:
                    document.issues.add(page=number, reason=PAGE_HAS_NO_TEXT, message="No text was found in the picture.")
            except PageNotRecognised as error:
                unread += 1
                document.issues.add(page=number, reason=PAGE_UNREADABLE, message=f"{error}.")
            context.progress(number - first + 1, last - first + 1, "page")
        if unread == last - first + 1:
            raise _malformed(document.issues[0].message.rstrip("."), media_type)
        _note_missing(document, last, len(sizes), fault)
        return document

    def _found(
        self, path: Path, size: PictureSize, number: int, media_type: str, languages: str, context: Context
    ) -> list[Recognised]:
        """Paragraphs of a page as it is seen; boxes in its pixels."""
        if media_type == "image/tiff":
            return self._tesseract.page(path, languages, context, index=number - 1)
        if size.orientation == 1:
            return self._tesseract.page(path, languages, context)
        with upright(path, size) as drawing:
            resolution = int(size.horizontal * drawing.scale)
            found = self._tesseract.page(drawing.path, languages, context, dots_per_inch=resolution)
        return [each.scaled(1 / drawing.scale) for each in found]

    def _too_large(self, size: PictureSize) -> str:
        """Why a picture is not decoded; "" if it may be."""
        pixels_max = self._pixels_max or reader_limits().read_image_pixels_max
        if size.pixels > pixels_max or max(size.width, size.height) > self._side_pixels_max:
            return (
                f"the picture is {size.width:,} × {size.height:,} pixels large; at most {pixels_max:,} pixels and "
                f"{self._side_pixels_max:,} a side are read: scale it down, or cut it into pages"
            )
        return ""


def _sizes(source: Source, media_type: str) -> tuple[list[PictureSize], str]:
    """Sizes of the pages, and what is wrong behind them."""
    with source.open() as file:
        try:
            if media_type == "image/tiff":
                return tiff_sizes(file)
            return [png_size(file) if media_type == "image/png" else jpeg_size(file)], ""
        except HeaderFault as fault:
            raise _malformed(str(fault), media_type) from fault


def _note_missing(document: document_pb2.Document, last: int, page_count: int, fault: str) -> None:
    """Add an issue where the file is damaged behind its last page, if that was asked for."""
    if fault and last == page_count:
        document.issues.add(page=page_count + 1, reason=PAGE_UNREADABLE, message=f"Pages may be missing: {fault}.")


def _add_picture(builder: ElementBuilder, page: int, size: PictureSize, media_type: str) -> None:
    """Add a page as a picture, without its bytes."""
    picture = builder.image("", page=page).image
    picture.media_type, picture.width_pixels, picture.height_pixels = media_type, size.width, size.height


def _add(builder: ElementBuilder, found: list[Recognised], page: int, size: PictureSize) -> None:
    """Add the paragraphs of a page."""
    across, down = POINTS_PER_INCH / (size.horizontal or POINTS_PER_INCH), POINTS_PER_INCH / (size.vertical or POINTS_PER_INCH)
    for paragraph in found:
        element = builder.text(paragraph.text, page=page)
        element.text.confidence = paragraph.confidence
        box = element.bounding_box
        left, top, right, bottom = paragraph.box
        box.left, box.top, box.right, box.bottom = left * across, top * down, right * across, bottom * down


def _page_range(page_count: int, options: ReadOptions) -> tuple[int, int]:
    """First and last page to read, from 1."""
    first = max(options.first_page, 1)
    if first > page_count:
        raise HandlerFailure(
            f"first_page is {first}, but the document has {page_count} pages. Ask for pages 1 to {page_count}.",
            reason=Reason.INVALID_OPTIONS,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
            metadata={"page_count": str(page_count)},
        )
    return first, min(options.last_page or page_count, page_count)


def _malformed(why: str, media_type: str) -> HandlerFailure:
    return HandlerFailure(
        f"The {media_type} cannot be read: {why}.",
        reason=Reason.DOCUMENT_MALFORMED,
        code=Code.INVALID_ARGUMENT,
        retryable=False,
    )
