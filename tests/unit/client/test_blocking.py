"""The blocking client: from threads, with iterators, closed early; the fake server runs on the same shared loop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest.v1 import document_pb2
from ingest_client import BlockingClient, JobSpec, JobState, echo, errors
from ingest_client._loop_thread import LoopThread
from ingest_client.document import DOCUMENT_MEDIA_TYPE
from tests.fakes.job_service import FakeServer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """The shared loop, so that server and client poll on one loop as the module explains."""
    held = LoopThread.acquire()
    yield held
    held.release()


@pytest.fixture
def blocking_server(thread: LoopThread) -> Iterator[FakeServer]:
    """A fake server on the shared loop."""

    async def start() -> FakeServer:
        fake = FakeServer()
        await fake.start()
        return fake

    fake = thread.call(start())
    yield fake
    thread.call(fake.stop())


@pytest.fixture
def blocking(blocking_server: FakeServer) -> Iterator[BlockingClient]:
    """An open blocking client."""
    with BlockingClient(blocking_server.address) as client:
        yield client


def test_threads_share_calls_and_each_gets_its_own(blocking_server: FakeServer, blocking: BlockingClient) -> None:
    """Eight threads, no mix-up."""
    spec = JobSpec(tasks=echo())
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda n: blocking.run(spec.with_input(str(n).encode())).text(), range(64)))
    assert texts == [str(n) for n in range(64)]
    assert blocking_server.calls["WatchJobs"] == 1


def test_generator_runs_in_the_calling_thread(blocking_server: FakeServer, blocking: BlockingClient) -> None:
    """A slow or blocking generator must not hold up the shared loop."""
    threads = set()

    def jobs() -> Iterator[bytes]:
        for n in range(1200):
            threads.add(threading.current_thread())
            yield str(n).encode()

    batch = blocking.submit(jobs())
    assert threads == {threading.current_thread()}
    assert len(batch.job_ids) == 1200
    assert [blocking_server.specs[job_id].input.data for job_id in batch.job_ids] == [str(n).encode() for n in range(1200)]
    assert {job.batch_id for job in blocking_server.jobs.values()} == {batch.batch_id}


def test_iterators_wait_and_can_be_left(blocking_server: FakeServer, blocking: BlockingClient) -> None:
    """Fetch, as_completed, list, watch; leaving one early closes its stream."""
    batch = blocking.submit([b"a", b"b", b"c"])
    assert [result.read() for result in blocking.fetch(batch)] == [b"a", b"b", b"c"]
    assert sorted(result.text() for result in blocking.as_completed(batch)) == ["a", "b", "c"]
    assert [result.state for result in blocking.wait(batch)] == [JobState.SUCCEEDED] * 3
    assert len(list(blocking.list())) == 3
    watch = blocking.watch(batch)
    assert next(watch).state is JobState.SUCCEEDED
    watch.close()  # type: ignore[attr-defined]


def test_errors_are_those_of_the_async_client(blocking: BlockingClient) -> None:
    """Same tree, raised in the caller's thread."""
    with pytest.raises(errors.NotFound):
        blocking.get("unknown")
    handle = blocking.submit_one(b"x")
    assert handle.result(timeout_seconds=10).succeeded


def test_calls_after_close_are_refused(blocking_server: FakeServer) -> None:
    """And closing twice is no error."""
    client = BlockingClient(blocking_server.address)
    with pytest.raises(errors.ClientClosed):
        client.info()
    with client:
        client.info()
    client.close()
    with pytest.raises(errors.ClientClosed):
        client.info()


def test_last_client_stops_the_thread() -> None:
    """No thread is left behind; the next client starts another."""
    for _ in range(2):
        with BlockingClient("127.0.0.1:1"):
            assert any(each.name == "ingest-client" for each in threading.enumerate())
        assert not any(each.name == "ingest-client" for each in threading.enumerate())


def test_one_loop_after_another_in_a_process_leaves_no_noise(blocking_server: FakeServer) -> None:
    """gRPC serves the first loop for as long as any channel or call lives: `close` must let go of all of them by itself."""
    script = f"""
import asyncio, gc
import grpc.aio
from ingest_client import Client

async def once():
    async with Client({blocking_server.address!r}) as client:
        kept.append(client)  # as a program does that holds its client in a variable
        await asyncio.gather(*(client.run(b"x") for _ in range(20)))

kept = []
gc.disable()
for _ in range(3):
    asyncio.run(once())
    left = [type(each).__name__ for each in gc.get_objects() if isinstance(each, (grpc.aio.Call, grpc.aio.Channel))]
    assert not left, left
"""
    path = os.pathsep.join((str(ROOT), str(ROOT / "protos")))
    ended = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_call_from_the_loop_itself_is_refused(thread: LoopThread) -> None:
    """It would wait for itself for ever."""

    async def inner() -> None:
        with pytest.raises(RuntimeError, match="own event loop"):
            thread.call(never())

    async def never() -> None:
        raise AssertionError("must not run")

    thread.call(inner())


def test_documents_are_rendered_without_await(blocking_server: FakeServer, blocking: BlockingClient) -> None:
    """As `JobResult` does."""
    blocking_server.output_media_type = DOCUMENT_MEDIA_TYPE
    document = document_pb2.Document(title="T")
    document.elements.add(id="e1", page=2).text.text = "*a*"
    result = blocking.run(document.SerializeToString())
    assert (result.text(), result.markdown()) == ("*a*", "\\*a\\*")
    assert "<p>*a*</p>" in result.html()
    assert result.render("text", page_marks=True) == "[page 2]\n\n*a*"
    assert result.json()["title"] == "T"
