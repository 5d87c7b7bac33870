"""Our own turns: the real server with fsync and two workers, every output in the client's hands, by client and by bare stubs."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import uvloop

from ingest.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from ingest_client import Client, JobResult, JobSpec, echo
from scripts.bench.peer_queues.turn import Amount, Turn
from scripts.bench.server import server

CLIENT, STUBS = "ingest/client", "ingest/stubs"
"""Our Python client as everybody uses it: submit, wait. The generated stubs: calls of 1,000, one watch for outputs."""

ANSWER = b"7"
ITEMS_PER_CALL = 1_000
CALLS_AT_ONCE = 8
WARM_UP_JOBS = 200
PROBE_JOBS = 2_000
MESSAGE_BYTES_MAX = 16 << 20

Run = Callable[[int], Awaitable[None]]


def measure(name: str, folder: Path, amount: Amount) -> Turn:
    """One turn of `CLIENT` or `STUBS`, with a server of its own and its data below `folder`."""
    with server("--workers", "2", data_dir=folder / "data") as running:
        turns = {CLIENT: _by_client, STUBS: _by_stubs}
        return uvloop.run(turns[name](running.address, amount))


async def _by_client(address: str, amount: Amount) -> Turn:
    spec = JobSpec(tasks=echo()).with_input(ANSWER)
    async with Client(address) as client:

        async def run(jobs: int) -> None:
            if jobs == 1:
                results: tuple[JobResult, ...] = (await client.run(spec),)
            else:
                results = await client.wait(await client.submit([spec] * jobs))
            _check([(result.output and result.output.data) or b"" for result in results], jobs)

        return await _turn(run, amount)


async def _by_stubs(address: str, amount: Amount) -> Turn:
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        return await _turn(lambda jobs: _submit_and_watch(stub, jobs), amount)


async def _submit_and_watch(stub: job_service_pb2_grpc.JobServiceStub, jobs: int) -> None:
    batch_id = str(uuid.uuid4())
    spec = job_pb2.JobSpec(tasks=[job_pb2.Task(custom=job_pb2.CustomTask(handler="echo"))], input=job_pb2.Payload(data=ANSWER))
    outputs = asyncio.create_task(_outputs(stub, batch_id, jobs))
    room = asyncio.Semaphore(CALLS_AT_ONCE)

    async def submit(items: int) -> None:
        request = job_service_pb2.SubmitJobsRequest(batch_id=batch_id, jobs=[spec] * items)
        async with room:
            answer = await stub.SubmitJobs(request)
        assert len(answer.results) == items, answer

    await asyncio.gather(*(submit(min(ITEMS_PER_CALL, jobs - first)) for first in range(0, jobs, ITEMS_PER_CALL)))
    _check(await outputs, jobs)


async def _outputs(stub: job_service_pb2_grpc.JobServiceStub, batch_id: str, wanted: int) -> list[bytes]:
    request = job_service_pb2.WatchJobsRequest(
        batch_id=batch_id, allow_missing_batch=True, terminal_only=True, view=job_pb2.JOB_VIEW_FULL
    )
    watch = stub.WatchJobs(request)
    found: list[bytes] = []
    async for message in watch:
        found += [event.output.data for event in message.events]
        if len(found) >= wanted:
            break
    watch.cancel()
    return found


def _check(outputs: list[bytes], wanted: int) -> None:
    if len(outputs) != wanted or any(output != ANSWER for output in outputs):
        raise RuntimeError(f"{wanted} outputs of {ANSWER!r} were due, but {len(outputs)} came: {set(outputs)}")


async def _turn(run: Run, amount: Amount) -> Turn:
    for jobs in (1, WARM_UP_JOBS, min(PROBE_JOBS, amount.jobs_max)):
        await run(jobs)
    begin = time.perf_counter()
    await run(amount.jobs_max)
    seconds = time.perf_counter() - begin
    latencies = []
    for _ in range(amount.latency_jobs):
        start = time.perf_counter()
        await run(1)
        latencies.append(time.perf_counter() - start)
    return Turn(amount.jobs_max, seconds, tuple(latencies))
