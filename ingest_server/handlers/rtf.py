"""Reads RTF: its text, paragraph by paragraph; tables as lines with tabs, formatting and pictures not at all."""

from __future__ import annotations

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.elements import ElementBuilder
from ingest_server.handlers.html import add_html
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.mail.rtf_body import rtf_text
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

RTF_BYTES_MAX = 64 * 1024 * 1024
"""Its pictures are written in digits, so files are large; 10 MB take a second or two at the most."""


class RtfReader(DocumentReader):
    """Reads RTF."""

    media_types = ("application/rtf",)

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it. RTF that was made from HTML is read as that. See `DocumentReader.read`."""
        if source.size_bytes > RTF_BYTES_MAX:
            raise _malformed(
                f"The RTF has {source.size_bytes:,} bytes; {RTF_BYTES_MAX:,} is the limit. Save it without its pictures."
            )
        data = source.data()
        if b"{\\rtf" not in data[:1024]:
            raise _malformed('The RTF does not begin with "{\\rtf": it is something else, or damaged. Send the file anew.')
        text, is_html = rtf_text(data, context.check)
        document = document_pb2.Document()
        builder = ElementBuilder(document)
        if is_html:
            add_html(text, builder)
            return document
        for line in text.split("\n"):
            if stripped := line.strip():
                builder.text(stripped)
        return document


def _malformed(message: str) -> HandlerFailure:
    return HandlerFailure(message, reason=Reason.DOCUMENT_MALFORMED, code=Code.INVALID_ARGUMENT, retryable=False)
