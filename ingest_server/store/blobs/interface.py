"""What every blob store promises.

A blob is bytes under their SHA-256 (32 bytes, the *digest*). It never changes, so it is either whole and on disk or not there.
Who uploaded it is remembered per tenant, for a time: that, and the jobs that refer to it, decide who may see it.

**Errors.** `Exhausted` (STORAGE_FULL) when the disk is full; `Unavailable` (STORE_UNAVAILABLE) when it cannot be used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What is known of a blob, or of an unfinished upload.

    Attributes:
        size_bytes: of the whole; 0 while the upload is unfinished.
        committed_bytes: of it that are kept.
        complete: it is whole, verified and on disk.
        create_us: when that was, or when the upload was begun.
    """

    size_bytes: int
    committed_bytes: int
    complete: bool
    create_us: int


class BlobUpload(ABC):
    """One upload under way, the only one of its digest. Leaving it unfinished keeps what was written for a later one."""

    committed_bytes: int
    """Where the next write begins."""

    @abstractmethod
    async def __aenter__(self) -> BlobUpload: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Append."""

    @abstractmethod
    async def finish(self) -> int:
        """Verify and publish; on disk (fsync) on return. Answers the size.

        Raises IngestError (BLOB_DIGEST_MISMATCH, DATA_LOSS) if the bytes have another digest; they are discarded.
        """


InUse = Callable[[Sequence[bytes]], Awaitable[Sequence[bool]]]
"""Tells for each digest whether a job refers to it."""


class BlobStore(ABC):
    """Keeps blobs."""

    @abstractmethod
    async def uploaded_by(self, tenant: str, digests: Sequence[bytes]) -> Sequence[bool]:
        """For each: is it there, and did the tenant upload it? Those that are, are kept for their full time from now."""

    @abstractmethod
    async def there(self, digests: Sequence[bytes]) -> Sequence[bool]:
        """For each: is it there, whoever put it?"""

    @abstractmethod
    async def put(self, tenant: str, data: bytes | memoryview) -> bytes:
        """Keep bytes for a tenant; on disk (fsync) on return. Answers the digest."""

    @abstractmethod
    async def claim(self, tenant: str, digest: bytes) -> None:
        """Remember that the tenant has a blob that is there: it has shown the bytes. On disk (fsync) on return."""

    @abstractmethod
    async def upload(self, tenant: str, digest: bytes) -> BlobUpload:
        """Begin, or continue, an upload. Tenants do not share unfinished uploads: none can block or spoil another's.

        Raises Conflict (BLOB_UPLOAD_BUSY) while another upload of the digest by the tenant is under way.
        """

    @abstractmethod
    async def read(self, digest: bytes, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on; fewer only at the end. Raises NotFound (BLOB_NOT_FOUND)."""

    @abstractmethod
    async def info(self, tenant: str, digest: bytes) -> BlobInfo | None:
        """What is known of a blob, or of the tenant's unfinished upload of it; None if nothing is. Whether the tenant may know
        of a blob that is complete, this does not ask."""

    @abstractmethod
    async def sweep(self, before_us: int, in_use: InUse, limit: int) -> int:
        """Forget claims and unfinished uploads last touched before `before_us` (wall time), and blobs as old that nobody claims
        and no job refers to. Looks at no more than `limit` files, and goes on there the next time. Answers how many blobs it
        removed."""
