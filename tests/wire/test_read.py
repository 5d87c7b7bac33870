"""GetJob, ListJobs, CountJobs and FetchResults on a real server."""

from __future__ import annotations

import grpc
import pytest

from ingest.v1 import job_pb2
from ingest.v1 import job_service_pb2 as pb
from ingest_server.domain.errors import Code, Failure, NotFound
from ingest_server.domain.job import JobState
from ingest_server.jobs.fetch import FetchPage
from ingest_server.store.history import AttemptRecord, encode
from ingest_server.store.records import JobPage, Verdict
from ingest_server.wire.uuid_text import format_uuid
from tests.fakes.use_cases import job_row
from tests.wire.conftest import JOB, Running, refusal, take_apart

FAILURE = Failure(Code.UNKNOWN, "HANDLER_ERROR", "boom").to_bytes()
IDS = [format_uuid(number.to_bytes(16, "big")) for number in range(1, 6)]


def output(size: int) -> bytes:
    return job_pb2.Payload(data=b"x" * size, media_type="text/plain").SerializeToString()


async def test_a_full_job_has_spec_attempts_and_output(running: Running) -> None:
    spec = job_pb2.JobSpec(queue="q", input=job_pb2.Payload(name="a.pdf"))
    spec.tasks.add().extract.password = "secret"
    history = encode(
        [
            AttemptRecord(1, Verdict.CRASHED_RETRY, 5, 6, "local/1", FAILURE),
            AttemptRecord(1, Verdict.SUCCEEDED, 7_000_000, 8_000_000, "local/2", b""),
        ]
    )
    running.fake.answers["get"] = job_row(
        spec=spec.SerializeToString(),
        payload=b"b" + b"\xab" * 32 + (99).to_bytes(8, "little"),
        history=history,
        output=output(3),
        labels=(("a", "b"),),
        retried_from=bytes(15) + b"\x09",
        progress=job_pb2.Progress(unit="page").SerializeToString(),
    )
    job = (await running.GetJob(pb.GetJobRequest(job_id=JOB, view=job_pb2.JOB_VIEW_FULL))).job
    assert running.fake.last["full"] is True
    assert (job.spec.queue, job.spec.input.name, job.spec.job_id) == ("q", "a.pdf", job.job_id)
    assert (job.spec.input.blob.sha256, job.spec.input.blob.size_bytes) == ("ab" * 32, 99)
    assert job.spec.tasks[0].extract.password == ""
    assert [(attempt.worker, attempt.outcome.code) for attempt in job.attempts] == [("local/1", 2), ("local/2", 0)]
    assert take_apart(job.attempts[0].outcome).reason == "HANDLER_ERROR"
    assert job.attempts[1].start_time.seconds == 7
    assert job.output.data == b"xxx"
    assert (dict(job.labels), job.retried_from[-1], job.progress.unit) == ({"a": "b"}, "9", "page")
    assert (job.create_time.seconds, job.start_time.seconds, job.end_time.seconds, job.expire_time.seconds) == (1, 2, 3, 4)


async def test_a_basic_job_has_none_of_them(running: Running) -> None:
    job = (await running.GetJob(pb.GetJobRequest(job_id=JOB))).job
    assert running.fake.last["full"] is False
    assert not job.HasField("spec")
    assert not job.HasField("error")
    assert not job.HasField("scheduled_time")


@pytest.mark.parametrize(
    ("state", "has_error"),
    [(JobState.FAILED, True), (JobState.SCHEDULED, True), (JobState.CANCELLING, False), (JobState.SUCCEEDED, False)],
)
async def test_a_job_tells_its_error_where_it_has_one(running: Running, state: JobState, has_error: bool) -> None:
    running.fake.answers["get"] = job_row(state=state, failure=FAILURE, due_us=9_000_000)
    job = (await running.GetJob(pb.GetJobRequest(job_id=JOB))).job
    assert job.HasField("error") is has_error
    assert job.HasField("scheduled_time") is (state is JobState.SCHEDULED)


async def test_not_found_names_the_job(running: Running) -> None:
    running.fake.answers["get"] = NotFound("no such job", metadata={"job_id": JOB})
    error = await refusal(running.GetJob(pb.GetJobRequest(job_id=JOB)))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
    assert "ResourceInfo" in error.kinds


async def test_a_list_pages_with_tokens_of_its_filter(running: Running) -> None:
    running.fake.answers["list"] = JobPage([job_row(1), job_row(2)], 17, 5)
    first = await running.ListJobs(pb.ListJobsRequest(page_size=2))
    assert [job.job_id for job in first.jobs] == IDS[:2]
    assert running.fake.last["page_size"] == 2
    assert first.watch_token
    second = await running.ListJobs(pb.ListJobsRequest(page_token=first.next_page_token))
    assert (running.fake.last["from_seq"], running.fake.last["page_size"]) == (17, 100)
    assert second.watch_token == ""
    request = pb.ListJobsRequest(page_token=first.next_page_token, filter=pb.JobFilter(queues=["other"]))
    error = await refusal(running.ListJobs(request))
    assert (error.reason, error.fields["page_token"]) == (
        "PAGE_TOKEN_INVALID",
        "was made for another request; begin again without it",
    )
    for token in (first.watch_token, "AAAA", "é"):
        error = await refusal(running.ListJobs(pb.ListJobsRequest(page_token=token)))
        assert error.reason == "PAGE_TOKEN_INVALID"


