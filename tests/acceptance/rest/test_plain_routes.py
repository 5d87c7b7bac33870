"""The simplest calls there are, to the real server: post JSON, get ids, fetch results, with what failed listed among them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest_server.rest.app import rest_app
from ingest_server.rest.upstream import Upstream
from tests.acceptance.server.server_process import ServerProcess

ECHO: dict[str, Any] = {"input": {"data": "aGVsbG8="}, "tasks": [{"custom": {"handler": "echo"}}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("plain")
    running = ServerProcess(folder, flags=("--store", "memory"), workers=1, handlers=(), listen=f"unix:{folder}/server.sock")
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    upstream = Upstream(server.address)
    transport = httpx.ASGITransport(rest_app(upstream))
    async with httpx.AsyncClient(transport=transport, base_url="http://shim.test") as made:
        yield made
    await upstream.close()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[", "not JSON"),
        ('"a job"', "jobs: must be an array"),
        ("{}", "jobs[0].tasks"),
        ("[]", "jobs: must have 1"),
        ('[{"tasks":[{"custom":{"handler":"echo"}}]},1]', "jobs[1]: must be an object"),
        ('[{"priority":"high"}]', "jobs[0].priority: must be a 32-bit integer"),
        ('{"jobs":[{"priority":"high"}]}', "jobs[0].priority: must be a 32-bit integer"),
        ('{"conflictPolicy":"PERHAPS"}', "jobs[0].conflict_policy"),
    ],
)
async def test_what_is_no_job_is_refused_by_name(client: httpx.AsyncClient, body: str, told: str) -> None:
    answer = await client.post("/submit_job", content=body)
    found = answer.json()
    if answer.status_code == 200:  # a job that can be read, but not accepted, is an answer of its item
        assert found["jobIds"] == []
        found = found["results"][0]["status"]
    else:
        assert answer.status_code == 400
    assert found["code"] == 3
    assert told in found["message"]
    assert found["details"][0]["reason"] == "INVALID_FIELD"


@pytest.mark.parametrize("body", [ECHO, [ECHO], {"jobs": [ECHO]}, {"jobs": [ECHO], "allOrNothing": True}])
async def test_one_job_a_list_and_a_whole_request_are_taken(client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post("/submit_job", json=body)
    assert answer.status_code == 200, answer.text
    (job_id,) = answer.json()["jobIds"]
    fetched = await client.get("/fetch_job", params={"job_ids": job_id, "wait_timeout": "30s"})
    (result,) = fetched.json()["results"]
    assert (result["jobId"], result["state"], result["output"]["data"]) == (job_id, "JOB_STATE_SUCCEEDED", "aGVsbG8=")


async def test_what_the_body_leaves_out_may_stand_in_the_query(client: httpx.AsyncClient) -> None:
    batch = str(uuid.uuid4())
    first, second = [(await client.post(f"/submit_job?request_id={batch}&batch_id={batch}", json=ECHO)).json() for _ in range(2)]
    assert first["batchId"] == batch
    assert first["jobIds"] == second["jobIds"], "the request_id made the repeat harmless"


async def test_failures_are_listed_among_the_results(client: httpx.AsyncClient) -> None:
    broken = {"input": {"data": "bm8gcGRm", "mediaType": "application/pdf"}, "tasks": [{"extract": {}}]}
    submitted = (await client.post("/submit_job", json=[ECHO, {"priority": 12}, broken])).json()
    assert [result["created"] for result in submitted["results"]] == [True, False, True]
    good, bad = submitted["jobIds"]
    unknown = str(uuid.uuid4())
    answer = await client.get(f"/fetch_job?job_ids={good},{bad},{unknown},x&wait_timeout=30s")
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["jobId"] for result in results] == [good, bad, unknown, "x"]
    assert results[0]["output"]["data"] == "aGVsbG8="
    assert [result["error"]["code"] for result in results[1:]] == [3, 5, 3]
    assert results[1]["error"]["details"][0]["reason"] == "DOCUMENT_MALFORMED"
    repeated = await client.get("/fetch_job", params={"job_ids": [good, bad, unknown, "x"]})
    assert repeated.json() == answer.json()


async def test_many_callers_at_once_get_their_own_answers(client: httpx.AsyncClient) -> None:
    async def one(number: int) -> bool:
        job_id = str(uuid.UUID(int=number + 1, version=4))
        submitted = await client.post("/submit_job", json={**ECHO, "jobId": job_id})
        read = await client.get(f"/v1/jobs/{job_id}")
        return bool(submitted.json()["jobIds"] == [job_id] and read.json()["job"]["jobId"] == job_id)

    assert all(await asyncio.gather(*(one(number) for number in range(100))))
