"""Bad store tasks: what is not allowed is named with its path, and what is allowed passes."""

from __future__ import annotations

import grpc
import pytest

from ingest.v1 import job_pb2
from ingest.v1 import job_service_pb2 as jobs
from ingest_server.domain.store_target import StoreRules
from tests.wire.conftest import Refusal, Running, take_apart


@pytest.fixture
def allowing(running: Running) -> Running:
    """A server that allows one folder and one prefix."""
    running.configuration.store_rules = StoreRules(("/data/out", "s3://bucket/in"))
    return running


async def submitted(running: Running, **fields: object) -> Refusal | None:
    """The refusal of a job that stores; None if it was taken."""
    tasks = [job_pb2.Task(extract=job_pb2.ExtractTask()), job_pb2.Task(store=job_pb2.StoreTask(**fields))]  # type: ignore[arg-type]
    answer = await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[job_pb2.JobSpec(tasks=tasks)]))
    return None if answer.results[0].created else take_apart(answer.results[0].status)


async def test_a_server_that_allows_no_place_says_so(running: Running) -> None:
    refused = await submitted(running, target_uri="file:///data/out")
    assert refused is not None
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED")
    assert "store_targets" in refused.message


@pytest.mark.parametrize(
    ("fields", "path", "told"),
    [
        ({}, "target_uri", "must be sqlite:///PATH"),
        ({"target_uri": "file:///etc/x"}, "target_uri", "below none of the places"),
        ({"target_uri": "file:///data/out/../x"}, "target_uri", "'..'"),
        ({"target_uri": "file:///data/out", "format": 9}, "target_uri", "format of StoreFormat, not 9"),
        ({"target_uri": "s3://bucket/in/x.db"}, "target_uri", "SQLite in S3"),
        ({"target_uri": "file:///data/out", "document_key": "ü" * 513}, "document_key", "1,024 bytes, not 1,026"),
    ],
)
async def test_a_bad_field_is_named_with_what_is_wrong(
    allowing: Running, fields: dict[str, object], path: str, told: str
) -> None:
    refused = await submitted(allowing, **fields)
    assert refused is not None
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refused.fields) == {f"jobs[0].tasks[1].store.{path}"}
    assert told in refused.message


@pytest.mark.parametrize(
    "fields",
    [
        {"target_uri": "file:///data/out", "document_key": "k" * 1_024},
        {"target_uri": "sqlite:///data/out/x"},
        {"target_uri": "s3://bucket/in/x", "format": job_pb2.STORE_FORMAT_PARQUET},
    ],
)
async def test_what_is_allowed_is_taken(allowing: Running, fields: dict[str, object]) -> None:
    assert await submitted(allowing, **fields) is None
