"""Bad filter, dedup and embed tasks: each field's limit, named with its path and value, and what is good passes."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from ingest.v1 import job_pb2
from ingest.v1 import job_service_pb2 as jobs
from tests.wire.conftest import Running, take_apart


def spec_of(kind: str, fields: dict[str, Any]) -> job_pb2.JobSpec:
    """A job that extracts, splits, and then does this."""
    task = job_pb2.Task()
    message = getattr(task, kind)
    message.SetInParent()
    message.MergeFrom(type(message)(**fields))
    return job_pb2.JobSpec(tasks=[job_pb2.Task(extract=job_pb2.ExtractTask()), job_pb2.Task(split=job_pb2.SplitTask()), task])


@pytest.mark.parametrize(
    ("kind", "fields", "path", "told"),
    [
        ("filter", {}, "filter", "must have a rule, such as tokens_min: without any it keeps all chunks"),
        ("filter", {"tokens_min": -1}, "filter.tokens_min", "must be 0 … 1,000,000, not -1"),
        ("filter", {"tokens_max": 1_000_001}, "filter.tokens_max", "must be 0 … 1,000,000, not 1,000,001"),
        ("filter", {"characters_min": 9, "characters_max": 8}, "filter.characters_max", "not be below characters_min (9), not 8"),
        ("filter", {"letters_min": 1.01}, "filter.letters_min", "must be 0 … 1, not 1.01"),
        ("filter", {"letters_min": float("nan")}, "filter.letters_min", "must be 0 … 1, not nan"),
        ("filter", {"exclude_phrases": ["a", ""]}, "filter.exclude_phrases[1]", "a phrase of 1 … 256 characters, not ''"),
        ("filter", {"include_phrases": ["x" * 300]}, "filter.include_phrases[0]", "of 1 … 256 characters, not 300 characters"),
        ("filter", {"include_phrases": ["x"] * 1_001}, "filter.include_phrases", "at most 1,000 entries, not 1,001"),
        ("embed", {"model": "gpt"}, "embed.model", "must be one of hashing-1, not 'gpt'; the server's operator decides"),
        ("embed", {"model": "own/m"}, "embed.model", "must be one of hashing-1, not 'own/m'"),
        ("embed", {"model": "x" * 257}, "embed.model", "must have at most 256 bytes, not 257"),
        ("embed", {"dimensions": 63}, "embed.dimensions", "must be 0 (512) or 64 … 4,096 for hashing-1, not 63"),
        ("embed", {"dimensions": -1, "model": "hashing-1"}, "embed.dimensions", "not -1"),
        ("dedup", {"similarity": 0.2}, "dedup.similarity", "must be 0 (default) or 0.3 … 1, not 0.2"),
        ("dedup", {"similarity": -0.8}, "dedup.similarity", "must be 0 (default) or 0.3 … 1, not -0.8"),
        ("dedup", {"similarity": float("nan")}, "dedup.similarity", "must be 0 (default) or 0.3 … 1, not nan"),
    ],
)
async def test_a_bad_field_is_named_with_limit_and_value(
    running: Running, kind: str, fields: dict[str, Any], path: str, told: str
) -> None:
    good = spec_of("dedup", {})
    response = await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[good, spec_of(kind, fields)]))
    refused = take_apart(response.results[1].status)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refused.fields) == {f"jobs[1].tasks[2].{path}"}
    assert told in refused.fields[f"jobs[1].tasks[2].{path}"]
    assert response.results[0].created


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("filter", {"tokens_min": 1_000_000, "tokens_max": 1_000_000}),
        ("filter", {"letters_min": 1.0}),
        ("filter", {"exclude_phrases": ["x" * 256] * 1_000, "include_phrases": ["y"]}),
        ("embed", {}),
        ("embed", {"model": "hashing-1", "dimensions": 4_096, "include_headings": True}),
        ("dedup", {"similarity": 0.3}),
        ("dedup", {"similarity": 1.0}),
    ],
)
async def test_what_is_just_within_the_limits_is_taken(running: Running, kind: str, fields: dict[str, Any]) -> None:
    response = await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec_of(kind, fields)]))
    assert response.results[0].created


@pytest.mark.parametrize("kind", ["filter", "dedup", "embed"])
async def test_a_server_without_the_handler_says_so(running: Running, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    known = frozenset({"extract", "split"})
    monkeypatch.setattr(type(running.configuration.handlers), "names", property(lambda self: known))
    spec = spec_of(kind, {"tokens_min": 1} if kind == "filter" else {})
    refused = take_apart((await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec]))).results[0].status)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_HANDLER")
