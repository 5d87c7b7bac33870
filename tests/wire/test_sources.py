"""Inputs by reference at the wire: which are refused and how, and what the use case is given of those that are not."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from ingest.v1 import job_pb2
from ingest.v1 import job_service_pb2 as jobs
from ingest_server.domain.caller import Caller
from ingest_server.domain.source_rules import SourceRules
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults, WireLimits
from ingest_server.wire.parse_submit import SubmitParser
from tests.fakes.clock import FakeClock
from tests.fakes.use_cases import FakeHandlers
from tests.wire.conftest import Running, take_apart

RULES = SourceRules(["/srv/in"], ["files.example"], [], ["s3://scans"])
CALLER = Caller("acme", "test", admin=False)


def parser() -> SubmitParser:
    return SubmitParser(LiveConfiguration(WireLimits(), SpecDefaults(), FakeHandlers(), sources=RULES), FakeClock())


def spec(uri: str, **fields: Any) -> job_pb2.JobSpec:
    return job_pb2.JobSpec(
        input=job_pb2.Payload(uri=uri, **fields), tasks=[job_pb2.Task(custom=job_pb2.CustomTask(handler="echo"))]
    )


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("", "must be a URI, not ''"),
        ("report.pdf", "absolute URI"),
        ("https://files.example/a b", "printable ASCII"),
        ("https://me:secret@files.example/", "user name"),
        ("https://other.example/", "source_hosts"),
        ("file:///etc/passwd", "source_roots"),
        ("s3://others/a", "source_buckets"),
        ("https://files.example/" + "a" * 2_048, "at most 2,048 bytes"),
    ],
)
def test_what_is_malformed_or_not_allowed_is_refused_alone(uri: str, told: str) -> None:
    request = jobs.SubmitJobsRequest(jobs=[spec("file:///srv/in/a"), spec(uri), spec("https://files.example/a")])
    parsed = parser().parse_submit(request.SerializeToString(), CALLER)
    assert parsed.accepted == [0, 2]
    (violation,) = parsed.refused[1].violations
    assert violation.path == "jobs[1].input.uri"
    assert told in violation.description
    assert parsed.refused[1].reason == "INVALID_FIELD"


async def test_a_scheme_that_is_not_on_is_not_offered(running: Running) -> None:
    response = await running.SubmitJobs(jobs.SubmitJobsRequest(jobs=[spec("ftp://files.example/a")]))
    refused = take_apart(response.results[0].status)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED")
    assert refused.metadata == {"feature": "input by URI of the scheme 'ftp'"}


def test_a_thousand_references_are_one_kind_of_job() -> None:
    uris = [f"https://files.example/{number}" for number in range(1_000)]
    parsed = parser().parse_submit(jobs.SubmitJobsRequest(jobs=[spec(uri) for uri in uris]).SerializeToString(), CALLER)
    assert len(parsed.policies) == 1
    assert [job[2] for job in parsed.jobs] == [b"u" + uri.encode() for uri in uris]
    assert {job[4] for job in parsed.jobs} == {b""}
    stored = job_pb2.JobSpec.FromString(parsed.policies[0].spec)
    assert stored.input.WhichOneof("content") is None


def test_name_and_type_go_with_a_reference() -> None:
    request = jobs.SubmitJobsRequest(jobs=[spec("file:///srv/in/a", name="a.pdf", media_type="application/pdf")])
    parsed = parser().parse_submit(request.SerializeToString(), CALLER)
    stored = job_pb2.JobSpec.FromString(parsed.policies[0].spec)
    assert (stored.input.name, stored.input.media_type) == ("a.pdf", "application/pdf")


def test_another_reference_is_another_request() -> None:
    request_id = "0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f"
    digests = {
        parser()
        .parse_submit(jobs.SubmitJobsRequest(request_id=request_id, jobs=[spec(uri)]).SerializeToString(), CALLER)
        .command()
        .request_digest
        for uri in ("file:///srv/in/a", "file:///srv/in/b")
    }
    assert len(digests) == 2
