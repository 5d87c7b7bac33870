"""The generated stubs as a blocking client uses them: kinds of the RPCs, order of messages, deadlines, on a scripted channel."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc_testing
import pytest

from ingest.v1 import blob_service_pb2, blob_service_pb2_grpc, job_service_pb2, job_service_pb2_grpc
from ingest.v1.blob_service_pb2 import DESCRIPTOR as BLOBS
from ingest.v1.job_service_pb2 import DESCRIPTOR as JOBS

JOB_SERVICE = JOBS.services_by_name["JobService"]
BLOB_SERVICE = BLOBS.services_by_name["BlobService"]


@pytest.fixture
def channel() -> Any:
    """A channel without a server: the test answers."""
    return grpc_testing.channel([JOB_SERVICE, BLOB_SERVICE], grpc_testing.strict_real_time())


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Where the blocking client runs."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_submit_is_one_request_and_one_answer_within_its_deadline(channel: Any, pool: ThreadPoolExecutor) -> None:
    stub = job_service_pb2_grpc.JobServiceStub(channel)
    request = job_service_pb2.SubmitJobsRequest(request_id="0192d1a6-0000-7000-8000-000000000001")
    waiting = pool.submit(stub.SubmitJobs, request, timeout=5)
    _, seen, call = channel.take_unary_unary(JOB_SERVICE.methods_by_name["SubmitJobs"])
    assert seen == request
    call.send_initial_metadata(())
    call.terminate(job_service_pb2.SubmitJobsResponse(batch_id="b"), (), grpc.StatusCode.OK, "")
    assert waiting.result().batch_id == "b"


def test_a_watch_is_one_request_and_a_stream_in_order(channel: Any, pool: ThreadPoolExecutor) -> None:
    stub = job_service_pb2_grpc.JobServiceStub(channel)
    waiting = pool.submit(lambda: [message.resume_token for message in stub.WatchJobs(job_service_pb2.WatchJobsRequest())])
    _, _, call = channel.take_unary_stream(JOB_SERVICE.methods_by_name["WatchJobs"])
    call.send_initial_metadata(())
    for token in ("one", "two", "three"):
        call.send_response(job_service_pb2.WatchJobsResponse(resume_token=token))
    call.terminate((), grpc.StatusCode.OK, "")
    assert waiting.result() == ["one", "two", "three"]


def test_an_upload_is_a_stream_and_one_answer(channel: Any, pool: ThreadPoolExecutor) -> None:
    stub = blob_service_pb2_grpc.BlobServiceStub(channel)
    pieces = [
        blob_service_pb2.UploadBlobRequest(sha256="ab" * 32, data=b"first"),
        blob_service_pb2.UploadBlobRequest(offset_bytes=5, data=b"last", finish=True),
    ]
    waiting = pool.submit(stub.UploadBlob, iter(pieces))
    _, call = channel.take_stream_unary(BLOB_SERVICE.methods_by_name["UploadBlob"])
    call.send_initial_metadata(())
    assert [call.take_request() for _ in pieces] == pieces
    call.requests_closed()
    call.terminate(blob_service_pb2.UploadBlobResponse(created=True), (), grpc.StatusCode.OK, "")
    assert waiting.result().created
