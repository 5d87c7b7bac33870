"""The bytes of a document as readers see them: small ones in memory, read once; large ones as a file that is never held whole."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import BinaryIO

from ingest_server.handlers.container_type import media_type_inside
from ingest_server.handlers.interface import Input
from ingest_server.handlers.media_type import HEAD_BYTES, MediaType, decide

WHOLE_BYTES_MAX = 4 * 1024 * 1024
"""Inputs up to this size are read into memory at once. Four times the usual inline limit; larger inputs live in files anyway."""

_HASH_CHUNK_BYTES = 256 * 1024


class Source:
    """A document's bytes and what they are.

    Attributes:
        name: as the client named it.
        declared: media type as the client declared it.
        size_bytes: of the document.
        media_type: what it is, and what decided that.
        known_sha256: the digest, where it costs nothing; else "".
    """

    def __init__(self, document: Input, *, whole_bytes_max: int = WHOLE_BYTES_MAX) -> None:
        """Look at an input.

        Args:
            document: the input.
            whole_bytes_max: inputs above this size are not read into memory unless `data` is called.

        Raises:
            OSError: the input's file cannot be read.
        """
        self._input = document
        self._data: bytes | None = None
        self._digest = self.known_sha256 = document.sha256
        self.name = document.name
        self.declared = document.media_type
        self.size_bytes = document.size_bytes
        if self.size_bytes <= whole_bytes_max:
            self._data = document.read()
            self.size_bytes = len(self._data)
            head = self._data[:HEAD_BYTES]
        else:
            with document.path().open("rb") as file:
                head = file.read(HEAD_BYTES)
        inside = None
        if head.startswith((b"PK", b"\xd0\xcf")):
            with self.open() as file:
                inside = media_type_inside(file)
        self.media_type: MediaType = decide(head, document.media_type, document.name, inside)

    @property
    def in_memory(self) -> bool:
        """Whether `data` costs nothing."""
        return self._data is not None

    def data(self) -> bytes:
        """All bytes. Reads a large input into memory: for formats that cannot be read in pieces."""
        if self._data is None:
            self._data = self._input.read()
        return self._data

    def open(self) -> BinaryIO:
        """The bytes as a file, at its beginning, for formats that are read here and there. The caller closes it."""
        return io.BytesIO(self._data) if self._data is not None else self.path().open("rb")

    def path(self) -> Path:
        """A file with the bytes, read-only, valid until the handler returns."""
        return self._input.path()

    def sha256(self) -> str:
        """SHA-256 of the bytes, 64 lower-case hexadecimal digits. A file is read through in pieces of 256 KiB."""
        if not self._digest:
            if self._data is not None:
                self._digest = hashlib.sha256(self._data).hexdigest()
            else:
                self._digest = self._sha256_of_file()
        return self._digest

    def _sha256_of_file(self) -> str:
        digest = hashlib.sha256()
        chunk = bytearray(_HASH_CHUNK_BYTES)
        window = memoryview(chunk)
        with self.path().open("rb", buffering=0) as file:
            while count := file.readinto(chunk):
                digest.update(window[:count])
        return digest.hexdigest()
