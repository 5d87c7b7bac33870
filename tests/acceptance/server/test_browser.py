"""A real browser: submits, sees live events, loses its connection over and over, and has every event exactly once."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.cutting_proxy import CuttingProxy
from tests.acceptance.server.devtools import Page, chromium, find_chromium

JOBS = 600
SUBMITS = 100
CUT_BYTES = (200, 1_000_000)
"""From the middle of the first event to more than any message has: what came while the browser was away is one message, and must
get through in one piece some time."""
CUTS_MIN = 8
"""Half of the lengths are below 15 KB, and 600 jobs of three events of 330 bytes are 600 KB."""
SOON = 60.0
TOKEN = "a-token-of-many-letters"

# Collects what EventSource tells, as an application would; nothing in it knows of cut connections.
WATCH = """
    window.seen = []; window.opens = 0; window.ended = false;
    window.source = new EventSource("/v1/jobs:watch?batch_id=%s&allow_missing_batch=true");
    source.onopen = () => { opens++; };
    source.onmessage = (event) => { for (const e of JSON.parse(event.data).events) seen.push([e.jobId, e.revision, e.state]); };
    new Promise((resolve) => { const old = source.onopen; source.onopen = () => { old(); resolve(true); }; });
"""
SUBMIT = """
    fetch("/v1/jobs:submit", {method: "POST", body: JSON.stringify({
        batch_id: "%s", jobs: Array.from({length: %d}, () => ({tasks: [{custom: {handler: "echo"}}]}))})})
    .then((answer) => answer.json()).then((answer) => answer.results.map((result) => result.jobId))
"""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or CHROMIUM=/path/to/it")
    folder = tmp_path / "profile"
    folder.mkdir()
    async with chromium(program, folder) as opened:
        yield opened


def host_and_port(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


async def undisturbed(http: httpx.AsyncClient, batch_id: str, told: list[tuple[str, str, str]], ready: asyncio.Event) -> None:
    """The same watch as lines, over a connection that nobody cuts, until all jobs have ended."""
    request = {"batch_id": batch_id, "allow_missing_batch": "true"}
    ended = 0
    async with http.stream("GET", "/v1/jobs:watch", params=request) as stream:
        async for line in stream.aiter_lines():
            message: dict[str, Any] = json.loads(line)["result"]
            ready.set()
            for event in message["events"]:
                told.append((event["jobId"], event["revision"], event["state"]))
                ended += event["state"] == "JOB_STATE_SUCCEEDED"
            if ended == JOBS:
                return


@pytest.mark.slow
async def test_no_event_is_lost_or_doubled_however_often_the_connection_breaks(start_server: StartServer, page: Page) -> None:
    server = start_server("--rest-listen", "127.0.0.1:0", "--rest-retry-seconds", "0.05")
    batch_id = str(uuid.uuid4())
    told: list[tuple[str, str, str]] = []
    ready = asyncio.Event()
    proxy = CuttingProxy(*host_and_port(server.rest_url), seed=7, cut_bytes=CUT_BYTES)
    async with proxy.running(), httpx.AsyncClient(base_url=server.rest_url, timeout=SOON) as http, asyncio.timeout(SOON):
        await page.go(proxy.url + "/healthz")
        reference = asyncio.create_task(undisturbed(http, batch_id, told, ready))
        await ready.wait()
        assert await page.run(WATCH % batch_id)
        job_ids: list[str] = []
        for _ in range(SUBMITS):
            job_ids += await page.run(SUBMIT % (batch_id, JOBS // SUBMITS))
        await reference
        while len(await page.run("seen")) < len(told):
            pass
        seen = [tuple(event) for event in await page.run("seen")]
        opens = await page.run("opens")
    assert proxy.cuts >= CUTS_MIN
    assert opens > CUTS_MIN
    assert len(set(job_ids)) == JOBS
    assert len(seen) == len(set(seen)), "an event came twice"
    assert sorted(seen) == sorted(told)
    for job_id in job_ids:
        assert [event for event in seen if event[0] == job_id] == [event for event in told if event[0] == job_id], "order"


async def test_a_stream_that_is_done_is_not_asked_for_again(start_server: StartServer, page: Page) -> None:
    server = start_server("--rest-listen", "127.0.0.1:0", "--rest-retry-seconds", "0.05")
    await page.go(server.rest_url + "/healthz")
    (job_id,) = await page.run(SUBMIT % (uuid.uuid4(), 1))
    closed = await page.run(
        f"""
        window.source = new EventSource("/v1/jobs:watch?job_ids={job_id}&stop_when_done=true"); window.states = [];
        source.onmessage = (event) => {{ for (const e of JSON.parse(event.data).events) states.push(e.state); }};
        new Promise((resolve) => {{
            source.addEventListener("end", (event) => {{ window.end = JSON.parse(event.data); }});
            source.onerror = () => {{ if (source.readyState === EventSource.CLOSED) resolve([end.code, states.at(-1)]); }};
        }})
        """
    )
    assert closed == [0, "JOB_STATE_SUCCEEDED"], "after the end the browser came back once, got 204, and gave up"


async def test_a_websocket_with_a_token_as_subprotocol(start_server: StartServer, page: Page) -> None:
    server = start_server("--rest-listen", "127.0.0.1:0", variables={"INGEST_AUTH_TOKEN": TOKEN})
    await page.go(server.rest_url + "/healthz")
    socket = """
        new Promise((resolve) => {{
            const socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/jobs:watch", {protocols});
            socket.onopen = () => socket.send(JSON.stringify({{stop_when_done: true}}));
            const frames = []; socket.onmessage = (event) => frames.push(JSON.parse(event.data));
            socket.onclose = (event) => resolve([event.code, frames.map((frame) => Object.keys(frame)[0])]);
        }})
        """
    assert (await page.run(socket.format(protocols=json.dumps(["ingest.v1.json", f"bearer.{TOKEN}"]))))[0] == 1000
    assert await page.run(socket.format(protocols='["ingest.v1.json"]')) == [4016, ["error"]]
