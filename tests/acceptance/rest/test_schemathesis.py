"""Requests that schemathesis makes from /openapi.json, at the running server and shim: no server error, no schema violation.

The number of requests is bounded; the seed is printed, and INGEST_TEST_SEED repeats a run.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.server.server_process import ServerProcess, environment
from tests.conftest import child_processes

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "no_server_fault",
    "no_inner_workings",
    "errors_are_complete",
    "lines_conform",
)
"""Not among them: negative_data_rejection and positive_data_acceptance. JSON of protobuf is lenient on purpose (unknown fields,
numbers as strings, null), and data that fits the schema may speak of jobs that do not exist."""
EXAMPLES_PER_OPERATION_MAX = 8
SECONDS_MAX = 240
REQUEST_SECONDS_MAX = 10
CONFIG = """hooks = {hooks}
[phases.coverage]
unexpected-methods = []  # answered 501, as grpc-gateway does; that it is so is tested elsewhere
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with its shim, of one test's own: the requests leave it full of queues, jobs and pauses."""
    children = child_processes()
    folder = tmp_path / "server"
    folder.mkdir()
    started = ServerProcess(folder, flags=["--rest-listen", "127.0.0.1:0", "--wait-seconds-max", "1"])
    try:
        yield started.start()
        assert started.stop() == 0, started.log
    finally:
        started.close()
    assert child_processes().keys() <= children.keys()


def put_something_there(url: str) -> dict[str, str]:
    """Jobs that ended well and badly, a batch and a blob, so that requests find something. Answers the hooks' environment."""
    with httpx.Client(base_url=url, timeout=REQUEST_SECONDS_MAX) as client:
        text = {"mediaType": "text/markdown", "data": "IyBIZWxsbwo="}
        tasks: tuple[dict[str, object], ...] = ({"extract": {}}, {"custom": {"handler": "echo"}}, {"extract": {"firstPage": 1}})
        jobs = [{"input": text, "tasks": [task], "labels": {"a": "b"}} for task in tasks]
        jobs.append({"input": {"mediaType": "application/pdf", "data": "bm8gUERG"}, "tasks": [{"extract": {}}]})
        answer = client.post("/v1/jobs:submit", json={"jobs": jobs}).raise_for_status().json()
        ids = [result["jobId"] for result in answer["results"]]
        client.post("/v1/jobs:fetch", json={"jobIds": ids, "waitTimeout": "1s"}).raise_for_status()
        blob = b"a blob"
        digest = hashlib.sha256(blob).hexdigest()
        client.put("/v1/blobs", content=blob, headers={"Content-Type": "application/octet-stream"}).raise_for_status()
        client.patch("/v1/queues/default", json={"weight": 3}).raise_for_status()
    return {
        "INGEST_KNOWN_JOBS": json.dumps(ids),
        "INGEST_KNOWN_BATCH": json.dumps(answer["batchId"]),
        "INGEST_KNOWN_BLOBS": json.dumps([digest, hashlib.sha256(b"another").hexdigest()]),
    }


@pytest.mark.slow
@pytest.mark.timeout(SECONDS_MAX + 60)
def test_no_server_error_and_no_schema_violation(server: ServerProcess, tmp_path: Path) -> None:
    url = server.rest_url
    seed = os.environ.get("INGEST_TEST_SEED") or str(random.randrange(2**32))
    print(f"seed {seed}; INGEST_TEST_SEED={seed} repeats this run")
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(hooks=json.dumps(str(HOOKS))))
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml", "run"]
    command += [f"{url}/openapi.json", "--seed", seed, "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"]
    command += ["--max-examples", str(EXAMPLES_PER_OPERATION_MAX), "--request-timeout", str(REQUEST_SECONDS_MAX)]
    command += ["--continue-on-failure", "--no-color", "--warnings", "off", "--generation-database", "none"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**environment(), **put_something_there(url)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    print(done.stdout[-12_000:], done.stderr[-2_000:])
    assert done.returncode == 0, "schemathesis found faults, see above"
    tested = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", done.stdout)
    assert tested is not None
    assert len(set(tested.groups())) == 1, "every operation was called"
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1]) > 500
    assert '"level":"error"' not in server.log.replace(" ", ""), server.log[-4_000:]
