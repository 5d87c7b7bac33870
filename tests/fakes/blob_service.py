"""Blobs of the fake server: uploads that break off, go on, or arrive altered."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from ingest.v1 import blob_service_pb2, blob_service_pb2_grpc, job_pb2

if TYPE_CHECKING:
    from tests.fakes.job_service import FakeServer

Context = grpc.aio.ServicerContext[Any, Any]


class FakeBlobs(blob_service_pb2_grpc.BlobServiceServicer):
    """Blobs in memory.

    Attributes:
        complete, partial: bytes by digest.
        break_after_pieces: an upload breaks after so many pieces, once; 0 for never.
        break_download_after_pieces: likewise.
        alter: damage the next download or upload.
        received_bytes: of all uploads.
    """

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self.complete: dict[str, bytes] = {}
        self.partial: dict[str, bytearray] = {}
        self.break_after_pieces = 0
        self.break_download_after_pieces = 0
        self.alter_upload = False
        self.alter_download = False
        self.received_bytes = 0

    def keep(self, data: bytes) -> job_pb2.BlobRef:
        """Hold `data`, as an output."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.complete[sha256] = data
        return job_pb2.BlobRef(sha256=sha256, size_bytes=len(data))

    async def FindMissingBlobs(self, request: blob_service_pb2.FindMissingBlobsRequest, context: Context) -> Any:
        await self._server.enter("FindMissingBlobs", request, context)
        missing = [blob for blob in request.blobs if blob.sha256 not in self.complete]
        return blob_service_pb2.FindMissingBlobsResponse(missing_blobs=missing)

    async def UploadBlob(self, requests: AsyncIterator[blob_service_pb2.UploadBlobRequest], context: Context) -> Any:
        from tests.fakes.job_service import abort, status_of

        await self._server.enter("UploadBlob", None, context)
        sha256 = ""
        pieces = 0
        async for request in requests:
            sha256 = request.sha256 or sha256
            held = self.partial.setdefault(sha256, bytearray())
            if request.offset_bytes != len(held):
                await abort(context, status_of(11, "BLOB_OFFSET_MISMATCH", "wrong offset", committed_bytes=str(len(held))))
            held += request.data
            self.received_bytes += len(request.data)
            pieces += 1
            if pieces == self.break_after_pieces:
                self.break_after_pieces = 0
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            if request.finish:
                break
        data = bytes(self.partial.pop(sha256))
        if self.alter_upload:
            self.alter_upload = False
            data = data[:-1] + b"?"
        if hashlib.sha256(data).hexdigest() != sha256:
            await abort(context, status_of(15, "BLOB_DIGEST_MISMATCH", "the bytes sent have another digest"))
        self.complete[sha256] = data
        return blob_service_pb2.UploadBlobResponse(blob=job_pb2.BlobRef(sha256=sha256, size_bytes=len(data)), created=True)

    async def GetBlob(self, request: blob_service_pb2.GetBlobRequest, context: Context) -> Any:
        from tests.fakes.job_service import abort, status_of

        await self._server.enter("GetBlob", request, context)
        held = self.partial.get(request.sha256)
        if held is None:
            await abort(context, status_of(5, "BLOB_NOT_FOUND", "no such blob"))
        return blob_service_pb2.GetBlobResponse(blob=blob_service_pb2.Blob(committed_bytes=len(held or b"")))

    async def DownloadBlob(
        self, request: blob_service_pb2.DownloadBlobRequest, context: Context
    ) -> AsyncIterator[blob_service_pb2.DownloadBlobResponse]:
        from tests.fakes.job_service import abort, status_of

        await self._server.enter("DownloadBlob", request, context)
        if request.sha256 not in self.complete:
            await abort(context, status_of(5, "BLOB_NOT_FOUND", "no such blob"))
        data = self.complete[request.sha256]
        if self.alter_download:
            self.alter_download = False
            data = data[:-1] + b"?"
        for pieces, offset in enumerate(range(request.offset_bytes, len(data), 1000), 1):
            yield blob_service_pb2.DownloadBlobResponse(offset_bytes=offset, data=data[offset : offset + 1000])
            if pieces == self.break_download_after_pieces:
                self.break_download_after_pieces = 0
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
