"""Streams over HTTP and WebSockets from the real server: refused, resumed over a kill, ended with their client."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import websockets

from ingest_client import Client, JobSpec, echo
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import ServerProcess

SOON = 30.0
REST = ("--rest-listen", "127.0.0.1:0", "--rest-cors-origins", "https://app.example")
EVENTS = {"accept": "text/event-stream"}
UNKNOWN = "01a200ec-9595-7000-99e9-45433f226202"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with REST that all tests of the module share."""
    started = ServerProcess(tmp_path_factory.mktemp("server"), flags=REST, workers=1)
    try:
        yield started.start()
        assert started.stop() == 0, started.log
        assert "Traceback" not in started.log
    finally:
        started.close()


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.rest_url, timeout=SOON) as opened:
        yield opened


async def submit(http: httpx.AsyncClient, **job: Any) -> str:
    answer = await http.post("/v1/jobs:submit", json={"jobs": [{"tasks": [{"custom": {"handler": "echo"}}], **job}]})
    job_id: str = answer.json()["results"][0]["jobId"]
    return job_id


async def level(http: httpx.AsyncClient, name: str) -> float:
    found = re.search(rf"^{name} ([0-9.]+)$", (await http.get("/metrics")).text, re.M)
    assert found is not None, name
    return float(found[1])


@pytest.mark.parametrize(
    ("query", "headers", "status", "reason"),
    [
        ({"job_ids": UNKNOWN}, {}, 404, "JOB_NOT_FOUND"),
        ({"job_ids": "rubbish"}, {}, 400, "INVALID_FIELD"),
        ({"stop_when_done": "maybe"}, {}, 400, "INVALID_FIELD"),
        ({"resume_token": "rubbish"}, {}, 400, "RESUME_TOKEN_INVALID"),
        ({}, {"last-event-id": "rubbish"}, 400, "RESUME_TOKEN_INVALID"),
        ({}, {"last-event-id": "x" * 10_000}, 400, "RESUME_TOKEN_INVALID"),
        ({"heartbeat_interval": "1h"}, {}, 400, "INVALID_FIELD"),
    ],
)
async def test_bad_streams_are_refused_before_they_begin(
    http: httpx.AsyncClient, query: dict[str, str], headers: dict[str, str], status: int, reason: str
) -> None:
    answer = await http.get("/v1/jobs:watch", params=query, headers={**EVENTS, **headers})
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (status, reason), answer.text


@pytest.mark.parametrize("headers", [{}, EVENTS])
async def test_a_client_that_goes_away_ends_the_stream_at_the_server(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    async with http.stream("GET", "/v1/jobs:watch", headers=headers) as stream:
        lines = stream.aiter_lines()  # kept: it closes the connection when it goes
        await anext(lines)
        assert await level(http, "ingest_watch_streams") == 1
        assert await level(http, "ingest_rest_streams") == 1
    async with asyncio.timeout(SOON):
        while await level(http, "ingest_watch_streams") or await level(http, "ingest_rest_streams"):
            pass


async def test_a_stream_of_events_continues_over_a_killed_server(start_server: StartServer) -> None:
    server = start_server(*REST)
    seen: list[tuple[str, str]] = []
    token = ""

    async def read(http: httpx.AsyncClient, until: str) -> None:
        nonlocal token
        headers = {**EVENTS, **({"last-event-id": token} if token else {})}
        async with http.stream("GET", "/v1/jobs:watch", headers=headers) as stream:
            assert stream.status_code == 200, await stream.aread()
            async for line in stream.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    token = value
                elif name == "data":
                    seen.extend((event["jobId"], event["revision"]) for event in json.loads(value)["events"])
                if line == "" and any(job_id == until for job_id, _ in seen):
                    return

    async with httpx.AsyncClient(base_url=server.rest_url, timeout=SOON) as http:
        first = await submit(http, startDelay="3600s")
        await read(http, first)
        missed = [await submit(http, startDelay="3600s") for _ in range(3)]
    server.kill()
    server.start()
    async with httpx.AsyncClient(base_url=server.rest_url, timeout=SOON) as http:
        last = await submit(http, startDelay="3600s")
        await read(http, last)
    assert [job_id for job_id, _ in seen] == [first, *missed, last]


async def frames_of(url: str, *messages: str | bytes, **options: Any) -> tuple[int, list[dict[str, Any]]]:
    """Open a WebSocket, send messages, read to its end. Answers the close code and the frames."""
    frames = []
    async with websockets.connect(url, proxy=None, **options) as socket:
        for message in messages:
            await socket.send(message)
        async with asyncio.timeout(SOON):
            try:
                while True:
                    frames.append(json.loads(await socket.recv()))
            except websockets.ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else 1006, frames


@pytest.fixture
def socket_url(server: ServerProcess) -> str:
    return server.rest_url.replace("http", "ws")


@pytest.mark.parametrize(
    ("path", "messages", "code", "said"),
    [
        ("/v1/jobs:watch", ["rubbish"], 4003, "not JSON"),
        ("/v1/jobs:watch", [b"{}"], 4003, "not binary"),
        ("/v1/jobs:watch", ['{"jobIds": 3}'], 4003, "job_ids"),
        (f"/v1/jobs:watch?job_ids={UNKNOWN}", [], 4005, "not known"),
        ("/v1/jobs:watch?resume_token=rubbish", [], 4003, "resume_token"),
        ("/v1/blobs", ['{"sha256": "x"}'], 4003, "sha256"),
        ("/v1/blobs", ['{"sha256": "%s", "data": "YQ=="}' % ("0" * 64), ""], 4003, "finish"),
        ("/v1/blobs", ['{"sha256": "%s", "data": "YQ=="}' % ("1" * 64), "rubbish"], 4003, "not JSON"),
    ],
)
async def test_bad_messages_end_a_websocket_with_the_error(
    socket_url: str, path: str, messages: list[str | bytes], code: int, said: str
) -> None:
    ended, frames = await frames_of(socket_url + path, *messages)
    assert ended == code
    assert said in frames[-1]["error"]["message"]


@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [("/v1/nothing", None, 404), ("/v1/jobs", None, 404), ("/v1/jobs:watch", "https://evil.example", 403)],
)
async def test_a_websocket_is_refused_with_a_status(socket_url: str, path: str, origin: Any, status: int) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        await frames_of(socket_url + path, origin=origin)
    assert caught.value.response.status_code == status
    assert json.loads(bytes(caught.value.response.body or b""))["code"]


