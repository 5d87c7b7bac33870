"""Health and reflection on a real server, reflection also with the real grpcurl."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ingest_server.wire.reflection_schema import reflection_schema
from tests.wire.conftest import Running, refusal

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
OWN = ["BlobService", "JobService", "QueueService", "ServerService"]


async def status(running: Running, service: str) -> int:
    response = await health_pb2_grpc.HealthStub(running.channel).Check(health_pb2.HealthCheckRequest(service=service))
    found: int = response.status
    return found


async def test_readiness_follows_the_drain_and_liveness_does_not(running: Running) -> None:
    names = ["ingest.v1.Readiness", *(f"ingest.v1.{name}" for name in OWN)]
    assert [await status(running, name) for name in ["", *names]] == [SERVING] * 6
    await running.server.drain(1)
    assert [await status(running, name) for name in ["", *names]] == [SERVING] + [NOT_SERVING] * 5
    running.server.set_ready(True)
    assert await status(running, "ingest.v1.Readiness") == NOT_SERVING  # a drain is for good


async def test_an_unknown_service_is_not_found(running: Running) -> None:
    stub = health_pb2_grpc.HealthStub(running.channel)
    error = await refusal(stub.Check(health_pb2.HealthCheckRequest(service="nobody")))
    assert error.code is grpc.StatusCode.NOT_FOUND


async def test_every_watcher_hears_of_a_change_when_another_has_gone(running: Running) -> None:
    stub = health_pb2_grpc.HealthStub(running.channel)
    request = health_pb2.HealthCheckRequest(service="ingest.v1.Readiness")
    first, second = stub.Watch(request), stub.Watch(request)
    unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nobody"))
    assert [(await call.read()).status for call in (first, second, unknown)] == [SERVING, SERVING, UNKNOWN]
    first.cancel()
    await asyncio.gather(first.code(), return_exceptions=True)
    await running.server.drain(1)
    assert (await second.read()).status == NOT_SERVING
    second.cancel()
    unknown.cancel()


async def test_health_is_answered_under_overload(running: Running) -> None:
    running.limit(concurrent_calls_max=0)
    assert await status(running, "") == SERVING


async def ask(running: Running, version: str, *questions: dict[str, Any]) -> list[Any]:
    """Ask one reflection stream."""
    schema = reflection_schema(version)
    request_class = type(schema.response_class().original_request)

    async def requests() -> AsyncIterator[bytes]:
        for question in questions:
            yield request_class(**question).SerializeToString()

    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    call = running.channel.stream_stream(path, None, None)
    return [schema.response_class.FromString(answer) async for answer in call(requests())]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_both_versions_describe_all_services(running: Running, version: str) -> None:
    listed, described = await ask(
        running, version, {"list_services": "*"}, {"file_containing_symbol": "ingest.v1.JobService.SubmitJobs"}
    )
    names = [service.name for service in listed.list_services_response.service]
    assert names == sorted(
        [f"ingest.v1.{name}" for name in OWN]
        + ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
    )
    # What came back is complete: another process can build all of it, annotations included.
    pool = descriptor_pool.DescriptorPool()
    found = described.file_descriptor_response.file_descriptor_proto
    parts = [descriptor_pb2.FileDescriptorProto.FromString(data) for data in found]
    files = {part.name: part for part in parts}
    assert parts[0].name == "ingest/v1/job_service.proto"
    requests = {message.name: message for message in parts[0].message_type}
    json_names = {field.name: field.json_name for field in requests["SubmitJobsRequest"].field}
    assert json_names == {"request_id": "requestId", "batch_id": "batchId", "jobs": "jobs", "all_or_nothing": "allOrNothing"}
    counted = {field.name: field.json_name for field in requests["CountJobsResponse"].nested_type[0].field}
    assert counted["label_value"] == "labelValue"

    def add(name: str) -> None:
        for needed in files[name].dependency:
            add(needed)
        pool.Add(files[name])

    add(parts[0].name)
    assert pool.FindServiceByName("ingest.v1.JobService").methods_by_name["WatchJobs"].server_streaming


async def test_each_kind_of_question_has_its_answer(running: Running) -> None:
    extension = {"containing_type": "google.protobuf.MethodOptions", "extension_number": 72295728}
    answers = await ask(
        running,
        "v1",
        {"file_by_filename": "ingest/v1/job.proto", "host": "h"},
        {"file_containing_extension": extension},
        {"all_extension_numbers_of_type": "google.protobuf.MethodOptions"},
        {"file_containing_symbol": "no.Such"},
        {"file_by_filename": "no.proto"},
        {"all_extension_numbers_of_type": "no.Such"},
        {},
        {"file_containing_symbol": "grpc.reflection.v1alpha.ServerReflection"},
    )
    kinds = [answer.WhichOneof("message_response") for answer in answers]
    files, numbers, error = "file_descriptor_response", "all_extension_numbers_response", "error_response"
    assert kinds == [files, files, numbers, error, error, error, error, files]
    assert answers[0].original_request.file_by_filename == "ingest/v1/job.proto"
    assert 72295728 in answers[2].all_extension_numbers_response.extension_number
    assert [answers[place].error_response.error_code for place in (3, 4, 5, 6)] == [5, 5, 5, 3]


@pytest.fixture(scope="session")
def grpcurl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real tool: from PATH, or built by Go."""
    found = shutil.which("grpcurl")
    if found:
        return Path(found)
    if shutil.which("go") is None:
        pytest.skip("neither grpcurl nor go is installed")
    folder = tmp_path_factory.mktemp("gobin")
    built = subprocess.run(
        ["go", "install", "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"],
        env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if built.returncode:
        pytest.skip(f"grpcurl cannot be built here: {built.stderr[-200:]}")
    return folder / "grpcurl"


@pytest.mark.grpcurl
@pytest.mark.slow
@pytest.mark.timeout(700)
async def test_grpcurl_lists_describes_and_calls(running: Running, grpcurl: Path) -> None:
    async def run(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            grpcurl, "-plaintext", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    listed = await run(running.address, "list")
    assert {f"ingest.v1.{name}" for name in OWN} <= set(listed.split())
    assert "google.api.http" in await run(running.address, "describe", "ingest.v1.JobService.SubmitJobs")
    job = {"jobs": [{"tasks": [{"custom": {"handler": "echo"}}], "input": {"data": "YWJj"}}]}
    answer = json.loads(await run("-d", json.dumps(job), running.address, "ingest.v1.JobService/SubmitJobs"))
    assert answer["results"][0]["created"] is True
