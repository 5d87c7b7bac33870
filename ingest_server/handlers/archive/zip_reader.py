"""Reads ZIP files: each member as a document of its own."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from ingest.v1 import document_pb2
from ingest_server.handlers.archive.zip_members import ZipMembers
from ingest_server.handlers.interface import Context
from ingest_server.handlers.members.container import ContainerReader, Contents, malformed
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source


class ZipReader(ContainerReader):
    """Reads ZIP files."""

    media_types = ("application/zip",)

    @contextmanager
    def open(self, source: Source, options: ReadOptions, context: Context) -> Iterator[Contents]:
        """Open it. See `ContainerReader.open`."""
        with source.open() as file:
            try:
                members = ZipMembers(file, options.password)
            except (
                zipfile.BadZipFile,
                ValueError,
                OSError,
                OverflowError,
                RuntimeError,
                struct.error,
            ) as error:
                raise malformed(
                    f"The ZIP file is damaged or cut off: its directory cannot be read ({error}). Send the file anew."
                ) from error
            yield Contents(document_pb2.Document(), members, len(members))
