"""Bad input to every RPC: INVALID_ARGUMENT with the path of the field, the limit and the value, before any use case is asked."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from ingest.v1 import blob_service_pb2 as blobs
from ingest.v1 import job_pb2
from ingest.v1 import job_service_pb2 as jobs
from ingest.v1 import queue_service_pb2 as queues
from tests.wire.conftest import JOB, Running, refusal, take_apart

DAY = 86_400
DIGEST = "ab" * 32


def custom(handler: str = "echo", **options: Any) -> job_pb2.Task:
    task = job_pb2.Task(custom=job_pb2.CustomTask(handler=handler))
    task.custom.options.update(options)
    return task


def extract(**fields: Any) -> job_pb2.Task:
    return job_pb2.Task(extract=job_pb2.ExtractTask(**fields))


def seconds(value: float) -> Duration:
    return Duration(seconds=int(value), nanos=round((value - int(value)) * 1e9))


def retry(**fields: Any) -> dict[str, Any]:
    return {"retry_policy": job_pb2.RetryPolicy(**fields)}


def payload(**fields: Any) -> dict[str, Any]:
    return {"input": job_pb2.Payload(**fields)}


SPECS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"job_id": "42"},
        "job_id",
        "36-character form, such as 0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f, not '42'",
    ),
    ({"job_id": JOB[:-1] + "g"}, "job_id", "not '0190b6f0-7c3e-7cc3-98c4-dc0c0c07398g'"),
    ({"job_id": "{" + JOB[1:]}, "job_id", "36-character form"),
    ({"job_id": JOB.replace("-", " ")}, "job_id", "36-character form"),
    ({"conflict_policy": 9}, "conflict_policy", "must be a ConflictPolicy, not 9"),
    ({"queue": "Big Queue"}, "queue", "must match [a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?, not 'Big Queue'"),
    ({"queue": "a" * 64}, "queue", "not 'aaaa"),
    ({"queue": "a\n"}, "queue", "not 'a\\n'"),
    ({"tasks": []}, "tasks", "must have 1 … 16 entries, not 0"),
    ({"tasks": [custom()] * 17}, "tasks", "must have 1 … 16 entries, not 17"),
    ({"tasks": [job_pb2.Task()]}, "tasks[0]", "must name a task"),
    ({"tasks": [custom(), custom("")]}, "tasks[1].custom.handler", "must name a handler, not ''"),
    ({"tasks": [custom("strict", x=1)]}, "tasks[0].custom.options", "x: not allowed"),
    ({"tasks": [custom("echo", x=float("nan"))]}, "tasks[0].custom.options", "must hold finite numbers only, not nan"),
    ({"tasks": [extract(first_page=-2)]}, "tasks[0].extract.first_page", "must be at least 0, not -2"),
    ({"tasks": [extract(first_page=5, last_page=4)]}, "tasks[0].extract.last_page", "must not lie before first_page (5), not 4"),
    ({"tasks": [extract(ocr=3)]}, "tasks[0].extract.ocr", "must be one of 0 (UNSPECIFIED), 1 (AUTO), 2 (OFF), not 3"),
    ({"tasks": [extract(content=3)]}, "tasks[0].extract.content", "must be one of 0 (UNSPECIFIED), 1 (MAIN), 2 (FULL), not 3"),
    ({"tasks": [extract(ocr_languages=["../x"])]}, "tasks[0].extract.ocr_languages", "must be names such as 'eng'"),
    ({"tasks": [extract(ocr_languages=["eng"] * 9)]}, "tasks[0].extract.ocr_languages", "must have at most 8 languages, not 9"),
    ({"tasks": [extract(page_images_dpi=35)]}, "tasks[0].extract.page_images_dpi", "or 36 … 600, not 35"),
    ({"tasks": [extract(page_images_dpi=-1)]}, "tasks[0].extract.page_images_dpi", "or 36 … 600, not -1"),
    ({"tasks": [extract(tables=3)]}, "tasks[0].extract.tables", "must be one of 0 (UNSPECIFIED), 1 (ON), 2 (OFF), not 3"),
    ({"labels": {"UP": "x"}}, "labels", "key must match [a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?, not 'UP'"),
    ({"labels": {str(index): "x" for index in range(33)}}, "labels", "must have at most 32 labels, not 33"),
    ({"labels": {"a": "ä" * 128}}, "labels['a']", "must have at most 255 bytes, not 256"),
    ({"priority": 10}, "priority", "must be 0 … 9, not 10"),
    ({"priority": -1}, "priority", "must be 0 … 9, not -1"),
    ({"fairness_key": "x" * 256}, "fairness_key", "must have at most 255 bytes, not 256"),
    ({"concurrency_key": "x" * 256}, "concurrency_key", "must have at most 255 bytes, not 256"),
    ({"dedupe_key": "x" * 256, "dedupe_window": seconds(1)}, "dedupe_key", "must have at most 255 bytes, not 256"),
    ({"dedupe_key": "x"}, "dedupe_window", "must be set where dedupe_key is"),
    ({"dedupe_window": seconds(31 * DAY)}, "dedupe_window", "must be 1 ms … 30 days, not 31 day"),
    ({"start_time": Timestamp(seconds=4_000_000_000)}, "start_time", "must be at most 366 days ahead, not "),
    ({"start_time": Timestamp(seconds=1, nanos=-1)}, "start_time", "must have nanos of 0 … 999,999,999, not -1"),
    ({"start_time": Timestamp(seconds=1 << 60)}, "start_time", "must lie in the years 1 … 9999"),
    ({"start_delay": seconds(-5)}, "start_delay", "must be 0 s … 366 days, not -5 s"),
    ({"start_delay": Duration(nanos=-1)}, "start_delay", "not -1 us"),
    ({"start_delay": Duration(seconds=1, nanos=-1)}, "start_delay", "with the sign of the seconds, not -1"),
    ({"start_delay": Duration(seconds=1 << 60)}, "start_delay", "must be within 10,000 years"),
    ({"attempt_timeout": seconds(8 * DAY)}, "attempt_timeout", "must be 1 ms … 7 days, not 8 days"),
    ({"attempt_timeout": seconds(0)}, "attempt_timeout", "must be 1 ms … 7 days, not 0 s"),
    ({"total_timeout": seconds(-1)}, "total_timeout", "must be 1 ms … 366 days, not -1 s"),
    ({"result_ttl": seconds(0.5)}, "result_ttl", "must be 1 s … 366 days, not 500 ms"),
    (retry(max_attempts=1_001), "retry_policy.max_attempts", "must be 1 … 1,000, not 1,001"),
    (retry(max_attempts=-1), "retry_policy.max_attempts", "must be 1 … 1,000, not -1"),
    (retry(max_crashes=101), "retry_policy.max_crashes", "must be 1 … 100, not 101"),
    (retry(backoff_multiplier=0.5), "retry_policy.backoff_multiplier", "must be 1 … 100, not 0.5"),
    (retry(backoff_multiplier=float("nan")), "retry_policy.backoff_multiplier", "must be 1 … 100, not nan"),
    (retry(initial_backoff=seconds(-1)), "retry_policy.initial_backoff", "must be 0 s … 1 day, not -1 s"),
    (retry(max_backoff=seconds(2 * DAY)), "retry_policy.max_backoff", "must be 0 s … 1 day, not 2 days"),
    (retry(non_retryable_reasons=["X"] * 65), "retry_policy.non_retryable_reasons", "must have at most 64 entries, not 65"),
    (payload(media_type="pdf"), "input.media_type", "must be a media type such as application/pdf (RFC 6838), not 'pdf'"),
    (payload(media_type="a/" + "b" * 254), "input.media_type", "must have at most 255 bytes, not 256"),
    (payload(name="x" * 1_025), "input.name", "must have at most 1,024 bytes, not 1,025"),
    (payload(metadata={str(index): "" for index in range(65)}), "input.metadata", "must have at most 64 pairs, not 65"),
    (payload(metadata={"a": "x" * 16_384}), "input.metadata", "must have at most 16,384 bytes in all, not 16,385"),
    (payload(blob=job_pb2.BlobRef(sha256="AB" * 32)), "input.blob.sha256", "64 lower-case hexadecimal digits, not 'ABAB"),
    (payload(blob=job_pb2.BlobRef()), "input.blob.sha256", "64 lower-case hexadecimal digits, not ''"),
    (payload(blob=job_pb2.BlobRef(sha256=DIGEST, size_bytes=-1)), "input.blob.size_bytes", "must be at least 0, not -1"),
    (
        payload(blob=job_pb2.BlobRef(sha256=DIGEST, size_bytes=1 << 40)),
        "input.blob.size_bytes",
        "most 8,589,934,592, not 1,099",
    ),
]


@pytest.mark.parametrize(("fields", "path", "told"), SPECS, ids=[f"{path}-{index}" for index, (_, path, _) in enumerate(SPECS)])
async def test_a_bad_spec_names_field_limit_and_value(running: Running, fields: dict[str, Any], path: str, told: str) -> None:
    spec = job_pb2.JobSpec(**{"tasks": [custom()], **fields})
    good = job_pb2.JobSpec(tasks=[custom()])
    response = await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[good, spec]))
    refused = take_apart(response.results[1].status)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert told in refused.fields[f"jobs[1].{path}"]
    assert response.results[0].created
    assert len(running.fake.last["command"].jobs) == 1


@pytest.mark.parametrize(
    ("fields", "path", "feature"),
    [
        (payload(uri="https://example.test/a.pdf"), "input.uri", "input by URI of the scheme 'https'"),
        ({"tasks": [job_pb2.Task(store=job_pb2.StoreTask())]}, "tasks[0].store", "task 'store'"),
        ({"callbacks": [job_pb2.Callback(url="https://example.test")]}, "callbacks", "callbacks"),
    ],
)
async def test_what_is_not_offered_is_refused_as_such(running: Running, fields: dict[str, Any], path: str, feature: str) -> None:
    spec = job_pb2.JobSpec(**{"tasks": [custom()], **fields})
    refused = take_apart((await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec]))).results[0].status)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED")
    assert refused.metadata == {"feature": feature}
    assert f"jobs[0].{path}" in refused.fields


async def test_an_unknown_handler_is_named(running: Running) -> None:
    spec = job_pb2.JobSpec(tasks=[custom("nobody")])
    refused = take_apart((await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec]))).results[0].status)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_HANDLER")
    assert refused.metadata == {"handler": "nobody"}
    assert "'nobody' is loaded" in refused.fields["jobs[0].tasks[0].custom.handler"]


async def test_all_faults_of_an_item_are_told_together(running: Running) -> None:
    spec = job_pb2.JobSpec(job_id="x", priority=99, queue="NO", tasks=[custom("nobody")])
    refused = take_apart((await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec]))).results[0].status)
    assert set(refused.fields) == {"jobs[0].job_id", "jobs[0].priority", "jobs[0].queue", "jobs[0].tasks[0].custom.handler"}
    assert refused.reason == "INVALID_FIELD"


async def test_a_spec_that_is_not_utf8_is_refused_alone(running: Running) -> None:
    good = job_pb2.JobSpec(tasks=[custom()]).SerializeToString()
    bad = b"\x1a\x02\xff\xfe" + good  # queue
    request = b"".join(b"\x1a" + bytes((len(spec),)) + spec for spec in (good, bad))
    call = running.channel.unary_unary("/ingest.v1.JobService/SubmitJobs", None, None)
    response = jobs.SubmitJobsResponse.FromString(await call(request))
    assert response.results[0].created
    assert "not a valid JobSpec" in take_apart(response.results[1].status).message


FIELD, PAGE, MANY = "INVALID_FIELD", "PAGE_TOKEN_INVALID", "TOO_MANY_ITEMS"


def number(value: int) -> Any:
    """A number where only the names of an enum would pass a type checker."""
    return value


CALLS: list[tuple[str, Any, str, str, str]] = [
    ("SubmitJobs", jobs.SubmitJobsRequest(), "jobs", "must have 1 … 1,000 entries, not 0", FIELD),
    (
        "SubmitJobs",
        jobs.SubmitJobsRequest(jobs=[job_pb2.JobSpec()] * 1_001),
        "jobs",
        "must have 1 … 1,000 entries, not 1,001",
        MANY,
    ),
    ("SubmitJobs", jobs.SubmitJobsRequest(request_id="1", jobs=[job_pb2.JobSpec()]), "request_id", "not '1'", FIELD),
    ("SubmitJobs", jobs.SubmitJobsRequest(batch_id="1", jobs=[job_pb2.JobSpec()]), "batch_id", "not '1'", FIELD),
    ("RunJob", jobs.RunJobRequest(), "job", "must be set", FIELD),
    ("RunJob", jobs.RunJobRequest(job=job_pb2.JobSpec()), "job.tasks", "must have 1 … 16 entries, not 0", FIELD),
    ("RunJob", jobs.RunJobRequest(wait_timeout=seconds(-1)), "wait_timeout", "must be 0 s … 1 h, not -1 s", FIELD),
    ("RunJob", jobs.RunJobRequest(wait_timeout=seconds(3_601)), "wait_timeout", "must be 0 s … 1 h, not 3601 s", FIELD),
    ("GetJob", jobs.GetJobRequest(), "job_id", "36-character form", FIELD),
    ("GetJob", jobs.GetJobRequest(job_id=JOB, view=number(7)), "view", "must be a JobView, not 7", FIELD),
    ("ListJobs", jobs.ListJobsRequest(page_size=-1), "page_size", "must be 0 … 1,000, not -1", FIELD),
    ("ListJobs", jobs.ListJobsRequest(page_size=1_001), "page_size", "must be 0 … 1,000, not 1,001", FIELD),
    ("ListJobs", jobs.ListJobsRequest(page_token="?"), "page_token", "was not made by this RPC", PAGE),
    ("ListJobs", jobs.ListJobsRequest(filter=jobs.JobFilter(batch_id="x")), "filter.batch_id", "not 'x'", FIELD),
    ("ListJobs", jobs.ListJobsRequest(filter=jobs.JobFilter(queues=["?"])), "filter.queues[0]", "not '?'", FIELD),
    (
        "ListJobs",
        jobs.ListJobsRequest(filter=jobs.JobFilter(states=[number(99)])),
        "filter.states[0]",
        "must be a JobState, not 99",
        FIELD,
    ),
    (
        "ListJobs",
        jobs.ListJobsRequest(
            filter=jobs.JobFilter(create_time_from=Timestamp(seconds=9), create_time_before=Timestamp(seconds=9))
        ),
        "filter.create_time_before",
        "must lie after create_time_from",
        FIELD,
    ),
    ("CountJobs", jobs.CountJobsRequest(group_by=[number(3)]), "label_key", "key must match", FIELD),
    ("CountJobs", jobs.CountJobsRequest(group_by=[number(1)] * 4), "group_by", "at most 3 entries, not 4", FIELD),
    ("CountJobs", jobs.CountJobsRequest(group_by=[number(8)]), "group_by[0]", "must be a GroupBy, not 8", FIELD),
    ("FetchResults", jobs.FetchResultsRequest(), "job_ids", "must not be empty where batch_id is", FIELD),
    ("FetchResults", jobs.FetchResultsRequest(job_ids=[JOB], batch_id=JOB), "batch_id", "not be set together", FIELD),
    (
        "FetchResults",
        jobs.FetchResultsRequest(job_ids=[JOB] * 1_001),
        "job_ids",
        "must have at most 1,000 entries, not 1,001",
        MANY,
    ),
    ("FetchResults", jobs.FetchResultsRequest(batch_id="y"), "batch_id", "not 'y'", FIELD),
    ("FetchResults", jobs.FetchResultsRequest(batch_id=JOB, page_size=-1), "page_size", "0 … 1,000, not -1", FIELD),
    (
        "FetchResults",
        jobs.FetchResultsRequest(batch_id=JOB, wait_timeout=seconds(-1)),
        "wait_timeout",
        "not -1 s",
        FIELD,
    ),
    ("FetchResults", jobs.FetchResultsRequest(batch_id=JOB, wait_for=number(5)), "wait_for", "must be a WaitFor, not 5", FIELD),
    (
        "FetchResults",
        jobs.FetchResultsRequest(batch_id=JOB, page_token="A" * 300),
        "page_token",
        "not made",
        PAGE,
    ),
    (
        "WatchJobs",
        jobs.WatchJobsRequest(job_ids=[JOB], batch_id=JOB),
        "batch_id",
        "not be set together with job_ids",
        FIELD,
    ),
    (
        "WatchJobs",
        jobs.WatchJobsRequest(batch_id=JOB, filter=jobs.JobFilter()),
        "filter",
        "not be set together with batch_id",
        FIELD,
    ),
    ("WatchJobs", jobs.WatchJobsRequest(job_ids=["a", JOB]), "job_ids[0]", "not 'a'", FIELD),
    (
        "WatchJobs",
        jobs.WatchJobsRequest(filter=jobs.JobFilter(states=[number(1)])),
        "filter.states",
        "must be empty in a watch",
        FIELD,
    ),
    ("WatchJobs", jobs.WatchJobsRequest(resume_token="bad"), "resume_token", "was not made", "RESUME_TOKEN_INVALID"),
    (
        "WatchJobs",
        jobs.WatchJobsRequest(heartbeat_interval=seconds(0.05)),
        "heartbeat_interval",
        "must be 100 ms … 60 s, not 50 ms",
        FIELD,
    ),
    ("WatchJobs", jobs.WatchJobsRequest(heartbeat_interval=seconds(61)), "heartbeat_interval", "not 61 s", FIELD),
    ("CancelJobs", jobs.CancelJobsRequest(), "job_ids", "must not be empty where batch_id is", FIELD),
    ("CancelJobs", jobs.CancelJobsRequest(job_ids=[JOB, "b"]), "job_ids[1]", "not 'b'", FIELD),
    (
        "CancelJobs",
        jobs.CancelJobsRequest(batch_id=JOB, reason="x" * 1_025),
        "reason",
        "at most 1,024 bytes, not 1,025",
        FIELD,
    ),
    ("CancelJobs", jobs.CancelJobsRequest(batch_id=JOB, page_token="x"), "page_token", "not made", PAGE),
    ("RetryJobs", jobs.RetryJobsRequest(batch_id=JOB, request_id="z"), "request_id", "not 'z'", FIELD),
    ("RetryJobs", jobs.RetryJobsRequest(job_ids=[JOB], batch_id=JOB), "batch_id", "not be set together", FIELD),
    ("DeleteJobs", jobs.DeleteJobsRequest(), "job_ids", "must not be empty", FIELD),
    (
        "DeleteJobs",
        jobs.DeleteJobsRequest(job_ids=[JOB] * 1_001),
        "job_ids",
        "at most 1,000 entries, not 1,001",
        MANY,
    ),
    ("FindMissingBlobs", blobs.FindMissingBlobsRequest(), "blobs", "must have at least 1 entry, not 0", FIELD),
    (
        "FindMissingBlobs",
        blobs.FindMissingBlobsRequest(blobs=[job_pb2.BlobRef(sha256=DIGEST), job_pb2.BlobRef(sha256="q")]),
        "blobs[1].sha256",
        "64 lower-case hexadecimal digits, not 'q'",
        FIELD,
    ),
    ("DownloadBlob", blobs.DownloadBlobRequest(sha256="q"), "sha256", "not 'q'", FIELD),
    (
        "DownloadBlob",
        blobs.DownloadBlobRequest(sha256=DIGEST, offset_bytes=-1),
        "offset_bytes",
        "at least 0, not -1",
        FIELD,
    ),
    (
        "DownloadBlob",
        blobs.DownloadBlobRequest(sha256=DIGEST, limit_bytes=-9),
        "limit_bytes",
        "at least 0, not -9",
        FIELD,
    ),
    ("GetBlob", blobs.GetBlobRequest(), "sha256", "not ''", FIELD),
    ("GetQueue", queues.GetQueueRequest(name="A"), "name", "not 'A'", FIELD),
    ("PauseQueue", queues.PauseQueueRequest(), "name", "not ''", FIELD),
    ("ResumeQueue", queues.ResumeQueueRequest(name="-"), "name", "not '-'", FIELD),
    ("PurgeQueue", queues.PurgeQueueRequest(name="a b"), "name", "not 'a b'", FIELD),
    ("UpdateQueue", queues.UpdateQueueRequest(), "queue.name", "not ''", FIELD),
    (
        "UpdateQueue",
        queues.UpdateQueueRequest(queue=queues.Queue(name="a", weight=1_001)),
        "queue.weight",
        "0 … 1,000",
        FIELD,
    ),
    (
        "UpdateQueue",
        queues.UpdateQueueRequest(queue=queues.Queue(name="a", running_max=-1)),
        "queue.running_max",
        "-1",
        FIELD,
    ),
    (
        "UpdateQueue",
        queues.UpdateQueueRequest(queue=queues.Queue(name="a", start_rate_per_second=float("inf"))),
        "queue.start_rate_per_second",
        "not inf",
        FIELD,
    ),
    (
        "UpdateQueue",
        queues.UpdateQueueRequest(queue=queues.Queue(name="a"), update_mask={"paths": ["paused"]}),
        "update_mask.paths[0]",
        "must be one of weight, running_max, start_rate_per_second, not 'paused'",
        FIELD,
    ),
]


@pytest.mark.parametrize(
    ("rpc", "request_message", "path", "told", "reason"),
    CALLS,
    ids=[f"{call[0]}-{call[2]}-{index}" for index, call in enumerate(CALLS)],
)
async def test_a_bad_call_names_field_limit_and_value(
    running: Running, rpc: str, request_message: Any, path: str, told: str, reason: str
) -> None:
    error = await refusal(getattr(running, rpc)(request_message))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert told in error.fields[path]
    assert running.fake.calls == []
