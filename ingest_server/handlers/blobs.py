"""What running a task asks of the place where large bytes lie."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class BlobAccess(Protocol):
    """Content-addressed bytes. `digest` is the SHA-256, 32 bytes."""

    def put_bytes(self, data: bytes) -> bytes:
        """Keep these bytes; they are on disk (fsync) on return. Answers the digest. Raises OSError."""
        ...

    def put_file(self, path: Path) -> tuple[bytes, int]:
        """Keep a copy of a file's bytes, on disk on return. Answers the digest and the size in bytes. Raises OSError."""
        ...

    def path_of(self, digest: bytes) -> Path:
        """Where the bytes lie, whether they are there or not."""
        ...
