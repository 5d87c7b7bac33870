"""Blobs: find, upload, download, look at; and who may see which.

A tenant sees the blobs it uploaded, while that is remembered, and those its jobs refer to. Others do not exist for it: to claim
one it has to send the bytes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import MICROSECONDS_PER_SECOND, Clock
from ingest_server.domain.errors import Code, Exhausted, IngestError, InvalidRequest, NotFound, Reason
from ingest_server.jobs.waiting import within
from ingest_server.store.blobs.interface import BlobInfo, BlobStore
from ingest_server.store.interface import JobStore

DOWNLOAD_PIECE_BYTES = 1 << 20
SWEEP_FILES_MAX = 1_000
BUSY_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class UploadChunk:
    """A piece of an upload, as UploadBlobRequest: digest of the whole, where `data` begins, whether it is the last."""

    sha256: bytes
    offset: int
    data: bytes
    finish: bool


@dataclass(frozen=True, slots=True)
class BlobStat:
    """What is known of a blob; the fields are those of `BlobInfo`."""

    sha256: bytes
    size_bytes: int
    committed_bytes: int
    complete: bool
    create_us: int


@dataclass(frozen=True, slots=True)
class Download:
    """A download that may be sent: size of the whole blob, and the pieces asked for in order, each (where it begins, bytes).
    Whoever does not read `pieces` to the end closes it."""

    size_bytes: int
    pieces: AsyncGenerator[tuple[int, bytes], None]


@dataclass(frozen=True, slots=True)
class BlobLimits:
    """Bounds: size of a blob, uploads under way, how long an unused blob is kept, and how long a sender may be silent."""

    blob_bytes_max: int
    uploads_max: int
    ttl_seconds: float
    idle_seconds: float


class Blobs:
    """The use cases."""

    def __init__(self, blobs: BlobStore, store: JobStore, clock: Clock, limits: BlobLimits) -> None:
        self._blobs = blobs
        self._store = store
        self._clock = clock
        self._limits = limits
        self._uploads = 0

    async def find(self, caller: Caller, digests: Sequence[bytes]) -> Sequence[bool]:
        """For each digest: may the caller's jobs refer to it? Those that may are kept for their full time from now."""
        found = list(await self._blobs.uploaded_by(caller.tenant, digests))
        unsure = [index for index, known in enumerate(found) if not known]
        if unsure:
            asked = [digests[index] for index in unsure]
            used = await self._store.blobs_in_use(asked, caller.tenant)
            there = await self._blobs.there(asked)
            for index, in_use, is_there in zip(unsure, used, there, strict=True):
                found[index] = in_use and is_there
        return found

    async def find_missing(self, caller: Caller, digests: Sequence[bytes]) -> Sequence[bool]:
        """For each digest: has it to be uploaded before a job may refer to it?"""
        return [not known for known in await self.find(caller, digests)]

    async def put(self, caller: Caller, data: bytes | memoryview) -> bytes:
        """Keep bytes that came inline. Answers the digest."""
        return await self._blobs.put(caller.tenant, data)

    async def upload(self, caller: Caller, chunks: AsyncIterator[UploadChunk]) -> tuple[bytes, int, bool]:
        """Take an upload.

        Args:
            caller: who uploads.
            chunks: the pieces, each beginning where the last ended; the first may begin where an earlier upload broke off.

        Returns:
            The digest, the size in bytes, and whether it is new for the caller.

        Raises:
            IngestError: BLOB_OFFSET_MISMATCH with `committed_bytes`, BLOB_DIGEST_MISMATCH, DEADLINE_EXCEEDED (silence).
            Conflict: BLOB_UPLOAD_BUSY.
            InvalidRequest: nothing came, the last piece is missing, or TOO_LARGE.
            Exhausted: OVERLOADED (too many uploads), STORAGE_FULL.
        """
        if self._uploads >= self._limits.uploads_max:
            raise Exhausted(
                f"{self._uploads} uploads are under way, the most there may be (blob_uploads_max); come back",
                retry_after_seconds=BUSY_RETRY_SECONDS,
            )
        self._uploads += 1
        try:
            async for chunk in chunks:
                return await self._receive(caller, chunk, chunks)
        finally:
            self._uploads -= 1
        raise InvalidRequest("the upload has no message; the first must name the blob's sha256")

    async def _receive(self, caller: Caller, first: UploadChunk, rest: AsyncIterator[UploadChunk]) -> tuple[bytes, int, bool]:
        digest = first.sha256
        if (await self.find(caller, [digest]))[0]:
            found = await self._blobs.info(caller.tenant, digest)
            if found is not None and found.complete:
                return digest, found.size_bytes, False
        async with await self._blobs.upload(caller.tenant, digest) as upload:
            if first.offset != upload.committed_bytes:
                raise IngestError(
                    f"the upload begins at byte {first.offset:,}, but {upload.committed_bytes:,} bytes are kept; continue there",
                    code=Code.OUT_OF_RANGE,
                    reason=Reason.BLOB_OFFSET_MISMATCH,
                    metadata={"committed_bytes": str(upload.committed_bytes)},
                )
            chunk = first
            while True:
                if upload.committed_bytes + len(chunk.data) > self._limits.blob_bytes_max:
                    raise InvalidRequest(
                        f"the blob is larger than {self._limits.blob_bytes_max:,} bytes (blob_bytes_max)", reason=Reason.TOO_LARGE
                    )
                if chunk.data:
                    await upload.write(chunk.data)
                if chunk.finish:
                    break
                following = await self._next_piece(rest, upload.committed_bytes)
                if following is None:
                    raise InvalidRequest(
                        f"the upload ended after {upload.committed_bytes:,} bytes without a message that has finish set; "
                        "they are kept: continue there"
                    )
                chunk = following
            size = await upload.finish()
        await self._blobs.claim(caller.tenant, digest)
        return digest, size, True

    async def _next_piece(self, rest: AsyncIterator[UploadChunk], kept_bytes: int) -> UploadChunk | None:
        """The next piece, None at the end. A sender that falls silent must not hold the upload for ever."""
        pieces: list[UploadChunk | None] = []

        async def receive() -> None:
            pieces.append(await anext(rest, None))

        if not await within(self._clock, self._limits.idle_seconds, receive()):
            raise IngestError(
                f"no piece of the upload came for {self._limits.idle_seconds:g} s (blob_upload_idle_seconds); "
                f"{kept_bytes:,} bytes are kept: continue there",
                code=Code.DEADLINE_EXCEEDED,
                reason=Reason.DEADLINE_EXCEEDED,
                metadata={"committed_bytes": str(kept_bytes)},
            )
        return pieces[0]

    async def download(self, caller: Caller, sha256: bytes, offset: int, limit: int) -> Download:
        """Send a blob from `offset` on, at most `limit` bytes (0: all).

        Raises:
            NotFound: BLOB_NOT_FOUND.
            IngestError: BLOB_RANGE_INVALID.
        """
        info = await self._visible(caller, sha256)
        if offset > info.size_bytes:
            raise IngestError(
                f"offset {offset:,} lies behind the blob's end at {info.size_bytes:,} bytes",
                code=Code.OUT_OF_RANGE,
                reason=Reason.BLOB_RANGE_INVALID,
                metadata={"size_bytes": str(info.size_bytes)},
            )
        end = min(offset + limit, info.size_bytes) if limit else info.size_bytes
        return Download(info.size_bytes, self._pieces(sha256, offset, end))

    async def _pieces(self, sha256: bytes, offset: int, end: int) -> AsyncGenerator[tuple[int, bytes], None]:
        while offset < end:
            data = await self._blobs.read(sha256, offset, min(DOWNLOAD_PIECE_BYTES, end - offset))
            yield offset, data
            offset += len(data)

    async def stat(self, caller: Caller, sha256: bytes) -> BlobStat:
        """What is known of a blob, or of an unfinished upload. Raises NotFound."""
        info = await self._blobs.info(caller.tenant, sha256)
        if info is None or (info.complete and not (await self.find(caller, [sha256]))[0]):
            raise _not_found(sha256)
        return BlobStat(sha256, info.size_bytes, info.committed_bytes, info.complete, info.create_us)

    async def sweep(self) -> int:
        """Forget blobs that nobody has wanted for their time. Answers how many; call it now and then."""
        before_us = self._clock.now_us() - int(self._limits.ttl_seconds * MICROSECONDS_PER_SECOND)
        return await self._blobs.sweep(before_us, self._store.blobs_in_use, SWEEP_FILES_MAX)

    async def _visible(self, caller: Caller, sha256: bytes) -> BlobInfo:
        info = await self._blobs.info(caller.tenant, sha256) if (await self.find(caller, [sha256]))[0] else None
        if info is None or not info.complete:
            raise _not_found(sha256)
        return info


def _not_found(sha256: bytes) -> NotFound:
    return NotFound(
        f"there is no blob {sha256.hex()} for this tenant; upload it",
        reason=Reason.BLOB_NOT_FOUND,
        metadata={"sha256": sha256.hex()},
    )
