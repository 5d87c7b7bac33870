"""The text of an Outlook message: its HTML, the RTF that Outlook keeps beside or instead of it, or its plain text."""

from __future__ import annotations

from ingest_server.handlers.elements import ElementBuilder
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.html import add_html
from ingest_server.handlers.interface import Context
from ingest_server.handlers.mail.code_pages import codec_of
from ingest_server.handlers.mail.compound_file import CompoundFault
from ingest_server.handlers.mail.compressed_rtf import decompressed
from ingest_server.handlers.mail.msg_properties import Properties
from ingest_server.handlers.mail.plain_body import add_plain_body
from ingest_server.handlers.mail.rtf_body import rtf_text

BODY_BYTES_MAX = 64 * 1024 * 1024
"""Of HTML and plain text; more was not written by people."""
RTF_BYTES_MAX = 16 * 1024 * 1024
"""Of compressed RTF, which unpacks to nine times as much at the most, a second for every four megabytes."""
_BODY, _RTF, _HTML, _CODE_PAGE = 0x1000, 0x1009, 0x1013, 0x3FDE


def add_body(properties: Properties, builder: ElementBuilder, context: Context) -> None:
    """Add the elements of the text: of the first of HTML, RTF made from HTML, plain text and other RTF that gives any.

    Raises:
        HandlerFailure: its HTML cannot be read.
        CompoundFault, ValueError: its RTF cannot be read.
        Cancelled: the attempt was asked to stop.
    """
    count = builder.count
    if html := _html(properties):
        add_html(html, builder)
    if builder.count > count:
        return
    plain = properties.text(_BODY, BODY_BYTES_MAX)
    fault: Exception | None = None
    text, is_html = "", False
    try:
        if compressed := properties.read_bytes(_RTF, RTF_BYTES_MAX):
            text, is_html = rtf_text(decompressed(compressed, context.check), context.check)
    except (CompoundFault, ValueError) as error:
        fault = error
    if is_html:
        add_html(text, builder)
    if builder.count == count:
        add_plain_body(plain if plain.strip() or is_html else text, builder, context)
    if builder.count == count and fault is not None:
        raise fault


def _html(properties: Properties) -> str:
    """The HTML, which is bytes in a code page of its own, or a text as others."""
    if properties.has_bytes(_HTML):
        data = properties.read_bytes(_HTML, BODY_BYTES_MAX)
        return decode(data, codec_of(properties.number(_CODE_PAGE)))[0]
    return properties.text(_HTML, BODY_BYTES_MAX)