async def test_a_filter_reaches_the_use_case(running: Running) -> None:
    job_filter = pb.JobFilter(
        states=[job_pb2.JOB_STATE_FAILED],
        queues=["q"],
        labels={"b": "2", "a": "1"},
        batch_id=JOB,
        create_time_from={"seconds": 1},
        create_time_before={"seconds": 2, "nanos": 5_999},
    )
    await running.ListJobs(pb.ListJobsRequest(filter=job_filter))
    query = running.fake.last["query"]
    assert query.states == {JobState.FAILED}
    assert query.queues == {"q"}
    assert query.labels == (("a", "1"), ("b", "2"))
    assert (query.create_from_us, query.create_before_us) == (1_000_000, 2_000_005)
    assert query.tenant == "default"


async def test_counts_come_largest_first(running: Running) -> None:
    running.fake.answers["count"] = {
        (JobState.QUEUED, "", "x"): 2,
        (JobState.FAILED, "", "x"): 9,
        (JobState.QUEUED, "", "a"): 2,
    }
    groups = [pb.CountJobsRequest.GROUP_BY_STATE, pb.CountJobsRequest.GROUP_BY_LABEL]
    response = await running.CountJobs(pb.CountJobsRequest(group_by=groups, label_key="k"))
    assert [(group.state, group.label_value, group.count) for group in response.groups] == [(6, "x", 9), (2, "a", 2), (2, "x", 2)]
    assert response.total_count == 13
    assert (running.fake.last["by_state"], running.fake.last["by_queue"], running.fake.last["by_label"]) == (True, False, "k")


async def test_every_id_is_answered_in_its_place(running: Running) -> None:
    rows = [
        (bytes(15) + b"\x01", job_row(1, output=output(3))),
        (bytes(15) + b"\x02", None),
        (bytes(15) + b"\x03", job_row(3, JobState.FAILED, failure=FAILURE)),
        (bytes(15) + b"\x04", job_row(4, JobState.RUNNING)),
    ]
    running.fake.answers["fetch"] = FetchPage(rows, 0)
    asked = ["bad", IDS[0], IDS[1], "worse", IDS[2], IDS[3], ""]
    response = await running.FetchResults(pb.FetchResultsRequest(job_ids=asked))
    assert [result.job_id for result in response.results] == asked
    assert [result.WhichOneof("result") for result in response.results] == [
        "error",
        "output",
        "error",
        "error",
        "error",
        None,
        "error",
    ]
    assert response.results[1].output.data == b"xxx"
    assert response.results[1].output.media_type == "text/plain"
    assert take_apart(response.results[0].error).code is grpc.StatusCode.INVALID_ARGUMENT
    assert take_apart(response.results[2].error).reason == "JOB_NOT_FOUND"
    assert take_apart(response.results[4].error).reason == "HANDLER_ERROR"
    assert [result.state for result in response.results] == [0, 5, 0, 0, 6, 3, 0]
    assert response.next_page_token == ""


async def test_pages_are_cut_by_bytes_and_lose_no_id(running: Running) -> None:
    running.limit(response_bytes_max=1_000)
    asked = ["bad", *IDS[:3], "worse", *IDS[3:], "worst"]

    def fetch(job_ids: list[bytes], offset: int, page_size: int, **_: object) -> FetchPage:
        return FetchPage([(job_id, job_row(job_id=job_id, output=output(400))) for job_id in job_ids[offset:]], 0)

    running.fake.answers["fetch"] = fetch
    found: list[str] = []
    token = ""
    for _ in range(10):
        response = await running.FetchResults(pb.FetchResultsRequest(job_ids=asked, page_token=token))
        assert response.ByteSize() < 2_000
        found += [result.job_id for result in response.results]
        token = response.next_page_token
        if not token:
            break
    assert found == asked


async def test_a_batch_is_cut_by_bytes_at_a_row(running: Running) -> None:
    running.limit(response_bytes_max=1_000)
    rows = [(bytes(15) + bytes((number,)), job_row(number, seq=number * 10, output=output(400))) for number in (1, 2, 3)]
    running.fake.answers["fetch"] = FetchPage(rows, 99)
    first = await running.FetchResults(pb.FetchResultsRequest(batch_id=JOB))
    assert len(first.results) == 2
    await running.FetchResults(pb.FetchResultsRequest(batch_id=JOB, page_token=first.next_page_token))
    assert running.fake.last["offset"] == 30
    error = await refusal(running.FetchResults(pb.FetchResultsRequest(job_ids=[JOB], page_token=first.next_page_token)))
    assert error.reason == "PAGE_TOKEN_INVALID"


async def test_one_output_larger_than_a_page_still_comes(running: Running) -> None:
    running.limit(response_bytes_max=1_000)
    running.fake.answers["fetch"] = FetchPage([(bytes(16), job_row(output=output(5_000)))], 0)
    response = await running.FetchResults(pb.FetchResultsRequest(job_ids=[IDS[0]]))
    assert len(response.results[0].output.data) == 5_000


async def test_a_wait_ends_before_the_caller_gives_up(running: Running) -> None:
    request = pb.FetchResultsRequest(job_ids=[JOB], wait_timeout={"seconds": 50}, wait_for=pb.WAIT_FOR_ANY)
    await running.FetchResults(request)
    assert (running.fake.last["wait_seconds"], running.fake.last["wait_any"]) == (50.0, True)
    await running.FetchResults(request, timeout=20)
    assert 10 < running.fake.last["wait_seconds"] < 20
    await running.FetchResults(pb.FetchResultsRequest(job_ids=[JOB]))
    assert running.fake.last["wait_seconds"] == 0.0
