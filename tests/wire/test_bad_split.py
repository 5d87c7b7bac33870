"""Bad split tasks: each field's limit, named with its path and value, and what is good passes."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from ingest.v1 import job_pb2
from ingest.v1 import job_service_pb2 as jobs
from tests.wire.conftest import Running, take_apart

TOKENS, CHARACTERS, SENTENCES = job_pb2.SPLIT_UNIT_TOKENS, job_pb2.SPLIT_UNIT_CHARACTERS, job_pb2.SPLIT_UNIT_SENTENCES
PAGES, HEADINGS = job_pb2.SPLIT_UNIT_PAGES, job_pb2.SPLIT_UNIT_HEADINGS


def spec_of(fields: dict[str, Any]) -> job_pb2.JobSpec:
    """A job that extracts and splits."""
    tasks = [job_pb2.Task(extract=job_pb2.ExtractTask()), job_pb2.Task(split=job_pb2.SplitTask(**fields))]
    return job_pb2.JobSpec(tasks=tasks)


@pytest.mark.parametrize(
    ("fields", "path", "told"),
    [
        ({"unit": 6}, "unit", "must be a SplitUnit, not 6"),
        ({"unit": -1}, "unit", "must be a SplitUnit, not -1"),
        ({"chunk_size": -1}, "chunk_size", "must be 0 (default) or 16 … 1,000,000 tokens, not -1"),
        ({"chunk_size": 15}, "chunk_size", "16 … 1,000,000 tokens, not 15"),
        ({"chunk_size": 15, "unit": CHARACTERS}, "chunk_size", "16 … 1,000,000 characters, not 15"),
        ({"chunk_size": 1_000_001, "unit": SENTENCES}, "chunk_size", "1 … 1,000,000 sentences, not 1,000,001"),
        ({"chunk_overlap": -1}, "chunk_overlap", "must be 0 … 256 (half of the chunk size of 512), not -1"),
        ({"chunk_overlap": 257}, "chunk_overlap", "must be 0 … 256 (half of the chunk size of 512), not 257"),
        ({"chunk_size": 3, "chunk_overlap": 2, "unit": PAGES}, "chunk_overlap", "must be 0 … 1 (half of the chunk size of 3)"),
        ({"chunk_overlap": 1, "unit": HEADINGS}, "chunk_overlap", "must be 0 … 0 (half of the chunk size of 1), not 1"),
        ({"heading_level": 7}, "heading_level", "must be 0 … 6, not 7"),
        ({"heading_level": -1}, "heading_level", "must be 0 … 6, not -1"),
        ({"heading_level": 1, "unit": PAGES}, "heading_level", "a heading does not end a page"),
        ({"tokens_max": 512}, "tokens_max", "must be 0 where chunk_size counts tokens, not 512: set chunk_size"),
        ({"tokens_max": 15, "unit": SENTENCES}, "tokens_max", "must be 0 (no limit) or 16 … 1,000,000, not 15"),
        ({"tokens_max": -1, "unit": PAGES}, "tokens_max", "must be 0 (no limit) or 16 … 1,000,000, not -1"),
    ],
)
async def test_a_bad_field_is_named_with_limit_and_value(running: Running, fields: dict[str, Any], path: str, told: str) -> None:
    response = await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec_of({}), spec_of(fields)]))
    refused = take_apart(response.results[1].status)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refused.fields) == {f"jobs[1].tasks[1].split.{path}"}
    assert told in refused.fields[f"jobs[1].tasks[1].split.{path}"]
    assert response.results[0].created


@pytest.mark.parametrize(
    "fields",
    [
        {"chunk_size": 16, "chunk_overlap": 8},
        {"chunk_size": 1_000_000, "unit": CHARACTERS, "tokens_max": 16},
        {"unit": SENTENCES, "chunk_overlap": 5, "heading_level": 6},
        {"unit": PAGES, "tokens_max": 1_000_000},
        {"unit": HEADINGS, "heading_level": 1},
    ],
)
async def test_what_is_just_within_the_limits_is_taken(running: Running, fields: dict[str, Any]) -> None:
    response = await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec_of(fields)]))
    assert response.results[0].created


async def test_all_bad_fields_are_told_together(running: Running) -> None:
    fields = {"chunk_size": 4, "heading_level": 9, "tokens_max": 20}
    refused = take_apart((await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec_of(fields)]))).results[0].status)
    assert {path.rpartition(".")[2] for path in refused.fields} == {"chunk_size", "heading_level", "tokens_max"}


async def test_a_server_without_the_handler_says_so(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    known = frozenset({"extract"})
    monkeypatch.setattr(type(running.configuration.handlers), "names", property(lambda self: known))
    refused = take_apart((await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec_of({})]))).results[0].status)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_HANDLER")
