"""A prefix of S3 as a folder: an object appears whole, because S3 shows it only when its request has succeeded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import BinaryIO

from ingest_server.domain.s3_address import S3Address
from ingest_server.handlers.s3.client import S3Client
from ingest_server.handlers.targets.interface import Place, Writing

MEMORY_BYTES_MAX = 4 * 1_024 * 1_024
"""Content up to this size waits in memory for its request; larger content in a temporary file."""


class S3Place(Place):
    """A prefix.

    Args:
        client: of the service.
        prefix: under which objects are written.
    """

    def __init__(self, client: S3Client, prefix: S3Address) -> None:
        self._client = client
        self._prefix = prefix

    def put(self, name: str, media_type: str, write: Callable[[BinaryIO], None], writing: Writing) -> None:
        """See `Place.put`."""
        try:
            address = self._prefix.below(name)
        except ValueError as error:
            raise OSError(str(error)) from error
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES_MAX, prefix="store-") as file:
            write(file)  # type: ignore[arg-type]  # it is a binary file in all that matters
            self._client.put(address, file, media_type=media_type, check=writing.check)  # type: ignore[arg-type]
