"""The kinds of input a handler meets: bytes in memory, a file (a blob) that is mapped, never copied, and a temporary file."""

from __future__ import annotations

import contextlib
import mmap
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest_server.handlers.interface import Input


class MemoryInput(Input):
    """Bytes in memory. Written to a file of the attempt's own only if a path is asked for.

    Args:
        data: the bytes.
        media_type, name, metadata: as the client gave them.
    """

    def __init__(self, data: bytes, media_type: str = "", name: str = "", metadata: Mapping[str, str] | None = None) -> None:
        self.media_type = media_type
        self.name = name
        self.metadata = metadata if metadata is not None else {}
        self.size_bytes = len(data)
        self._data = data
        self._file: Any = None

    def read(self) -> bytes:
        """The bytes."""
        return self._data

    def view(self) -> memoryview:
        """The bytes, without a copy."""
        return memoryview(self._data)

    def path(self) -> Path:
        """A file with the bytes. It keeps the suffix of the name, because libraries look at it, and nothing else of it."""
        if self._file is None:
            self._file = temporary_file("input-", self.name)
            self._file.write(self._data)
            self._file.flush()
        return Path(self._file.name)

    def close(self) -> None:
        """Remove the file, if one was made."""
        if self._file is not None:
            with contextlib.suppress(FileNotFoundError):  # the handler removed it
                self._file.close()
            self._file = None


class FileInput(Input):
    """A file that holds the bytes and does not change.

    Args:
        path: where it is.
        size_bytes: its size.
        media_type, name, metadata: as the client gave them.
        sha256: see `Input.sha256`.
    """

    def __init__(
        self,
        path: Path,
        size_bytes: int,
        media_type: str = "",
        name: str = "",
        metadata: Mapping[str, str] | None = None,
        sha256: str = "",
    ) -> None:
        self.sha256 = sha256
        self.media_type = media_type
        self.name = name
        self.metadata = metadata if metadata is not None else {}
        self.size_bytes = size_bytes
        self._path = path
        self._mapping: mmap.mmap | None = None
        self._view: memoryview | None = None

    def read(self) -> bytes:
        """All bytes, in memory."""
        return self._path.read_bytes()

    def view(self) -> memoryview:
        """The mapped file, read-only."""
        if self.size_bytes == 0:
            return memoryview(b"")
        if self._view is None:
            with self._path.open("rb") as file:
                self._mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._view = memoryview(self._mapping)
        return self._view

    def path(self) -> Path:
        """The file itself."""
        return self._path

    def close(self) -> None:
        """Give the mapping back. If the handler kept a slice of the view, the mapping lives as long as that slice."""
        view, mapping = self._view, self._mapping
        self._view = self._mapping = None
        if view is not None and mapping is not None:
            try:
                view.release()
                mapping.close()
            except BufferError:
                pass


class TemporaryInput(FileInput):
    """A temporary file that holds the bytes, and goes when it is closed.

    Args:
        file: from `temporary_file`, written and flushed.
        size_bytes, media_type, name, metadata: see `FileInput`.
    """

    def __init__(
        self, file: Any, size_bytes: int, media_type: str = "", name: str = "", metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(Path(file.name), size_bytes, media_type, name, metadata)
        self._file = file

    def close(self) -> None:
        """Give the mapping back, and the file."""
        super().close()
        with contextlib.suppress(FileNotFoundError):  # the handler removed or moved it
            self._file.close()


def temporary_file(prefix: str, name: str) -> Any:
    """A temporary file, removed when it is closed. It keeps the suffix of `name`, because libraries look at it, and nothing else
    of it. Raises OSError."""
    suffix = Path(name).suffix
    if not suffix.isascii() or not suffix[1:].isalnum() or len(suffix) > 16:
        suffix = ""
    return tempfile.NamedTemporaryFile(prefix=prefix, suffix=suffix)  # closed by who asked for it
