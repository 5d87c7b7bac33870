"""The server is asked to end while it is busy: running jobs end or go back unused, watchers are told, a new server goes on."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import grpc.aio
import pytest
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ingest.v1 import job_service_pb2, job_service_pb2_grpc
from ingest_client import Client, ErrorReason, JobSpec, JobState, RetryLimits, custom, echo
from ingest_client.errors import Unavailable
from tests.acceptance.server.conftest import StartServer, let_go
from tests.acceptance.server.server_process import ServerProcess
from tests.hostile.test_server_killed import PATIENT, client_of, progress_of

UNAVAILABLE = 14
ONCE = RetryLimits(attempts_max=1)


async def test_running_job_ends_in_the_drain(start_server: StartServer, tmp_path: Path, fifo: Path) -> None:
    server = start_server(listen=f"unix:{tmp_path}/socket", workers=1)
    async with client_of(server) as client:
        batch = await client.submit([JobSpec(str(fifo).encode(), custom("wait")), *[JobSpec(b"x", echo())] * 50])
        running, *waiting = batch.job_ids
        await progress_of(client, running)
        async with grpc.aio.insecure_channel(server.address) as channel:
            told = await drained_watch(channel, server, fifo)
        assert told.code == UNAVAILABLE
        assert await asyncio.to_thread(server.wait) == 0, server.log
        await asyncio.to_thread(server.start)
        jobs = [await client.get(running, full=True)]
        assert [(job.state, job.attempt, job.crash_count, len(job.attempts)) for job in jobs] == [(JobState.SUCCEEDED, 1, 0, 1)]
        results = await client.wait(waiting)
        assert all(result.succeeded for result in results)
        assert {(await client.get(job_id)).attempt for job_id in waiting} == {1}


async def drained_watch(channel: grpc.aio.Channel, server: ServerProcess, fifo: Path) -> status_pb2.Status:
    """Send SIGTERM while a watch and a health check are open; let the running job go on; answer the close that came."""
    jobs = job_service_pb2_grpc.JobServiceStub(channel)
    health = health_pb2_grpc.HealthStub(channel)
    states = health.Watch(health_pb2.HealthCheckRequest(service="ingest.v1.JobService"))
    assert (await states.read()).status == health_pb2.HealthCheckResponse.SERVING
    watch = jobs.WatchJobs(job_service_pb2.WatchJobsRequest())
    message = await watch.read()
    while not message.snapshot_done:
        message = await watch.read()
    server.signal(signal.SIGTERM)
    assert (await states.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    async with Client(server.address, retry=ONCE) as late:
        with pytest.raises(Unavailable) as refused:
            await late.submit([JobSpec(b"x", echo())])
        assert refused.value.reason is ErrorReason.SHUTTING_DOWN
        assert refused.value.retry_after_seconds
    while not message.HasField("close"):
        message = await watch.read()
        assert message is not grpc.aio.EOF, "the watch ended without a close"
    assert message.resume_token
    assert await watch.read() is grpc.aio.EOF
    states.cancel()
    await let_go(fifo)
    status: status_pb2.Status = message.close.status
    return status


async def test_job_that_does_not_end_goes_back_unused(start_server: StartServer, tmp_path: Path, fifo: Path) -> None:
    server = start_server("--drain-seconds", "0.2", listen=f"unix:{tmp_path}/socket", workers=1)
    async with client_of(server) as client:
        handle = await client.submit_one(JobSpec(str(fifo).encode(), custom("wait")))
        await progress_of(client, handle.job_id)
        assert await asyncio.to_thread(server.stop) == 0, server.log
        await asyncio.to_thread(server.start)
        await progress_of(client, handle.job_id)
        await let_go(fifo)
        assert (await handle.result()).succeeded
        job = await client.get(handle.job_id, full=True)
        assert (job.attempt, job.crash_count) == (1, 0), "the shutdown cost the job an attempt"


async def test_second_signal_ends_at_once(start_server: StartServer, tmp_path: Path, fifo: Path) -> None:
    server = start_server("--drain-seconds", "3600", listen=f"unix:{tmp_path}/socket", workers=1)
    async with client_of(server) as client:
        handle = await client.submit_one(JobSpec(str(fifo).encode(), custom("stubborn")))
        await progress_of(client, handle.job_id)
        async with grpc.aio.insecure_channel(server.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            states = health.Watch(health_pb2.HealthCheckRequest(service="ingest.v1.JobService"))
            assert (await states.read()).status == health_pb2.HealthCheckResponse.SERVING
            server.signal(signal.SIGTERM)
            assert (await states.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            server.signal(signal.SIGTERM)
            states.cancel()
        assert await asyncio.to_thread(server.wait) == 0, server.log
        await asyncio.to_thread(server.start)
        job = await client.get(handle.job_id)
        assert not job.state.terminal
        assert job.crash_count == 0


async def test_drain_under_load(start_server: StartServer, tmp_path: Path) -> None:
    """Submitters never notice more than a wait, and every job runs once: a drain hands nothing back that has run."""
    server = start_server(listen=f"unix:{tmp_path}/socket")
    tally = tmp_path / "tally"
    spec = JobSpec(tasks=custom("tally", path=str(tally)))
    async with Client(server.address, retry=PATIENT) as client:
        accepted: list[str] = []

        async def submit() -> None:
            for _ in range(60):
                accepted.extend((await client.submit([spec] * 20)).job_ids)

        submitting = asyncio.create_task(submit())
        for _ in range(2):
            count = len(accepted)
            async with client.watch(terminal_only=True) as watch:
                async for _event in watch:
                    if len(accepted) > count + 100:
                        break
            assert await asyncio.to_thread(server.stop) == 0, server.log
            await asyncio.to_thread(server.start)
        await submitting
        assert all(result.succeeded for result in await client.wait(accepted))
    assert sorted(tally.read_text().split()) == sorted(accepted)


def test_sigint_is_a_drain_too(start_server: StartServer) -> None:
    server = start_server()
    server.signal(signal.SIGINT)
    assert server.wait() == 0, server.log
