"""BlobService: bytes in pieces, in and out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from ingest.v1 import blob_service_pb2 as pb
from ingest.v1 import job_pb2
from ingest_server.domain.errors import Reason
from ingest_server.jobs.blobs import Blobs, UploadChunk
from ingest_server.wire.calls import Context, caller
from ingest_server.wire.encoding import bytes_field, varint_field
from ingest_server.wire.faults import Faults, invalid
from ingest_server.wire.field_rules import checked_digest, raise_if_any, required_digest
from ingest_server.wire.limits import LiveConfiguration
from ingest_server.wire.parse_filter import limit_ids
from ingest_server.wire.times import to_timestamp

SERVICE = pb.DESCRIPTOR.services_by_name["BlobService"]

# Field numbers of DownloadBlobResponse.
_OFFSET_BYTES, _DATA, _SIZE_BYTES = 1, 2, 3


class BlobService:
    """The servicer.

    Args:
        blobs: the use cases.
        configuration: limits; read at each call.
    """

    def __init__(self, blobs: Blobs, configuration: LiveConfiguration) -> None:
        self._blobs = blobs
        self._configuration = configuration

    async def FindMissingBlobs(self, request: pb.FindMissingBlobsRequest, context: Context) -> pb.FindMissingBlobsResponse:
        """Tell which blobs have to be uploaded."""
        if not request.blobs:
            raise invalid("blobs", "must have at least 1 entry, not 0")
        limit_ids("blobs", len(request.blobs), self._configuration.limits.fetch_items_max)
        faults = Faults()
        digests = [checked_digest(faults, f"blobs[{index}].sha256", ref.sha256) for index, ref in enumerate(request.blobs)]
        raise_if_any(faults)
        missing = await self._blobs.find_missing(caller(), digests)
        wanted = [ref for ref, absent in zip(request.blobs, missing, strict=True) if absent]
        return pb.FindMissingBlobsResponse(missing_blobs=wanted)

    async def UploadBlob(self, requests: AsyncIterator[pb.UploadBlobRequest], context: Context) -> pb.UploadBlobResponse:
        """Take a blob."""
        async with aclosing(_chunks(requests, self._configuration.limits.blob_bytes_max)) as chunks:
            sha256, size_bytes, created = await self._blobs.upload(caller(), chunks)
        return pb.UploadBlobResponse(blob=job_pb2.BlobRef(sha256=sha256.hex(), size_bytes=size_bytes), created=created)

    async def DownloadBlob(self, request: pb.DownloadBlobRequest, context: Context) -> None:
        """Send a blob, or a range of it."""
        sha256 = required_digest("sha256", request.sha256)
        faults = Faults()
        for field in ("offset_bytes", "limit_bytes"):
            if (value := getattr(request, field)) < 0:
                faults.add(field, f"must be at least 0, not {value:,}")
        raise_if_any(faults)
        download = await self._blobs.download(caller(), sha256, request.offset_bytes, request.limit_bytes)
        size = varint_field(_SIZE_BYTES, download.size_bytes)
        begun = False
        # Closed by hand: a reader that goes away leaves it half-run, with whatever file it holds open.
        async with aclosing(download.pieces):
            async for offset, data in download.pieces:
                piece = varint_field(_OFFSET_BYTES, offset) + bytes_field(_DATA, data)
                await context.write(piece if begun else piece + size)
                begun = True
        if not begun:
            await context.write(varint_field(_OFFSET_BYTES, request.offset_bytes) + size)

    async def GetBlob(self, request: pb.GetBlobRequest, context: Context) -> pb.GetBlobResponse:
        """Tell what is known of a blob."""
        found = await self._blobs.stat(caller(), required_digest("sha256", request.sha256))
        blob = pb.Blob(
            ref=job_pb2.BlobRef(sha256=found.sha256.hex(), size_bytes=found.size_bytes if found.complete else 0),
            committed_bytes=found.committed_bytes,
            complete=found.complete,
        )
        if found.create_us:
            blob.create_time.CopyFrom(to_timestamp(found.create_us))
        return pb.GetBlobResponse(blob=blob)


async def _chunks(requests: AsyncIterator[pb.UploadBlobRequest], blob_bytes_max: int) -> AsyncGenerator[UploadChunk, None]:
    """Check the pieces of an upload, as far as they can be checked without the blob: one digest, no gap, no negative number."""
    sha256 = b""
    expected = -1
    async for request in requests:
        if not sha256 or request.sha256:
            digest = required_digest("sha256", request.sha256)
            if sha256 and digest != sha256:
                raise invalid("sha256", f"must stay the same in all messages of an upload: {sha256.hex()}, not {digest.hex()}")
            sha256 = digest
        offset = request.offset_bytes
        if offset < 0:
            raise invalid("offset_bytes", f"must be at least 0, not {offset:,}")
        if expected not in (-1, offset):
            raise invalid("offset_bytes", f"must be {expected:,}, where the message before ended, not {offset:,}")
        expected = offset + len(request.data)
        if expected > blob_bytes_max:
            raise invalid("data", f"must end at {blob_bytes_max:,} bytes at most, not {expected:,}", Reason.TOO_LARGE)
        yield UploadChunk(sha256, offset, request.data, request.finish)
        if request.finish:
            return
