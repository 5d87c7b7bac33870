"""Bytes that must be read twice: hashed first, sent then. Small ones stay in memory, larger ones go to a temporary file."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import IO, Any, TypeVar

import grpc

from ingest_server.rest.errors import rest_error

T = TypeVar("T")

MEMORY_BYTES_MAX = 256 * 1024
PIECE_BYTES = 256 * 1024
FULL_RETRY_SECONDS = 5.0
SPOOL_THREADS = 2
"""Hashing 256 KiB and writing them takes well under a millisecond; one would do but for a disk that stalls."""


class Spools:
    """The spools of one shim.

    Args:
        folder: where the files are made; None: where the system has its temporary files. They have no name there.
        spool_bytes_max: of one.
        spools_max: at once; so the disk holds at most the product.
    """

    def __init__(self, folder: str | None, spool_bytes_max: int, spools_max: int) -> None:
        self.folder = folder
        # Threads of its own, and few: each that touches large buffers keeps some memory for good.
        self.threads = ThreadPoolExecutor(max_workers=SPOOL_THREADS, thread_name_prefix="spool")
        self.spool_bytes_max = spool_bytes_max
        self._spools_max = spools_max
        self._open = 0

    def open(self) -> Spool:
        """A new spool, to be used as a context. Raises RestError where there are too many."""
        if self._open >= self._spools_max:
            raise rest_error(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._open} uploads without a digest are under way, the most there may be (spools_max): come back, or give "
                "?sha256=…",
                "OVERLOADED",
                retry_after_seconds=FULL_RETRY_SECONDS,
            )
        self._open += 1
        return Spool(self)

    def closed(self) -> None:
        """A spool is gone."""
        self._open -= 1


class Spool:
    """Takes bytes once, tells their digest, gives them back once."""

    def __init__(self, spools: Spools) -> None:
        self._spools = spools
        self._digest = hashlib.sha256()
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._size = 0

    @property
    def sha256(self) -> str:
        """Of all bytes so far, in lower-case hexadecimal digits."""
        return self._digest.hexdigest()

    async def __aenter__(self) -> Spool:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._spools.closed()
        if self._file is not None:
            await self._in_thread(self._file.close)

    async def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            RestError: there are too many, or the disk is full.
        """
        self._size += len(data)
        if self._size > self._spools.spool_bytes_max:
            raise rest_error(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"uploads without a digest have at most {self._spools.spool_bytes_max:,} bytes (spool_bytes_max): give ?sha256=…",
                "TOO_LARGE",
                field="sha256",
                http_status=413,
            )
        self._memory += data
        if len(self._memory) > MEMORY_BYTES_MAX:
            held, self._memory = self._memory, bytearray()
            try:
                await self._in_thread(self._store, held)
            except OSError as error:
                message = f"the upload cannot be kept until its digest is known: {error.strerror}; give ?sha256=…"
                raise rest_error(grpc.StatusCode.RESOURCE_EXHAUSTED, message, "STORAGE_FULL") from None

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._spools.threads, function, *arguments)

    def _store(self, held: bytearray) -> None:
        self._digest.update(held)
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._spools.folder, buffering=0)  # noqa: SIM115  # closed in __aexit__
        self._file.write(held)

    def finish(self) -> None:
        """All bytes have come; now the digest is right."""
        self._digest.update(self._memory)

    async def pieces(self) -> AsyncIterator[bytes]:
        """All bytes in order, in pieces."""
        if self._file is not None:
            await self._in_thread(self._file.seek, 0)
            while piece := await self._in_thread(self._file.read, PIECE_BYTES):
                yield piece
        if self._memory:
            yield bytes(self._memory)
