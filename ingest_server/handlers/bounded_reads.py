"""A file that refuses long reads, for libraries that read lists at once whatever length is claimed."""

from __future__ import annotations

import io
from typing import BinaryIO


class BoundedReads(io.BufferedIOBase):
    """A file that refuses long reads. Closing it does not close the file.

    Args:
        file: what is read.
        read_bytes_max: longest single read; a longer one raises OSError. Reads without a size pass: ZIP's library asks so for the
            last 64 KB of a file.
    """

    def __init__(self, file: BinaryIO, read_bytes_max: int) -> None:
        self._file = file
        self._read_bytes_max = read_bytes_max

    def read(self, size: int | None = -1, /) -> bytes:
        """As of a file."""
        if size is not None and size > self._read_bytes_max:
            raise OSError(f"{size} bytes are to be read at once, {self._read_bytes_max} is the limit")
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As of a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True
