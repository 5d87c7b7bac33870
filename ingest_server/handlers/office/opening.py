"""Opens an office document for a reader, and says in the service's words why one cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.container_type import ENCRYPTED_OFFICE
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.office.package import Package
from ingest_server.handlers.office.xml_events import PartFault
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source


@contextmanager
def opened(source: Source, context: Context, media_type: str) -> Iterator[tuple[Package, str]]:
    """The package of a document and the name of its main part.

    Args:
        source: the document.
        context: asked for a cancel every 64 KB read.
        media_type: what the main part must make the document.

    Raises:
        HandlerFailure: DOCUMENT_MALFORMED if this is no such document.
    """
    with source.open() as file:
        try:
            package = Package(file, context.check)
            found, main = package.media_type()
        except PartFault as fault:
            raise malformed(f"the file {fault}") from fault
        if found != media_type:
            raise malformed(f"its parts are those of {found or 'no office document'}, not of {media_type}")
        yield package, main


def malformed(why: str) -> HandlerFailure:
    """The failure of a document that cannot be read, because `why`."""
    return HandlerFailure(
        f"The document cannot be read: {why}. Open it in the program it was made with, save it again, and send that.",
        reason=Reason.DOCUMENT_MALFORMED,
        code=Code.INVALID_ARGUMENT,
        retryable=False,
    )


class EncryptedReader(DocumentReader):
    """Tells that a document is sealed: which kind it is cannot be seen from outside."""

    media_types = (ENCRYPTED_OFFICE,)

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Raise DOCUMENT_ENCRYPTED."""
        raise HandlerFailure(
            "The document is encrypted with a password, and office documents are not decrypted here. "
            "Open it in the program it was made with, remove the password, and send that.",
            reason=Reason.DOCUMENT_ENCRYPTED,
            code=Code.FAILED_PRECONDITION,
            retryable=False,
            metadata={"password": "unsupported"},
        )
