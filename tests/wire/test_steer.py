"""CancelJobs, RetryJobs, DeleteJobs, blobs, queues and the server's own answers, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from ingest.v1 import blob_service_pb2 as blobs
from ingest.v1 import job_pb2
from ingest.v1 import job_service_pb2 as pb
from ingest.v1 import queue_service_pb2 as queues
from ingest.v1 import server_service_pb2 as servers
from ingest_server.domain.errors import Code, Conflict, Denied, NotFound, Reason
from ingest_server.domain.job import JobState
from ingest_server.jobs.blobs import BlobStat, UploadChunk
from ingest_server.jobs.retry import RetryItem
from ingest_server.store.records import ActionAnswer
from ingest_server.wire.uuid_text import format_uuid, parse_uuid
from tests.wire.conftest import JOB, Running, refusal, take_apart

ONE, TWO, THREE, FOUR = (number.to_bytes(16, "big") for number in range(1, 5))
DIGEST = "ab" * 32


def reasons(results: list[pb.JobActionResult]) -> list[str]:
    return [take_apart(result.status).reason if result.HasField("status") else "" for result in results]


async def test_cancel_tells_what_became_of_each(running: Running) -> None:
    answers = [
        ActionAnswer(ONE, JobState.CANCELLED, True),
        ActionAnswer(TWO, JobState.CANCELLING, False),
        ActionAnswer(THREE, JobState.SUCCEEDED, False),
        ActionAnswer(FOUR, None, False),
    ]
    running.fake.answers["cancel"] = (answers, 3)
    response = await running.CancelJobs(pb.CancelJobsRequest(batch_id=JOB, reason="late"))
    assert reasons(response.results) == ["", "", "JOB_ALREADY_TERMINAL", "JOB_NOT_FOUND"]
    assert [result.state for result in response.results] == [7, 4, 5, 0]
    third = take_apart(response.results[2].status)
    assert third.metadata["state"] == "SUCCEEDED"
    assert "PreconditionFailure" in third.kinds
    assert (running.fake.last["reason"], running.fake.last["batch_id"]) == ("late", parse_uuid(JOB))
    await running.CancelJobs(pb.CancelJobsRequest(batch_id=JOB, page_token=response.next_page_token))
    assert running.fake.last["page"] == 3
    error = await refusal(running.DeleteJobs(pb.DeleteJobsRequest(batch_id=JOB, page_token=response.next_page_token)))
    assert error.reason == "PAGE_TOKEN_INVALID"


async def test_delete_tells_what_became_of_each(running: Running) -> None:
    answers = [ActionAnswer(ONE, None, True), ActionAnswer(TWO, None, False), ActionAnswer(THREE, JobState.RUNNING, False)]
    running.fake.answers["delete"] = (answers, 0)
    ids = [format_uuid(number) for number in (ONE, TWO, THREE)]
    response = await running.DeleteJobs(pb.DeleteJobsRequest(job_ids=ids))
    assert reasons(response.results) == ["", "JOB_NOT_FOUND", "JOB_NOT_TERMINAL"]
    assert [result.job_id for result in response.results] == ids
    assert response.next_page_token == ""
    assert running.fake.last["job_ids"] == [ONE, TWO, THREE]


async def test_retry_names_the_new_jobs(running: Running) -> None:
    refused = Conflict("it succeeded", reason=Reason.JOB_NOT_RETRYABLE)
    items = [RetryItem(ONE, JobState.FAILED, FOUR, None), RetryItem(TWO, JobState.SUCCEEDED, b"", refused)]
    running.fake.answers["retry"] = (items, THREE, 0)
    request = pb.RetryJobsRequest(job_ids=[format_uuid(ONE), format_uuid(TWO)], request_id=JOB)
    response = await running.RetryJobs(request)
    assert response.batch_id == format_uuid(THREE)
    assert [result.new_job_id for result in response.results] == [format_uuid(FOUR), ""]
    assert reasons(response.results) == ["", "JOB_NOT_RETRYABLE"]
    digest = running.fake.last["request_digest"]
    assert running.fake.last["request_id"] == parse_uuid(JOB)
    await running.RetryJobs(request)
    assert running.fake.last["request_digest"] == digest
    await running.RetryJobs(pb.RetryJobsRequest(job_ids=[format_uuid(ONE)], request_id=JOB))
    assert running.fake.last["request_digest"] != digest


async def test_missing_blobs_are_those_asked_for(running: Running) -> None:
    running.fake.answers["find_missing"] = [False, True]
    refs = [job_pb2.BlobRef(sha256=DIGEST), job_pb2.BlobRef(sha256="cd" * 32, size_bytes=5)]
    response = await running.FindMissingBlobs(blobs.FindMissingBlobsRequest(blobs=refs))
    assert list(response.missing_blobs) == [refs[1]]


async def test_an_upload_arrives_in_pieces(running: Running) -> None:
    async def requests() -> AsyncIterator[blobs.UploadBlobRequest]:
        yield blobs.UploadBlobRequest(sha256=DIGEST, offset_bytes=7, data=b"abc")
        yield blobs.UploadBlobRequest(offset_bytes=10, data=b"de", finish=True)

    response = await running.UploadBlob(requests())
    digest = bytes.fromhex(DIGEST)
    assert running.fake.uploaded == [UploadChunk(digest, 7, b"abc", False), UploadChunk(digest, 10, b"de", True)]
    assert (response.blob.sha256, response.blob.size_bytes, response.created) == (DIGEST, 5, True)


async def test_an_upload_may_be_answered_before_it_is_read(running: Running) -> None:
    running.fake.answers["upload_known"] = (bytes.fromhex(DIGEST), 9, False)

    async def requests() -> AsyncIterator[blobs.UploadBlobRequest]:
        yield blobs.UploadBlobRequest(sha256=DIGEST, data=b"abc", finish=True)

    response = await running.UploadBlob(requests())
    assert (response.blob.size_bytes, response.created) == (9, False)


async def test_a_broken_upload_tells_where_it_stands(running: Running) -> None:
    running.fake.answers["upload"] = Conflict(
        "wrong place", reason=Reason.BLOB_OFFSET_MISMATCH, code=Code.OUT_OF_RANGE, metadata={"committed_bytes": "3"}
    )

    async def requests() -> AsyncIterator[blobs.UploadBlobRequest]:
        yield blobs.UploadBlobRequest(sha256=DIGEST, finish=True)

    error = await refusal(running.UploadBlob(requests()))
    assert (error.code, error.reason, error.metadata) == (
        grpc.StatusCode.OUT_OF_RANGE,
        "BLOB_OFFSET_MISMATCH",
        {"committed_bytes": "3"},
    )


async def test_a_download_comes_in_pieces(running: Running) -> None:
    running.fake.pieces = [(0, b"abc"), (300, b""), (303, b"x" * 1_000_000)]
    call = running.DownloadBlob(blobs.DownloadBlobRequest(sha256=DIGEST, offset_bytes=1, limit_bytes=2))
    pieces = [(piece.offset_bytes, piece.data, piece.size_bytes) async for piece in call]
    assert pieces == [(0, b"abc", 1_000_003), (300, b"", 0), (303, b"x" * 1_000_000, 0)]
    assert running.fake.last == {"sha256": bytes.fromhex(DIGEST), "offset": 1, "limit": 2}


async def test_a_download_of_nothing_tells_the_size(running: Running) -> None:
    running.fake.pieces = []
    call = running.DownloadBlob(blobs.DownloadBlobRequest(sha256=DIGEST, offset_bytes=5))
    assert [(piece.offset_bytes, piece.data) async for piece in call] == [(5, b"")]


async def test_a_blob_tells_its_state(running: Running) -> None:
    running.fake.answers["stat"] = BlobStat(bytes.fromhex(DIGEST), 500, 100, False, 3_000_000)
    blob = (await running.GetBlob(blobs.GetBlobRequest(sha256=DIGEST))).blob
    assert (blob.ref.sha256, blob.ref.size_bytes, blob.committed_bytes, blob.complete) == (DIGEST, 0, 100, False)
    assert blob.create_time.seconds == 3
    running.fake.answers["stat"] = NotFound("none", reason=Reason.BLOB_NOT_FOUND, metadata={"sha256": DIGEST})
    error = await refusal(running.GetBlob(blobs.GetBlobRequest(sha256=DIGEST)))
    assert error.reason == "BLOB_NOT_FOUND"


@pytest.mark.parametrize(
    ("fields", "mask", "changed"),
    [
        ({"weight": 3}, [], (3, None, None)),
        ({}, [], (None, None, None)),
        ({}, ["weight", "running_max"], (1, 0, None)),
        ({"weight": 9, "start_rate_per_second": 0.5}, ["start_rate_per_second"], (None, None, 0.5)),
    ],
)
async def test_an_update_changes_what_its_mask_says(
    running: Running, fields: dict[str, Any], mask: list[str], changed: tuple[float | None, ...]
) -> None:
    request = queues.UpdateQueueRequest(queue=queues.Queue(name="q", **fields), allow_missing=True)
    request.update_mask.paths.extend(mask)
    await running.UpdateQueue(request)
    change = running.fake.last["change"]
    assert (change.weight, change.running_max, change.start_rate_per_second) == changed
    assert (change.name, change.allow_missing) == ("q", True)


async def test_queues_tell_settings_and_counts(running: Running) -> None:
    (queue,) = (await running.ListQueues(queues.ListQueuesRequest())).queues
    assert (queue.name, queue.weight, queue.queued_count, queue.scheduled_count, queue.running_count) == ("default", 1, 1, 2, 3)
    for rpc, request in (
        ("GetQueue", queues.GetQueueRequest(name="q")),
        ("PauseQueue", queues.PauseQueueRequest(name="q")),
        ("ResumeQueue", queues.ResumeQueueRequest(name="q")),
    ):
        assert (await getattr(running, rpc)(request)).queue == queue
        assert running.fake.last == {"name": "q"}
    assert (await running.PurgeQueue(queues.PurgeQueueRequest(name="q"))).cancelled_count == 4
    running.fake.answers["pause_queue"] = Denied("no", reason=Reason.PERMISSION_DENIED, code=Code.PERMISSION_DENIED)
    error = await refusal(running.PauseQueue(queues.PauseQueueRequest(name="q")))
    assert error.code is grpc.StatusCode.PERMISSION_DENIED


async def test_the_server_tells_of_itself(running: Running) -> None:
    info = await running.GetServerInfo(servers.GetServerInfoRequest())
    assert (info.version, info.tenant, list(info.tasks)) == ("1.2.3", "default", ["extract"])
    assert (info.limits.message_bytes_max, info.limits.wait_max.seconds, info.limits.priority_ageing.nanos) == (1, 8, 500_000_000)
    assert info.handlers[0].options_schema["type"] == "object"
    assert (info.engines[0].name, info.engines[0].workers) == ("local", 2)
    stats = await running.GetStats(servers.GetStatsRequest())
    assert (stats.queued_count, stats.running_count, stats.uptime.seconds) == (1, 3, 60)
    assert stats.wait_latency.p50.nanos == 1_000_000
    assert stats.workers[0].start_time.seconds == 5
    assert stats.store["size_bytes"] == 4096.0
    assert dict(stats.ended_counts) == {"SUCCEEDED": 7}
