"""Bad messages rather than bad fields: uploads that go wrong midway, bytes that are no message, messages too large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from ingest.v1 import blob_service_pb2 as blobs
from ingest.v1 import job_service_pb2 as jobs
from tests.wire.conftest import Running, refusal

DIGEST = "ab" * 32

UPLOADS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([{"sha256": ""}], "sha256", "not ''"),
    ([{"sha256": DIGEST, "offset_bytes": -1}], "offset_bytes", "must be at least 0, not -1"),
    ([{"sha256": DIGEST, "data": b"abc"}, {"offset_bytes": 2, "finish": True}], "offset_bytes", "must be 3, where the message"),
    ([{"sha256": DIGEST, "data": b"a"}, {"sha256": "cd" * 32, "offset_bytes": 1}], "sha256", "must stay the same"),
    ([{"sha256": DIGEST, "offset_bytes": 1 << 33, "data": b"a"}], "data", "must end at 8,589,934,592 bytes at most"),
]


@pytest.mark.parametrize(("pieces", "path", "told"), UPLOADS)
async def test_a_bad_upload_is_refused_where_it_goes_wrong(
    running: Running, pieces: list[dict[str, Any]], path: str, told: str
) -> None:
    async def requests() -> AsyncIterator[blobs.UploadBlobRequest]:
        for piece in pieces:
            yield blobs.UploadBlobRequest(**piece)

    error = await refusal(running.UploadBlob(requests()))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert told in error.fields[path]


async def test_rubbish_is_an_invalid_argument(running: Running) -> None:
    for rpc in ("JobService/SubmitJobs", "JobService/GetJob", "QueueService/ListQueues"):
        error = await refusal(running.channel.unary_unary(f"/ingest.v1.{rpc}", None, None)(b"\xff\xff\xff"))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert "is not a valid " in error.message


async def test_a_message_above_the_limit_is_told_the_limit(running: Running) -> None:
    running.limit(message_bytes_max=1_000)
    error = await refusal(running.GetJob(jobs.GetJobRequest(job_id="x" * 2_000)))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOO_LARGE")
    assert error.metadata == {"limit_bytes": "1000", "size_bytes": "2003"}


async def test_a_message_far_above_the_limit_is_refused_by_the_transport(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.GetJob(jobs.GetJobRequest(job_id="x" * 33 * 1024 * 1024))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_an_unknown_method_is_unimplemented(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.channel.unary_unary("/ingest.v1.JobService/Nothing", None, None)(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
