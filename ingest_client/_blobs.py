"""Blobs: upload from a file or from memory, resumed after a break; download with every byte checked against the digest."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import IO

import grpc.aio

from ingest.v1 import blob_service_pb2
from ingest_client import _methods
from ingest_client._channel import Channel
from ingest_client._retry import wait_seconds
from ingest_client.errors import (
    BlobCorrupt,
    ErrorReason,
    IngestClientError,
    InputUnreadable,
    NotFound,
    error_from_rpc,
)
from ingest_client.inputs import Blob

# The contract recommends 64 KiB … 1 MiB; half of the upper end keeps four uploads at once within 2 MiB.
PIECE_BYTES = 512 * 1024
_DATA_LOSS = 15
_INVALID_ARGUMENT = 3
_JOIN_EVERY_PIECES = 16  # of one write to disk


class Blobs:
    """Blobs of one server, over one channel."""

    def __init__(self, channel: Channel, *, uploads_max: int = 4, piece_bytes: int = PIECE_BYTES) -> None:
        """Args:
        channel: to the server.
        uploads_max: uploads at the same time; more are waiting.
        piece_bytes: of one message.
        """
        self._channel = channel
        self._piece_bytes = piece_bytes
        self._uploading = asyncio.Semaphore(uploads_max)

    async def find_missing(self, blobs: Sequence[Blob], items_max: int) -> set[str]:
        """Digests of those of `blobs` that the server does not have; asked for in calls of `items_max`."""
        missing: set[str] = set()
        for start in range(0, len(blobs), items_max):
            request = blob_service_pb2.FindMissingBlobsRequest(
                blobs=[blob.to_proto() for blob in blobs[start : start + items_max]]
            )
            response = await self._channel.unary(_methods.FIND_MISSING_BLOBS, request)
            missing.update(blob.sha256 for blob in response.missing_blobs)
        return missing

    async def upload(self, source: Path | bytes, blob: Blob) -> bool:
        """Send the bytes of `source`; after a break, from where the server stands.

        Args:
            source: a file, streamed, or bytes.
            blob: its digest and size, taken before.

        Returns:
            False if the server had it already.

        Raises:
            InputUnreadable: the file cannot be read, or is no longer what it was when its digest was taken.
            BlobCorrupt: the bytes were altered on the way, twice.
            IngestClientError: anything else, after repeats.
        """
        settings = self._channel.settings
        offset = attempt = corrupt = 0
        async with self._uploading:
            while True:
                attempt += 1
                try:
                    return await self._send(source, blob, offset)
                except IngestClientError as error:
                    failed = error
                if failed.reason is ErrorReason.BLOB_OFFSET_MISMATCH and attempt < settings.retry.attempts_max:
                    offset = int(failed.metadata.get("committed_bytes", "0"))
                    continue
                if failed.reason is ErrorReason.BLOB_DIGEST_MISMATCH and not corrupt:
                    await asyncio.to_thread(_check_unchanged, source, blob)
                    offset, corrupt = 0, 1
                    continue
                wait = wait_seconds(settings.retry, attempt, failed, settings.random)
                if wait is None:
                    raise failed
                await settings.sleep(wait)
                offset = await self._committed_bytes(blob)

    async def pieces(self, blob: Blob) -> AsyncGenerator[bytes, None]:
        """The bytes of a blob in order; after a break, from the offset reached.

        Raises:
            BlobCorrupt: after the last piece, if all together do not have the digest: throw them away.
            NotFound: the server has no such blob.
        """
        settings = self._channel.settings
        digest = hashlib.sha256()
        offset = attempt = 0
        while True:
            attempt += 1
            request = blob_service_pb2.DownloadBlobRequest(sha256=blob.sha256, offset_bytes=offset)
            call = self._channel.server_stream(_methods.DOWNLOAD_BLOB, request)
            try:
                async for piece in call:
                    if piece.offset_bytes != offset:
                        raise BlobCorrupt(
                            f"blob {blob.sha256}: a piece begins at byte {piece.offset_bytes}, expected {offset}", code=_DATA_LOSS
                        )
                    digest.update(piece.data)
                    offset += len(piece.data)
                    attempt = 0  # it moved on: the bound holds for attempts without progress
                    yield piece.data
                break
            except grpc.aio.AioRpcError as rpc_error:
                error = error_from_rpc(rpc_error)
            finally:
                call.cancel()
            if offset and offset == blob.size_bytes:
                break  # broken off between the last byte and the status
            wait = wait_seconds(settings.retry, max(attempt, 1), error, settings.random)
            if wait is None:
                raise error
            await settings.sleep(wait)
        if digest.hexdigest() != blob.sha256:
            raise BlobCorrupt(
                f"the {offset} bytes that came for blob {blob.sha256} have the digest {digest.hexdigest()}; fetch it again",
                code=_DATA_LOSS,
            )

    async def read(self, blob: Blob) -> bytes:
        """All bytes of a blob, in memory."""
        return b"".join([piece async for piece in self.pieces(blob)])

    async def save(self, blob: Blob, path: Path) -> None:
        """Write a blob to a file: whole and checked, or not at all. An existing file is replaced.

        Raises:
            OSError: the file cannot be written.
        """
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        file: IO[bytes] = await asyncio.to_thread(open, partial, "wb")
        try:
            with file:
                held: list[bytes] = []
                async for piece in self.pieces(blob):
                    held.append(piece)
                    if len(held) == _JOIN_EVERY_PIECES:
                        await asyncio.to_thread(file.writelines, held)
                        held = []
                await asyncio.to_thread(file.writelines, held)
            await asyncio.to_thread(os.replace, partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    async def _send(self, source: Path | bytes, blob: Blob, offset: int) -> bool:
        """One UploadBlob call from `offset` on."""
        requests = self._requests(source, blob, offset)
        try:
            response = await self._channel.client_stream(_methods.UPLOAD_BLOB, requests, None)
        finally:
            await requests.aclose()
        return response.created

    async def _requests(
        self, source: Path | bytes, blob: Blob, offset: int
    ) -> AsyncGenerator[blob_service_pb2.UploadBlobRequest, None]:
        """The messages of one call; the first one names the digest, the last one has finish set."""
        sha256 = blob.sha256
        file = None if isinstance(source, bytes) else await asyncio.to_thread(open, source, "rb")
        try:
            if file is not None:
                file.seek(offset)
            while True:
                size = min(self._piece_bytes, blob.size_bytes - offset)
                if isinstance(source, bytes):
                    data = source[offset : offset + size]
                else:
                    data = await asyncio.to_thread(file.read, size)  # type: ignore[union-attr]
                finish = offset + len(data) >= blob.size_bytes or len(data) < size
                yield blob_service_pb2.UploadBlobRequest(sha256=sha256, offset_bytes=offset, data=data, finish=finish)
                if finish:
                    return
                offset += len(data)
                sha256 = ""
        finally:
            if file is not None:
                file.close()

    async def _committed_bytes(self, blob: Blob) -> int:
        """Where the server stands with an upload; 0 if it knows nothing of it."""
        try:
            response = await self._channel.unary(_methods.GET_BLOB, blob_service_pb2.GetBlobRequest(sha256=blob.sha256))
        except NotFound:
            return 0
        return min(response.blob.committed_bytes, blob.size_bytes)


def distinct(blobs: Iterable[Blob]) -> list[Blob]:
    """Each digest once, in order of first appearance."""
    return list({blob.sha256: blob for blob in blobs}.values())


def _check_unchanged(source: Path | bytes, blob: Blob) -> None:
    """Raise InputUnreadable if `source` no longer has the digest that was announced."""
    if isinstance(source, bytes):
        return
    try:
        with open(source, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputUnreadable(f"cannot read {source}: {error.strerror or error}", code=_INVALID_ARGUMENT) from error
    if digest != blob.sha256:
        raise InputUnreadable(
            f"{source} changed while it was uploaded; submit it again when nobody writes to it", code=_INVALID_ARGUMENT
        )
