"""Blobs as files of the local disk.

    <dir>/ab/cd/abcd…          a blob, read-only; its time is when it was last wanted
    <dir>/claims/<tenant>/ab/… an empty file per tenant and blob: the tenant uploaded it; its time is when it last did, or asked
    <dir>/uploads/<tenant>/…   an unfinished upload
    <dir>/tmp/                 being written by this process or a worker, or being removed

`<tenant>` is the first 32 digits of the SHA-256 of its name, so that no name can be a path.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ingest_server.domain.errors import Code, Conflict, Exhausted, IngestError, NotFound, Reason, Unavailable
from ingest_server.handlers.blob_files import BlobFiles
from ingest_server.store.blobs.interface import BlobInfo, BlobStore, BlobUpload, InUse

_T = TypeVar("_T")

REHASH_BYTES = 1 << 20
BUSY_RETRY_SECONDS = 1.0
FULL_RETRY_SECONDS = 10.0
"""A full disk is emptied by people or by retention: in seconds at best."""
_ASIDE = "removed-"


class FileBlobStore(BlobStore):
    """Blobs below a directory. File work runs in a few threads, never in the event loop.

    Args:
        directory: made if missing.
        threads: file operations at a time.
        free_bytes_min: with less free space, nothing new is taken.
    """

    def __init__(self, directory: Path, *, threads: int = 4, free_bytes_min: int = 0) -> None:
        self._directory = directory
        self._files = BlobFiles(directory)
        self._claims = directory / "claims"
        self._uploads = directory / "uploads"
        self._free_bytes_min = free_bytes_min
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="blobs")
        self._sweeping: Iterator[Path] | None = None
        for folder in (self._claims, self._uploads, directory / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        self._put_back()

    def close(self) -> None:
        """Wait for the file operations under way. Nothing may be called afterwards."""
        self._executor.shutdown()

    async def uploaded_by(self, tenant: str, digests: Sequence[bytes]) -> Sequence[bool]:
        """See `BlobStore.uploaded_by`."""
        return await self.run(lambda: [self._renew_claim(tenant, digest) for digest in digests])

    async def there(self, digests: Sequence[bytes]) -> Sequence[bool]:
        """See `BlobStore.there`."""
        return await self.run(lambda: [self._files.path_of(digest).exists() for digest in digests])

    async def put(self, tenant: str, data: bytes | memoryview) -> bytes:
        """See `BlobStore.put`."""

        def work() -> bytes:
            self.check_room(len(data))
            digest = self._files.put_bytes(bytes(data))  # no copy if it is bytes already
            self._claim(tenant, digest)
            return digest

        return await self.run(work)

    async def claim(self, tenant: str, digest: bytes) -> None:
        """See `BlobStore.claim`."""

        def work() -> None:
            self._claim(tenant, digest)
            self._files.confirm(self._claim_path(tenant, digest))

        await self.run(work)

    async def upload(self, tenant: str, digest: bytes) -> BlobUpload:
        """See `BlobStore.upload`."""
        return await self.run(lambda: _FileUpload(self, tenant, digest))

    async def read(self, digest: bytes, offset: int, count: int) -> bytes:
        """See `BlobStore.read`."""

        def work() -> bytes:
            try:
                with self._files.path_of(digest).open("rb", buffering=0) as file:
                    return os.pread(file.fileno(), count, offset)
            except FileNotFoundError as error:
                raise blob_not_found(digest) from error

        return await self.run(work)

    async def info(self, tenant: str, digest: bytes) -> BlobInfo | None:
        """See `BlobStore.info`."""

        def work() -> BlobInfo | None:
            for path, complete in ((self._files.path_of(digest), True), (self.upload_path(tenant, digest), False)):
                try:
                    found = path.stat()
                except FileNotFoundError:
                    continue
                return BlobInfo(found.st_size if complete else 0, found.st_size, complete, found.st_mtime_ns // 1_000)
            return None

        return await self.run(work)

    async def sweep(self, before_us: int, in_use: InUse, limit: int) -> int:
        """See `BlobStore.sweep`."""
        old = await self.run(lambda: self._find_old(before_us, limit))
        if not old:
            return 0
        used = await in_use(old)
        idle = [digest for digest, busy in zip(old, used, strict=True) if not busy]
        return await self.run(lambda: sum(self._remove(digest, before_us) for digest in idle))

    # ---- what runs in threads

    @property
    def files(self) -> BlobFiles:
        """The layout."""
        return self._files

    def upload_path(self, tenant: str, digest: bytes) -> Path:
        """Where an unfinished upload lies."""
        return self._uploads / _folder_of(tenant) / digest.hex()

    async def run(self, work: Callable[[], _T]) -> _T:
        """Run file work in a thread, with its errors translated."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except OSError as error:
            raise _translate(error) from error

    def check_room(self, size_bytes: int) -> None:
        """Raise Exhausted (STORAGE_FULL) if so many more bytes would leave too little free space."""
        found = os.statvfs(self._directory)
        free_bytes = found.f_bavail * found.f_frsize
        if free_bytes < self._free_bytes_min + size_bytes:
            raise Exhausted(
                f"{size_bytes:,} more bytes would leave less than {self._free_bytes_min:,} of {free_bytes:,} bytes free "
                "(disk_free_bytes_min); free space, or shorten the retention",
                reason=Reason.STORAGE_FULL,
                retry_after_seconds=FULL_RETRY_SECONDS,
            )

    def _claim_path(self, tenant: str, digest: bytes) -> Path:
        text = digest.hex()
        return self._claims / _folder_of(tenant) / text[:2] / text

    def _claim(self, tenant: str, digest: bytes) -> None:
        path = self._claim_path(tenant, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def _renew_claim(self, tenant: str, digest: bytes) -> bool:
        try:
            os.utime(self._claim_path(tenant, digest))
        except FileNotFoundError:
            return False
        return self._files.renew(digest)

    def _find_old(self, before_us: int, limit: int) -> list[bytes]:
        """Remove old claims and uploads met on the way; answer old blobs."""
        old = []
        if self._sweeping is None:
            self._sweeping = _walk(self._directory)
        for _ in range(limit):
            path = next(self._sweeping, None)
            if path is None:
                self._sweeping = None
                break
            try:
                if path.stat().st_mtime_ns // 1_000 >= before_us:
                    continue
                if path.parent.parent.parent == self._directory and path.parent.name == path.name[2:4]:
                    old.append(bytes.fromhex(path.name))
                else:
                    path.unlink()
            except FileNotFoundError:
                continue
        return old

    def _remove(self, digest: bytes, before_us: int) -> bool:
        """Remove a blob that nothing refers to, unless it was wanted meanwhile: it is taken aside first, so whoever wants it now
        either has renewed its time before, which is seen, or does not find it."""
        path = self._files.path_of(digest)
        aside = self._directory / "tmp" / f"{_ASIDE}{digest.hex()}"
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        if aside.stat().st_mtime_ns // 1_000 >= before_us:
            aside.rename(path)
            self._files.confirm(path)
            return False
        aside.unlink()
        return True

    def _put_back(self) -> None:
        """What a server before had taken aside when it was killed may have been wanted: a later sweep judges it anew."""
        for aside in (self._directory / "tmp").glob(f"{_ASIDE}*"):
            path = self._files.path_of(bytes.fromhex(aside.name.removeprefix(_ASIDE)))
            aside.rename(path)
            self._files.confirm(path)


class _FileUpload(BlobUpload):
    """An upload into its staging file, which is locked meanwhile. Made in a thread."""

    def __init__(self, store: FileBlobStore, tenant: str, digest: bytes) -> None:
        self._store = store
        self._digest = digest
        self._path = store.upload_path(tenant, digest)
        self._path.parent.mkdir(exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise Conflict(
                f"another call is uploading blob {digest.hex()} now; come back later",
                reason=Reason.BLOB_UPLOAD_BUSY,
                retry_after_seconds=BUSY_RETRY_SECONDS,
            ) from error
        self._hash = hashlib.sha256()
        self.committed_bytes = 0
        while piece := os.read(self._file, REHASH_BYTES):  # what an earlier call wrote; leaves the offset at the end
            self._hash.update(piece)
            self.committed_bytes += len(piece)

    async def __aenter__(self) -> BlobUpload:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._file)

    async def write(self, data: bytes) -> None:
        """See `BlobUpload.write`."""

        def work() -> None:
            self._store.check_room(len(data))
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            self._hash.update(data)
            self.committed_bytes += len(data)

        await self._store.run(work)

    async def finish(self) -> int:
        """See `BlobUpload.finish`."""

        def work() -> None:
            found = self._hash.digest()
            if found != self._digest:
                self._path.unlink(missing_ok=True)
                raise IngestError(
                    f"the {self.committed_bytes:,} bytes sent have SHA-256 {found.hex()}, announced was {self._digest.hex()}; "
                    "they were discarded: upload again from offset 0",
                    code=Code.DATA_LOSS,
                    reason=Reason.BLOB_DIGEST_MISMATCH,
                    metadata={"sha256": found.hex()},
                )
            self._store.files.publish(self._path, self._file, self._digest)

        await self._store.run(work)
        return self.committed_bytes


def _folder_of(tenant: str) -> str:
    """A name for a tenant that no tenant's name can lead out of its folder."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:32]


def _walk(directory: Path) -> Iterator[Path]:
    """All files below, in no particular order; files that come or go meanwhile may be missed."""
    for folder, _, names in os.walk(directory):
        for name in names:
            yield Path(folder) / name


def blob_not_found(digest: bytes) -> NotFound:
    """The refusal of a blob that is not there."""
    return NotFound(
        f"there is no blob {digest.hex()}; upload it", reason=Reason.BLOB_NOT_FOUND, metadata={"sha256": digest.hex()}
    )


def _translate(error: OSError) -> IngestError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Exhausted(
            "the disk of the blobs is full; free space, or shorten the retention",
            reason=Reason.STORAGE_FULL,
            retry_after_seconds=FULL_RETRY_SECONDS,
        )
    return Unavailable(f"the blob directory cannot be used: {error.strerror or error}", reason=Reason.STORE_UNAVAILABLE)
