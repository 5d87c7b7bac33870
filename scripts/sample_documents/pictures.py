"""A sample picture of a page, for text recognition."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from scripts.sample_documents.manifest import Entry, element, entry

NOTICE = "The inner basin is closed"
DOTS_PER_INCH = 150


def make_picture(folder: Path) -> Entry:
    """A notice as a PNG. Its text is read where tesseract is installed."""
    picture = Image.new("L", (900, 250), 255)
    ImageDraw.Draw(picture).text((60, 90), NOTICE, font=ImageFont.load_default(40), fill=0)
    picture.save(folder / "notice.png", dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return entry("notice.png", "image/png", [element("paragraph", NOTICE, page=1)], page_count=1, needs="tesseract")
