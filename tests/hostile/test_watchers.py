"""Watchers that vanish, sleep or come in crowds: nothing is left of them, and nobody else notices."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import grpc.aio
import psutil

from ingest.v1 import job_service_pb2, job_service_pb2_grpc
from ingest_client import Client, JobSpec, custom
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import ServerProcess, environment

NOOP = JobSpec(tasks=custom("noop"))
WATCHER = """
import sys, grpc
from ingest.v1 import job_service_pb2, job_service_pb2_grpc
channel = grpc.insecure_channel(sys.argv[1])
jobs = job_service_pb2_grpc.JobServiceStub(channel)
streams = [jobs.WatchJobs(job_service_pb2.WatchJobsRequest()) for _ in range(20)]
for stream in streams:
    next(stream)
print("open", flush=True)
sys.stdin.read()
"""


async def until_watchers(client: Client, count: int) -> None:
    """Ask until so many streams are open; each turn is a call of its own."""
    async with asyncio.timeout(20):
        while (await client.stats()).watch_count != count:
            pass


async def test_process_with_open_watches_is_killed(client: Client, server: ServerProcess) -> None:
    await client.submit([NOOP])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WATCHER, server.address, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"
    await until_watchers(client, 20)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await until_watchers(client, 0)


async def test_slow_watcher_harms_nobody_and_misses_no_end(start_server: StartServer) -> None:
    server = start_server("--watch-buffer-events-max", "500")
    async with Client(server.address) as client, grpc.aio.insecure_channel(server.address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        slow = stub.WatchJobs(job_service_pb2.WatchJobsRequest())
        assert (await slow.read()).snapshot_done
        quick: set[str] = set()
        rss_before = psutil.Process(server.pid).memory_info().rss
        batch_id = ""
        async with client.watch(terminal_only=True) as watch:
            for _ in range(6):
                batch = await client.submit([NOOP] * 5_000)
                batch_id = batch_id or batch.batch_id
                wanted = set(batch.job_ids)
                async for events in watch.batches():
                    quick.update(event.job_id for event in events)
                    if wanted <= quick:
                        break
        assert psutil.Process(server.pid).memory_info().rss - rss_before < 64 << 20
        ended: dict[str, int] = {}
        revisions: dict[str, int] = {}
        while len(ended) < len(quick):
            message = await slow.read()
            for event in message.events:
                assert event.revision > revisions.get(event.job_id, 0)
                revisions[event.job_id] = event.revision
                if event.state >= 5:
                    assert event.job_id not in ended
                    ended[event.job_id] = event.state
        assert ended.keys() == quick
        slow.cancel()


async def test_two_hundred_watchers_all_hear_everything(client: Client, server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        paused = JobSpec(tasks=custom("noop"), start_delay_seconds=1.0)
        batch = await client.submit([paused] * 50)
        request = job_service_pb2.WatchJobsRequest(batch_id=batch.batch_id, stop_when_done=True)

        async def follow() -> int:
            ends = 0
            async for message in stub.WatchJobs(request):
                ends += sum(event.state >= 5 for event in message.events)
            return ends

        assert await asyncio.gather(*(follow() for _ in range(200))) == [50] * 200
    await until_watchers(client, 0)
