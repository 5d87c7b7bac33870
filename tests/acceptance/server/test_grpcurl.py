"""A client nobody here wrote: grpcurl, with nothing but reflection, against the real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from google.protobuf import json_format

from ingest.v1 import job_service_pb2
from tests.acceptance.server.server_process import ServerProcess

MODULE = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ingest-tests" / "bin"


@pytest.fixture(scope="module")
def grpcurl() -> str:
    """The program: from the path, or built once with Go and kept."""
    found = shutil.which("grpcurl") or shutil.which("grpcurl", path=str(CACHE))
    if found:
        return found
    go = shutil.which("go")
    if go is None:
        pytest.skip("neither grpcurl nor Go is installed")
    built = subprocess.run(
        [go, "install", MODULE], env={**os.environ, "GOBIN": str(CACHE)}, capture_output=True, timeout=300, check=False
    )
    if built.returncode:
        pytest.skip(f"grpcurl cannot be built here: {built.stderr.decode(errors='replace')[-300:]}")
    return str(CACHE / "grpcurl")


@pytest.mark.timeout(400)
def test_every_kind_of_call(grpcurl: str, server: ServerProcess) -> None:
    def call(*arguments: str, data: str = "") -> str:
        flags = ["-plaintext", *(["-d", data] if data else [])]
        ran = subprocess.run(
            [grpcurl, *flags, server.address, *arguments], capture_output=True, text=True, timeout=30, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    services = call("list").split()
    for name in ("JobService", "BlobService", "QueueService", "ServerService"):
        assert f"ingest.v1.{name}" in services
    assert "grpc.health.v1.Health" in services
    assert "rpc WatchJobs" in call("describe", "ingest.v1.JobService")
    assert "string dedupe_key" in call("describe", ".ingest.v1.JobSpec")
    assert json.loads(call("grpc.health.v1.Health/Check"))["status"] == "SERVING"
    job = {"input": {"data": "aGVsbG8="}, "tasks": [{"custom": {"handler": "echo"}}]}
    answer = call("ingest.v1.JobService/SubmitJobs", data=json.dumps({"jobs": [job, job]}))
    submitted = json_format.Parse(answer, job_service_pb2.SubmitJobsResponse())
    job_ids = [result.job_id for result in submitted.results]
    watch = json.dumps({"batchId": submitted.batch_id, "stopWhenDone": True})
    assert call("ingest.v1.JobService/WatchJobs", data=watch).count("JOB_STATE_SUCCEEDED") == 2
    got = json.loads(call("ingest.v1.JobService/GetJob", data=json.dumps({"jobId": job_ids[0], "view": "JOB_VIEW_FULL"})))
    assert got["job"]["output"]["data"] == "aGVsbG8="


@pytest.mark.timeout(400)
def test_an_error_is_told_in_full(grpcurl: str, server: ServerProcess) -> None:
    ran = subprocess.run(
        [grpcurl, "-plaintext", "-d", '{"jobId": "no-uuid"}', server.address, "ingest.v1.JobService/GetJob"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode != 0
    for word in ("InvalidArgument", "INVALID_FIELD", "job_id", "no-uuid"):
        assert word in ran.stderr
