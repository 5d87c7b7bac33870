"""Blobs: sent in pieces, broken off and gone on with, checked, read in ranges."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc.aio
import pytest

from ingest.v1 import blob_service_pb2, blob_service_pb2_grpc, job_pb2
from ingest_client import Blob, Client, Input, JobSpec, echo
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import ServerProcess

PIECE = 64 * 1024
DATA = random.Random(7).randbytes(5 * PIECE + 17)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
async def blobs(server: ServerProcess) -> AsyncIterator[blob_service_pb2_grpc.BlobServiceStub]:
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield blob_service_pb2_grpc.BlobServiceStub(channel)


def pieces(sha256: str, data: bytes, first: int, last: int, *, finish: bool) -> Iterator[blob_service_pb2.UploadBlobRequest]:
    """Pieces first … last - 1 of `data`."""
    for number in range(first, last):
        offset = number * PIECE
        part = data[offset : offset + PIECE]
        yield blob_service_pb2.UploadBlobRequest(
            sha256=sha256, offset_bytes=offset, data=part, finish=finish and number == last - 1
        )


async def committed(blobs: blob_service_pb2_grpc.BlobServiceStub, sha256: str) -> tuple[int, bool]:
    blob = (await blobs.GetBlob(blob_service_pb2.GetBlobRequest(sha256=sha256))).blob
    return blob.committed_bytes, blob.complete


async def read(blobs: blob_service_pb2_grpc.BlobServiceStub, sha256: str, **span: int) -> bytes:
    request = blob_service_pb2.DownloadBlobRequest(sha256=sha256, **span)
    return b"".join([piece.data async for piece in blobs.DownloadBlob(request)])


async def test_broken_and_resumed(blobs: blob_service_pb2_grpc.BlobServiceStub) -> None:
    call = blobs.UploadBlob()
    for piece in pieces(SHA256, DATA, 0, 3, finish=False):
        await call.write(piece)
    while True:
        try:
            size, complete = await committed(blobs, SHA256)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            continue  # the first piece is still on its way
        if size == 3 * PIECE:
            break
    assert not complete
    call.cancel()
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await blobs.UploadBlob(pieces(SHA256, DATA, 2, 6, finish=True))
    assert wrong.value.code() in (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.FAILED_PRECONDITION)
    while True:
        try:
            answer = await blobs.UploadBlob(pieces(SHA256, DATA, 3, 6, finish=True))
            break
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:  # that: the server has yet to notice the break
                raise
    assert (answer.created, answer.blob.size_bytes) == (True, len(DATA))
    assert await read(blobs, SHA256) == DATA
    assert await read(blobs, SHA256, offset_bytes=100, limit_bytes=PIECE + 1) == DATA[100 : 101 + PIECE]
    with pytest.raises(grpc.aio.AioRpcError) as beyond:
        await read(blobs, SHA256, offset_bytes=len(DATA) + 1)
    assert beyond.value.code() is grpc.StatusCode.OUT_OF_RANGE
    again = await blobs.UploadBlob(pieces(SHA256, DATA, 0, 6, finish=True))
    assert again.created is False


async def test_wrong_digest_is_discarded(blobs: blob_service_pb2_grpc.BlobServiceStub) -> None:
    wrong = "00" * 32
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await blobs.UploadBlob(pieces(wrong, DATA, 0, 6, finish=True))
    assert refused.value.code() is grpc.StatusCode.DATA_LOSS
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await committed(blobs, wrong)
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    request = blob_service_pb2.FindMissingBlobsRequest(blobs=[job_pb2.BlobRef(sha256=wrong)])
    assert [each.sha256 for each in (await blobs.FindMissingBlobs(request)).missing_blobs] == [wrong]


async def test_large_document_comes_back_equal(client: Client, tmp_path: Path) -> None:
    document = tmp_path / "large.bin"
    document.write_bytes(random.Random(3).randbytes(20 << 20))
    result = await client.run(JobSpec(Input.file(document), echo()))
    saved = await result.save(tmp_path / "back.bin")
    assert saved.read_bytes() == document.read_bytes()


async def test_job_of_a_blob_nobody_sent(client: Client) -> None:
    batch = await client.submit([JobSpec(Input(blob=Blob("11" * 32)), echo()), JobSpec(b"x", echo())])
    ((index, error),) = batch.refused
    assert (index, error.reason_name) == (0, "BLOB_NOT_FOUND")


async def test_upload_survives_a_kill(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    async with Client(server.address) as client:
        result = await client.run(JobSpec(DATA * 2, echo()))
    server.kill()
    server.start()
    async with Client(server.address) as client:
        assert await (await client.result(result.job_id)).read() == DATA * 2
