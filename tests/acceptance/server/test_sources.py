"""Inputs by reference from end to end: a real server that fetches from this test's own web server, S3 service and folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from ingest_client import Client, Input, JobSpec, JobState, RetryPolicy, custom, echo, extract
from ingest_client.errors import Unsupported
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import ServerProcess, environment
from tests.fakes.s3_service import ACCESS_KEY, SECRET_KEY, S3Fake, s3_service
from tests.fakes.web_service import WebFake, page, redirect, web_service
from tests.unit.handlers.documents.test_page_parts import manual

WAIT_SECONDS_MAX = 30.0
ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture(scope="module")
def web() -> Iterator[WebFake]:
    """A web server on loopback."""
    with web_service() as service:
        yield service


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Fake]:
    """An S3 service on loopback."""
    with s3_service() as service:
        yield service


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the server may read."""
    return tmp_path_factory.mktemp("in")


@pytest.fixture(scope="module")
def server(web: WebFake, s3: S3Fake, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that may fetch from all of these."""
    flags = [
        "--source-roots", str(root), "--source-hosts", f"{web.url},http://localhost:{web.port}",
        "--source-networks", "127.0.0.1/32", "--source-buckets", "s3://scans/in", "--s3-endpoint", s3.endpoint,
        "--source-bytes-max", "5000000", "--retry-backoff-initial-seconds", "0.01", "--cancel-grace-seconds", "0.2",
        "--rest-listen", "127.0.0.1:0",
    ]  # fmt: skip
    variables = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    started = ServerProcess(tmp_path_factory.mktemp("server"), flags=flags, variables=variables)
    try:
        yield started.start()
        assert started.stop() == 0, started.log
    finally:
        started.close()


def temporary_files(server: ServerProcess) -> list[Path]:
    """What lies in the workers' folders."""
    return [path for path in (server.folder / "data" / "scratch").rglob("*") if path.is_file()]


async def until_no_file_is_left(client: Client, server: ServerProcess) -> None:
    """A fetch notices within a moment that it was cancelled."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while temporary_files(server):
            await client.info()


async def reason_of(client: Client, uri: str) -> str:
    """Why a job with this input fails."""
    result = await client.run(JobSpec(uri, echo(), retry_policy=ONCE))
    assert result.state is JobState.FAILED
    assert result.error is not None
    return result.error.reason


async def test_each_scheme_gives_the_same_document(
    client: Client, server: ServerProcess, web: WebFake, s3: S3Fake, root: Path
) -> None:
    data = b"# Title\n\n" + "Straße für Züge. ".encode() * 100
    (root / "a.md").write_bytes(data)
    web.answers["/a.md"] = page(data, "Content-Type: text/markdown")
    web.answers["/old"] = redirect("/a.md")
    s3.objects["/scans/in/a.md"] = (data, "")
    assert (await client.info()).uri_schemes == ("file", "http", "s3")
    uris = [f"file://{root}/a.md", f"{web.url}/a.md", f"{web.url}/old", "s3://scans/in/a.md"]
    texts = []
    for uri in uris:
        result = await client.run(JobSpec(uri, extract()))
        document = await result.raise_for_state().document()
        assert document.media_type == "text/markdown"
        assert document.sha256 == hashlib.sha256(data).hexdigest()
        texts.append([element.text.text for element in document.elements])
    assert texts == [texts[0]] * 4
    assert temporary_files(server) == []


async def test_a_thousand_references_in_one_call(client: Client, web: WebFake) -> None:
    web.answers["/n"] = page(b"hello")
    batch = await client.submit([JobSpec(Input(uri=f"{web.url}/n"), echo())] * 1_000)
    assert not batch.refused
    results = await client.wait(batch)
    assert {result.state for result in results} == {JobState.SUCCEEDED}


async def test_a_job_shows_its_reference_and_is_retried_with_it(client: Client, web: WebFake) -> None:
    uri = f"{web.url}/later?token=1"
    failed = await client.run(JobSpec(uri, echo(), retry_policy=ONCE))
    assert failed.error is not None
    assert (failed.error.reason, failed.error.metadata["http_status"]) == ("SOURCE_NOT_FOUND", "404")
    job = await client.get(failed.job_id, full=True)
    assert isinstance(job.spec, JobSpec)
    assert isinstance(job.spec.input, Input)
    assert job.spec.input.uri == uri
    web.answers["/later?token=1"] = page(b"now it is there")
    (again,) = await client.retry([failed.job_id])
    (result,) = await client.wait([again.new_job_id])
    assert await result.read() == b"now it is there"


async def test_what_cannot_be_had_fails_with_its_reason(client: Client, web: WebFake, root: Path) -> None:
    (root.parent / "secret").write_bytes(b"secret")
    (root / "out").symlink_to("../secret")
    os.mkfifo(root / "pipe")
    with (root / "large").open("wb") as file:
        file.truncate(5_000_001)
    web.answers["/inside"] = redirect(f"http://127.0.0.2:{web.port}/")
    web.answers["/busy"] = page(b"", status="503 Service Unavailable")
    assert await reason_of(client, f"file://{root}/out") == "SOURCE_FORBIDDEN"
    assert await reason_of(client, f"file://{root}/pipe") == "SOURCE_UNUSABLE"
    assert await reason_of(client, f"file://{root}/large") == "SOURCE_TOO_LARGE"
    assert await reason_of(client, f"{web.url}/inside") == "SOURCE_FORBIDDEN"
    assert await reason_of(client, f"{web.url}/busy") == "SOURCE_UNAVAILABLE"
    assert await reason_of(client, "s3://scans/in/nothing") == "SOURCE_NOT_FOUND"


async def test_what_is_not_there_now_is_tried_again(client: Client, web: WebFake) -> None:
    web.answers["/flaky"] = page(b"", status="503 Service Unavailable")
    before = len(web.requests)
    result = await client.run(JobSpec(f"{web.url}/flaky", echo(), retry_policy=RetryPolicy(max_attempts=3)))
    assert result.state is JobState.FAILED
    assert len(web.requests) - before == 3


async def test_a_cancel_ends_a_fetch(client: Client, server: ServerProcess, web: WebFake) -> None:
    web.answers["/slow"] = web.hold(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    batch = await client.submit([JobSpec(f"{web.url}/slow", echo())])
    await asyncio.to_thread(web.wait_for, "/slow")
    await client.cancel(batch.job_ids)
    (result,) = await client.wait(batch)
    assert result.state is JobState.CANCELLED
    await until_no_file_is_left(client, server)


async def test_async_handlers_fetch_side_by_side(client: Client, server: ServerProcess, web: WebFake) -> None:
    """Four in two workers: each worker's two would wait for ever if they came one after the other."""
    web.answers["/async"] = page(b"hello")
    assert await (await client.run(JobSpec(f"{web.url}/async", custom("async-size")))).read() == b"5"
    paths = [f"/async{number}" for number in range(4)]
    web.answers.update(dict.fromkeys(paths, web.hold(b"HTTP/1.1 200 OK\r\n\r\nhello")))
    batch = await client.submit([JobSpec(web.url + path, custom("async-size")) for path in paths])
    await asyncio.to_thread(web.wait_for, *paths)
    await client.cancel(batch.job_ids)
    assert {result.state for result in await client.wait(batch)} == {JobState.CANCELLED}
    await until_no_file_is_left(client, server)


async def test_a_worker_killed_while_it_fetches_leaves_nothing(client: Client, server: ServerProcess, web: WebFake) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 2_000_000
    web.answers["/killed"] = web.hold(head)
    batch = await client.submit([JobSpec(f"{web.url}/killed", echo())])
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while (told := (await client.get(batch.job_ids[0])).progress) is None or told.completed_units < 1_000_000:
            pass
    (held,) = temporary_files(server)
    web.answers["/killed"] = page(b"at the second attempt")
    for process in psutil.Process(server.pid).children(recursive=True):
        if any(opened.path == str(held) for opened in process.open_files()):
            process.send_signal(signal.SIGKILL)
    (result,) = await client.wait(batch)
    assert await result.read() == b"at the second attempt"
    assert temporary_files(server) == []


async def test_references_and_blobs_stay_what_they_are_where_nothing_is_kept_inline(
    start_server: StartServer, root: Path, tmp_path: Path
) -> None:
    (root / "b.txt").write_text("fetched")
    (tmp_path / "a.txt").write_text("uploaded")
    server = start_server("--source-roots", str(root), "--inline-bytes-max", "1")
    async with Client(server.address) as client:
        for given, text in ((f"file://{root}/b.txt", b"fetched"), (str(tmp_path / "a.txt"), b"uploaded")):
            assert await (await client.run(JobSpec(given, echo()))).read() == text


async def test_a_server_killed_while_it_fetches_leaves_nothing_to_the_next(start_server: StartServer, web: WebFake) -> None:
    web.answers["/server"] = web.hold(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)
    server = start_server("--source-hosts", web.url, "--source-networks", "127.0.0.1/32")
    async with Client(server.address) as client:
        batch = await client.submit([JobSpec(f"{web.url}/server", echo())])
        await asyncio.to_thread(web.wait_for, "/server")
    await asyncio.to_thread(server.kill)
    web.answers["/server"] = page(b"after the restart")
    await asyncio.to_thread(server.start)
    async with Client(server.address) as client:
        (result,) = await client.wait(batch)
        assert await result.read() == b"after the restart"
        await until_no_file_is_left(client, server)


async def test_a_reference_comes_over_http_too(server: ServerProcess, web: WebFake) -> None:
    web.answers["/rest"] = page(b"hello")
    job = {"input": {"uri": f"{web.url}/rest"}, "tasks": [{"custom": {"handler": "echo"}}]}
    async with httpx.AsyncClient(base_url=server.rest_url, timeout=WAIT_SECONDS_MAX) as http:
        answer = (await http.post("/v1/jobs:run", json={"job": job})).json()["job"]
        assert answer["state"] == "JOB_STATE_SUCCEEDED"
        assert answer["spec"]["input"]["uri"] == f"{web.url}/rest"
        job["input"] = {"uri": "https://elsewhere.example/"}
        refused = await http.post("/v1/jobs:run", json={"job": job})
    assert refused.status_code == 501
    assert "https" in refused.json()["message"]


async def test_without_settings_nothing_is_fetched(start_server: StartServer) -> None:
    server = start_server()
    async with Client(server.address) as client:
        assert (await client.info()).uri_schemes == ()
        batch = await client.submit(["https://files.example/a", "file:///etc/passwd", "s3://scans/a"])
        assert [type(error) for _, error in batch.refused] == [Unsupported] * 3


def test_settings_that_cannot_be_understood_are_all_named(tmp_path: Path) -> None:
    flags = ["--source-roots", "in", "--source-hosts", "a b", "--source-networks", "10.0.0.1/8", "--source-buckets", "scans"]
    ran = subprocess.run(
        [sys.executable, "-m", "ingest_server", "--data-dir", str(tmp_path), *flags],
        capture_output=True, text=True, timeout=30, env=environment(), check=False,
    )  # fmt: skip
    assert ran.returncode != 0
    for name in ("source_roots", "source_hosts", "source_networks", "source_buckets"):
        assert name in ran.stderr


def test_the_command_line_passes_references(server: ServerProcess, web: WebFake, root: Path, tmp_path: Path) -> None:
    (root / "notes.txt").write_text("words of a file")
    web.answers["/page.txt"] = page(b"words of the web", "Content-Type: text/plain")
    command = [sys.executable, "-m", "ingest_client.cli", "--server", server.address, "run"]
    uris = [f"file://{root}/notes.txt", f"{web.url}/page.txt"]
    out = tmp_path / "out"
    ran = subprocess.run(
        [*command, *uris, "-o", str(out)], capture_output=True, text=True, timeout=60, env=environment(), check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert {path.name: path.read_text().strip() for path in out.iterdir()} == {
        "notes.txt": "words of a file",
        "page.txt": "words of the web",
    }


async def test_a_document_in_parts_is_fetched_once(client: Client, web: WebFake) -> None:
    data = manual(50)
    web.answers["/manual.pdf"] = page(data, "Content-Type: application/pdf")
    web.requests.clear()
    in_parts = await client.run(JobSpec(f"{web.url}/manual.pdf", extract(pages_per_part=9)))
    at_once = await client.run(JobSpec(Input(data=data), extract(pages_per_part=50)))
    assert await in_parts.raise_for_state().document() == await at_once.raise_for_state().document()
    assert len([request for request in web.requests if "/manual.pdf" in request]) == 1
