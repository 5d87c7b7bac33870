"""RTF: what is none and what has no end first, then what is read."""

from __future__ import annotations

import pytest

from ingest_server.handlers.interface import HandlerFailure
from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.test_msg import FROM_HTML, plain


def test_what_is_no_rtf_is_refused(read: Read) -> None:
    with pytest.raises(HandlerFailure, match="begin") as caught:
        read(b"just text", "application/rtf")
    assert caught.value.reason == "DOCUMENT_MALFORMED"


@pytest.mark.parametrize(
    "data",
    [
        rb"{\rtf1 " + b"{" * 100_000 + b"text",
        rb"{\rtf1 text" + b"}" * 100_000,
        rb"{\rtf1 text{\pict " + b"ff" * 2_000_000,
        rb"{\rtf1 text" + rb"\'" * 100_000,
        rb"{\rtf1 text\u99999999999999999999 \fs-99999999999",
    ],
    ids=["open", "close", "picture", "hex", "numbers"],
)
def test_rtf_without_end_ends(read: Read, data: bytes) -> None:
    assert plain(read(data))[0].startswith("text")


def test_paragraphs_characters_and_code_pages(read: Read) -> None:
    data = (
        rb"{\rtf1\ansi\ansicpg1251\deff0{\fonttbl{\f0\fcharset204 Arial;}{\f1\fcharset128 Gothic;}}{\colortbl;\red0;}"
        rb"{\info{\title Hidden}}{\stylesheet{\s1 Heading;}}\pard\f0 \'cf\'f0\'e8\'e2\'e5\'f2\par {\f1 \'93\'fa\'96\'7b}"
        rb"\par a\tab b \{c\} \'ab\u8364?\'bb\par{\*\unknown hidden}{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}\par}"
    )
    document = read(data, "", "letter.rtf")
    assert (document.media_type, document.media_type_source) == ("application/rtf", "content")
    assert plain(document) == ["Привет", "日本", "a\tb {c} «€»", "link"]


def test_rtf_made_from_html_is_read_as_that(read: Read) -> None:
    document = read(FROM_HTML, "text/rtf")
    assert plain(document) == ["Grüße", "При a < b €"]
    assert document.elements[0].heading_level == 2
