"""The shim's process beside the server: started, replaced, drained with it, never left behind; and alone in front of a server."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from ingest_client import Client, JobState
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import READY_LINE, ServerProcess, environment, run_to_end

REST = ("--rest-listen", "127.0.0.1:0")
TOKEN = "a-token-of-many-letters"
SOON = 20.0


def shim_of(server: ServerProcess) -> psutil.Process:
    (found,) = [each for each in server.processes() if "ingest_server.rest.supervised" in " ".join(each.cmdline())]
    return found


async def submit(http: httpx.AsyncClient, **job: object) -> str:
    answer = await http.post("/v1/jobs:submit", json={"jobs": [{"tasks": [{"custom": {"handler": "echo"}}], **job}]})
    assert answer.status_code == 200, answer.text
    job_id: str = answer.json()["results"][0]["jobId"]
    return job_id


@contextmanager
def ingest_rest(*flags: str, **variables: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A shim of its own. Answers its URL and its process; at the end it is asked to end, and must have done well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ingest_server.rest", "--listen", "127.0.0.1:0", *flags],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )
    guard = threading.Timer(SOON, process.kill)
    guard.start()
    assert process.stdout is not None
    try:
        with process.stdout as out:
            line = out.readline()
            assert line.startswith(READY_LINE), line
            yield line.removeprefix(READY_LINE).strip(), process
            process.terminate()
            assert process.wait() == 0
    finally:
        guard.cancel()
        guard.join()
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--rest-listen", "0.0.0.0:0"], "reachable from other machines"),
        (["--rest-listen", "unix:/tmp/x"], "browsers know no Unix sockets"),
        (["--rest-listen", "127.0.0.1:0", "--rest-tls-cert", "x.pem"], "must be set together"),
        (["--rest-listen", "127.0.0.1:0", "--rest-cors-origins", "app.example"], "must be an origin"),
        (
            ["--rest-listen", "127.0.0.1:0", "--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "ca"],
            "show no client certificate",
        ),
    ],
)
def test_wrong_settings_are_told(flags: list[str], said: str) -> None:
    ended = run_to_end(*flags)
    assert ended.status == 2
    assert said in ended.err


def test_a_taken_port_is_told_before_anything_is_served(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run_to_end("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), "--rest-listen", address)
    assert ended.status == 1
    assert f"rest_listen {address} cannot be listened on" in ended.err
    assert "listening on" not in ended.out


def test_a_shim_that_cannot_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "cert").write_text("no certificate")
    flags = ["--rest-tls-cert", str(tmp_path / "cert"), "--rest-tls-key", str(tmp_path / "cert")]
    ended = run_to_end("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), *REST, *flags)
    assert ended.status == 1
    assert "the REST shim ended with status" in ended.err


async def test_both_addresses_serve_and_nothing_is_left(start_server: StartServer) -> None:
    server = start_server(*REST)
    async with httpx.AsyncClient(base_url=server.rest_url) as http, Client(server.address) as client:
        job_id = await submit(http)
        assert (await client.wait([job_id]))[0].succeeded
        assert (await http.get("/healthz")).text == "ok\n"
        assert (await http.get("/readyz")).status_code == 200
        page = (await http.get("/metrics")).text
        assert re.search(r'^ingest_rest_requests_total\{method="POST",status="200"\} 1.0$', page, re.M)
        assert re.search(r"^ingest_jobs_created_total 1.0$", page, re.M)
    folder = server.folder / "data" / "rest"
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert server.stop() == 0
    assert not folder.exists()
    assert "Traceback" not in server.log


async def test_a_long_data_folder_has_its_sockets_elsewhere(start_server: StartServer) -> None:
    server = start_server(*REST, name="x" * 120)
    async with httpx.AsyncClient(base_url=server.rest_url) as http:
        await submit(http)
    assert not (server.folder / "data" / "rest").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_shim_that_dies_is_replaced_and_no_connection_is_refused(
    start_server: StartServer, number: signal.Signals
) -> None:
    server = start_server(*REST)
    async with httpx.AsyncClient(base_url=server.rest_url, timeout=SOON) as http:
        job_id = await submit(http)
        dead = shim_of(server)
        dead.send_signal(number)
        await asyncio.to_thread(dead.wait, SOON)
        answer = await http.get(f"/v1/jobs/{job_id}")  # waits in the socket's queue
        assert answer.json()["job"]["jobId"] == job_id
        assert shim_of(server).pid != dead.pid
    assert "the REST shim has ended with status" in server.log
    assert server.stop() == 0


async def test_a_killed_server_takes_its_shim_along(start_server: StartServer) -> None:
    server = start_server(*REST)
    server.kill()
    server.close()  # proves that none of its processes outlives it
    server.start()
    async with httpx.AsyncClient(base_url=server.rest_url) as http:
        await submit(http)


async def test_a_drain_ends_streams_with_a_word(start_server: StartServer) -> None:
    server = start_server(*REST)
    async with httpx.AsyncClient(base_url=server.rest_url, timeout=SOON) as http:
        job_id = await submit(http, startDelay="3600s")
        events = http.stream("GET", "/v1/jobs:watch", params={"job_ids": job_id}, headers={"accept": "text/event-stream"})
        async with events as stream:
            lines = stream.aiter_lines()
            async for line in lines:
                if line.startswith("data: "):
                    break
            server.signal(signal.SIGTERM)
            rest = [line async for line in lines]
    assert "event: close" in rest
    assert await asyncio.to_thread(server.wait) == 0


async def test_tokens_are_asked_for_as_on_the_port(start_server: StartServer) -> None:
    server = start_server(*REST, variables={"INGEST_AUTH_TOKEN": TOKEN})
    async with httpx.AsyncClient(base_url=server.rest_url) as http:
        for path in ("/v1/jobs", "/metrics", "/v1/jobs:watch"):
            refused = await http.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"] == "Bearer"
        wrong = await http.get("/v1/jobs", headers={"authorization": "Bearer " + TOKEN[:-1]})
        assert wrong.status_code == 401
        assert (await http.get("/readyz")).status_code == 200
        http.headers["authorization"] = f"Bearer {TOKEN}"
        await submit(http)
        assert "ingest_jobs_created_total 1.0" in (await http.get("/metrics")).text
    shim = shim_of(server)
    assert TOKEN not in json.dumps(shim.environ()), "the shim has no need to know the server's secrets"


def test_ingest_rest_refuses_what_would_open_a_server_on_loopback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ingest_server.rest", "--listen", "0.0.0.0:0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=SOON, env=environment(), check=False)
    assert ended.returncode == 2
    assert "listen = '0.0.0.0:0' is reachable from other machines" in ended.stderr


async def test_ingest_rest_alone_waits_for_its_server_and_outlives_it(server: ServerProcess, start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with ingest_rest("--upstream", address) as (url, _):
        async with httpx.AsyncClient(base_url=url, timeout=SOON) as http:
            assert (await http.get("/healthz")).status_code == 200
            not_yet = await http.get("/readyz")
            assert (not_yet.status_code, not_yet.json()["code"]) == (503, 14)
            assert (await http.get("/v1/jobs")).status_code == 503
            own = start_server(listen=address)
            async with asyncio.timeout(SOON):
                while (await http.get("/readyz")).status_code != 200:
                    pass
            job_id = await submit(http)
            own.kill()
            assert (await http.get(f"/v1/jobs/{job_id}")).status_code == 503
            own.start()
            async with asyncio.timeout(SOON):
                while (await http.get("/readyz")).status_code != 200:
                    pass
            assert (await http.get(f"/v1/jobs/{job_id}")).json()["job"]["jobId"] == job_id


async def test_ingest_rest_passes_tokens_over_tls(start_server: StartServer, tmp_path: Path) -> None:
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    made = await asyncio.to_thread(subprocess.run, ["openssl", *request.split(), *files], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    pair = ("--tls-cert", str(tmp_path / "cert"), "--tls-key", str(tmp_path / "key"))
    server = start_server(*pair, *REST, variables={"INGEST_AUTH_TOKEN": TOKEN})
    assert server.rest_url.startswith("https://"), "a server with TLS has no REST in plain text"
    with ingest_rest("--upstream", server.address, "--upstream-ca", str(tmp_path / "cert")) as (url, _):
        async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}) as http:
            assert await submit(http)


async def test_calls_under_way_end_in_a_drain_of_ingest_rest(server: ServerProcess, client: Client) -> None:
    with ingest_rest("--upstream", server.address) as (url, process):
        async with httpx.AsyncClient(base_url=url, timeout=SOON) as http:
            job_id = str(uuid.uuid4())
            spec = {"jobId": job_id, "tasks": [{"custom": {"handler": "echo"}}], "startDelay": "1s"}
            running = asyncio.create_task(http.post("/v1/jobs:run", json={"job": spec, "waitTimeout": "15s"}))
            async with asyncio.timeout(SOON):
                while (await client.result(job_id)).state is JobState.UNSPECIFIED:
                    pass
            process.send_signal(signal.SIGTERM)
            answer = await running
            assert answer.json()["job"]["state"] == "JOB_STATE_SUCCEEDED"
            with pytest.raises(httpx.TransportError):
                await http.get("/healthz")
        await asyncio.to_thread(process.wait)
