"""SubmitJobs and RunJob on a real server: what reaches the use case, what comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
import pytest

from ingest.v1 import job_pb2, job_service_pb2
from ingest_server.domain.errors import Conflict, Exhausted, Reason
from ingest_server.store.records import SubmitAnswer, SubmitCode
from ingest_server.wire.uuid_text import parse_uuid
from tests.fakes.use_cases import BATCH_ID, accepted, job_row
from tests.wire.conftest import JOB, Running, refusal, take_apart

ECHO = job_pb2.Task(custom=job_pb2.CustomTask(handler="echo"))


def spec(**fields: Any) -> job_pb2.JobSpec:
    """The smallest legal spec, and more."""
    return job_pb2.JobSpec(tasks=[ECHO], **fields)


async def submit(running: Running, *jobs: job_pb2.JobSpec, **fields: Any) -> job_service_pb2.SubmitJobsResponse:
    response: job_service_pb2.SubmitJobsResponse = await running.SubmitJobs(
        job_service_pb2.SubmitJobsRequest(jobs=jobs, **fields)
    )
    return response


async def test_refused_items_hinder_no_other_and_keep_their_places(running: Running) -> None:
    response = await submit(running, spec(), spec(priority=12), spec(), spec(queue="No"))
    assert [result.created for result in response.results] == [True, False, True, False]
    assert [bool(result.job_id) for result in response.results] == [True, False, True, False]
    second = take_apart(response.results[1].status)
    assert second.fields == {"jobs[1].priority": "must be 0 … 9, not 12"}
    fourth = take_apart(response.results[3].status)
    assert list(fourth.fields) == ["jobs[3].queue"]
    assert len(running.fake.last["command"].jobs) == 2


async def test_all_or_nothing_refuses_all_for_one_fault(running: Running) -> None:
    request = job_service_pb2.SubmitJobsRequest(jobs=[spec(), spec(priority=-1)], all_or_nothing=True)
    error = await refusal(running.SubmitJobs(request))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "BATCH_REFUSED")
    assert error.fields == {"jobs[1].priority": "must be 0 … 9, not -1"}
    assert running.fake.calls == []


async def test_all_or_nothing_with_a_thousand_faults_still_fits_the_trailers(running: Running) -> None:
    request = job_service_pb2.SubmitJobsRequest(jobs=[spec(queue="N" * 60) for _ in range(1_000)], all_or_nothing=True)
    error = await refusal(running.SubmitJobs(request))
    assert error.reason == "BATCH_REFUSED"
    assert error.metadata["refused_count"] == "1000"
    assert 1 < len(error.fields) < 1_000


async def test_a_call_without_any_good_item_is_answered_per_item(running: Running) -> None:
    response = await submit(running, spec(priority=10), batch_id=JOB)
    assert response.batch_id == JOB
    assert response.results[0].status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert running.fake.calls == []


@pytest.mark.parametrize(
    ("code", "reason", "status", "field"),
    [
        (SubmitCode.CONFLICT, "JOB_ID_EXISTS", grpc.StatusCode.ALREADY_EXISTS, "job_id"),
        (SubmitCode.QUEUE_NOT_FOUND, "QUEUE_NOT_FOUND", grpc.StatusCode.NOT_FOUND, "queue"),
        (SubmitCode.BLOB_NOT_FOUND, "BLOB_NOT_FOUND", grpc.StatusCode.NOT_FOUND, "input.blob"),
    ],
)
async def test_what_the_server_refuses_is_told_at_its_item(
    running: Running, code: SubmitCode, reason: str, status: grpc.StatusCode, field: str
) -> None:
    ids = [b"", bytes(16)]
    running.fake.answers["submit"] = SubmitAnswer(BATCH_ID, ids, [code, SubmitCode.EXISTING], False, 0, ())
    blob = job_pb2.BlobRef(sha256="ab" * 32, size_bytes=5)
    first = spec(job_id=JOB, queue="gone", input=job_pb2.Payload(blob=blob))
    response = await submit(running, spec(priority=11), first, spec())
    told = take_apart(response.results[1].status)
    assert (told.reason, told.code) == (reason, status)
    assert list(told.fields) == [f"jobs[1].{field}"]
    assert "ResourceInfo" in told.kinds
    assert response.results[2].job_id == "00000000-0000-0000-0000-000000000000"
    assert not response.results[2].created

    request = job_service_pb2.SubmitJobsRequest(jobs=[first, spec()], all_or_nothing=True)
    error = await refusal(running.SubmitJobs(request))
    assert (error.reason, list(error.fields)) == ("BATCH_REFUSED", [f"jobs[0].{field}"])


async def test_job_parts_reach_the_use_case(running: Running) -> None:
    blob = job_pb2.BlobRef(sha256="ab" * 32, size_bytes=77)
    await submit(
        running,
        spec(
            job_id=JOB.upper(), input=job_pb2.Payload(data=b"abc", name="a.txt"), conflict_policy="CONFLICT_POLICY_USE_EXISTING"
        ),
        spec(input=job_pb2.Payload(blob=blob), dedupe_key="k", dedupe_window={"seconds": 60}),
        spec(),
        request_id=JOB,
    )
    command = running.fake.last["command"]
    assert command.request_id == parse_uuid(JOB)
    assert len(command.request_digest) == 32
    digest = bytes.fromhex("ab" * 32)
    assert [job[1:] for job in command.jobs] == [
        (parse_uuid(JOB), b"iabc", "", b""),
        (b"", b"b" + digest + (77).to_bytes(8, "little"), "k", digest),
        (b"", b"", "", b""),
    ]
    policies = [command.policies[job[0]] for job in command.jobs]
    assert [policy.use_existing for policy in policies] == [True, False, False]
    assert policies[1].dedupe_window_us == 60_000_000
    stored = job_pb2.JobSpec.FromString(policies[0].spec)
    assert (stored.input.name, stored.input.data, stored.job_id) == ("a.txt", b"", "")


async def test_equal_jobs_share_one_policy(running: Running) -> None:
    await submit(running, *[spec(input=job_pb2.Payload(data=b"%d" % index), labels={"a": "b"}) for index in range(100)])
    assert len(running.fake.last["command"].policies) == 1


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (Conflict("used", reason=Reason.REQUEST_ID_REUSED), "FAILED_PRECONDITION", "REQUEST_ID_REUSED"),
        (Exhausted("full", reason=Reason.STORAGE_FULL, retry_after_seconds=2.5), "RESOURCE_EXHAUSTED", "STORAGE_FULL"),
    ],
)
async def test_errors_of_the_use_case_become_statuses(running: Running, error: Exception, code: str, reason: str) -> None:
    running.fake.answers["submit"] = error
    told = await refusal(running.SubmitJobs(job_service_pb2.SubmitJobsRequest(jobs=[spec()])))
    assert (told.code.name, told.reason) == (code, reason)
    assert told.retry_seconds == getattr(error, "retry_after_seconds", None)


async def test_run_answers_the_full_job_without_its_secrets(running: Running) -> None:
    secret = job_pb2.JobSpec(tasks=[job_pb2.Task(extract=job_pb2.ExtractTask(password="secret", first_page=2))])
    output = job_pb2.Payload(data=b"text", media_type="text/plain").SerializeToString()
    row = job_row(spec=secret.SerializeToString(), payload=b"iabc", output=output)
    running.fake.answers["run"] = lambda command, wait_seconds: (accepted(command), row)
    response = await running.RunJob(job_service_pb2.RunJobRequest(job=secret, wait_timeout={"seconds": 3}))
    assert running.fake.last["wait_seconds"] == 3.0
    assert response.job.output.data == b"text"
    assert response.job.spec.tasks[0].extract.first_page == 2
    assert response.job.spec.input.blob.size_bytes == 3
    assert b"secret" not in response.SerializeToString()
    assert b"secret" in running.fake.last["command"].policies[0].spec


async def test_run_waits_no_longer_than_its_caller(running: Running) -> None:
    request = job_service_pb2.RunJobRequest(job=spec())
    await running.RunJob(request)
    assert running.fake.last["wait_seconds"] == running.configuration.limits.wait_seconds_max
    await running.RunJob(request, timeout=30)
    assert 20 < running.fake.last["wait_seconds"] <= 30 - running.configuration.limits.answer_margin_seconds


async def test_run_raises_what_refuses_its_job(running: Running) -> None:
    running.fake.answers["run"] = (SubmitAnswer(BATCH_ID, [b""], [SubmitCode.CONFLICT], False, 0, ()), None)
    error = await refusal(running.RunJob(job_service_pb2.RunJobRequest(job=spec(job_id=JOB))))
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "JOB_ID_EXISTS")
    assert list(error.fields) == ["job.job_id"]
    error = await refusal(running.RunJob(job_service_pb2.RunJobRequest(job=spec(priority=99))))
    assert error.fields == {"job.priority": "must be 0 … 9, not 99"}


async def test_a_swap_of_handlers_is_seen_by_the_next_call(running: Running) -> None:
    assert (await submit(running, spec())).results[0].created

    class Without:
        names: frozenset[str] = frozenset()

        def check(self, name: str, options: object) -> list[str]:
            return []

    await running.server.reconfigure(lambda configuration: configuration.swap(handlers=Without()))
    assert take_apart((await submit(running, spec())).results[0].status).reason == "UNKNOWN_HANDLER"
    assert replace(running.configuration.limits) == running.configuration.limits


async def test_the_ids_of_accepted_jobs_are_listed_without_those_refused(running: Running) -> None:
    none = await submit(running, spec(priority=12))
    assert list(none.job_ids) == []
    some = await submit(running, spec(), spec(priority=12), spec())
    assert list(some.job_ids) == [result.job_id for result in some.results if result.job_id]
    assert len(some.job_ids) == 2
    many = await submit(running, *(spec() for _ in range(100)))
    assert list(many.job_ids) == [result.job_id for result in many.results]