@pytest.mark.parametrize("origin", [None, "https://app.example"])
async def test_a_websocket_carries_the_lines_of_a_stream(http: httpx.AsyncClient, socket_url: str, origin: Any) -> None:
    job_id = await submit(http)
    request = {"jobIds": [job_id], "stopWhenDone": True}
    ended, frames = await frames_of(socket_url + "/v1/jobs:watch", json.dumps(request), origin=origin)
    assert ended == 1000
    assert frames[-1]["result"]["events"][-1]["state"] == "JOB_STATE_SUCCEEDED"
    token = frames[0]["result"]["resumeToken"]
    query = f"?job_ids={job_id}&stop_when_done=true&resume_token={token}"
    ended, again = await frames_of(socket_url + "/v1/jobs:watch" + query, origin=origin)
    assert ended == 1000
    assert [event for frame in frames[1:] for event in frame["result"]["events"]] == [
        event for frame in again for event in frame["result"]["events"]
    ]


async def test_a_client_stream_over_a_websocket(http: httpx.AsyncClient, socket_url: str) -> None:
    data = b"in two pieces"
    sha256 = hashlib.sha256(data).hexdigest()
    first = {"sha256": sha256, "data": base64.b64encode(data[:5]).decode()}
    second = {"offsetBytes": "5", "data": base64.b64encode(data[5:]).decode(), "finish": True}
    ended, frames = await frames_of(socket_url + "/v1/blobs", json.dumps(first), json.dumps(second), "")
    assert (ended, frames[0]["result"]["blob"]) == (1000, {"sha256": sha256, "sizeBytes": str(len(data))})
    assert (await http.get(f"/v1/blobs/{sha256}")).content == data


async def test_a_websocket_that_is_left_ends_the_stream_at_the_server(http: httpx.AsyncClient, socket_url: str) -> None:
    async with websockets.connect(socket_url + "/v1/jobs:watch", proxy=None) as socket:
        await socket.send("{}")
        await socket.recv()
        assert await level(http, "ingest_rest_streams") == 1
        socket.transport.abort()
    async with asyncio.timeout(SOON):
        while await level(http, "ingest_watch_streams") or await level(http, "ingest_rest_streams"):
            pass


@pytest.mark.slow
async def test_readers_that_do_not_read_cost_the_shim_nothing(http: httpx.AsyncClient, server: ServerProcess) -> None:
    (shim,) = [each for each in server.processes() if "ingest_server.rest.supervised" in " ".join(each.cmdline())]
    batch_id = str(uuid.uuid4())
    query = {"batch_id": batch_id, "allow_missing_batch": "true", "view": "JOB_VIEW_FULL"}
    async with AsyncExitStack() as stack, Client(server.address) as client:
        for headers in (EVENTS, {}):
            stream = await stack.enter_async_context(http.stream("GET", "/v1/jobs:watch", params=query, headers=headers))
            assert stream.status_code == 200  # and nothing more is read from it
        before = shim.memory_info().rss
        for _ in range(40):
            batch = await client.submit([JobSpec(b"x" * 150_000, echo()) for _ in range(10)], batch_id=batch_id)
            await client.wait(batch)
        assert await level(http, "ingest_rest_streams") == 2
        # Each stream has 60 MB to tell, 80 as base64. It may hold one message, of 3 MiB at most and 4 as base64, with what the
        # transport has of it and what making it took.
        assert shim.memory_info().rss - before < 32 * 1024 * 1024
