"""Reads TAR files: each member as a document of its own. Compressed ones arrive here unwrapped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.v1 import document_pb2
from ingest_server.handlers.archive.tar_members import BLOCK_BYTES, TarMembers, is_header
from ingest_server.handlers.interface import Context
from ingest_server.handlers.members.container import ContainerReader, Contents, malformed
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source


class TarReader(ContainerReader):
    """Reads TAR files."""

    media_types = ("application/x-tar",)

    @contextmanager
    def open(self, source: Source, options: ReadOptions, context: Context) -> Iterator[Contents]:
        """Open it. See `ContainerReader.open`."""
        with source.open() as file:
            first = file.read(BLOCK_BYTES)
            if first != bytes(BLOCK_BYTES) and not is_header(first):
                raise malformed("The TAR file is damaged: it does not begin with the header of a member. Send the file anew.")
            yield Contents(document_pb2.Document(), TarMembers(file, context.check))
