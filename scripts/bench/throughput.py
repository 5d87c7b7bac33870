"""No-op jobs end to end: submitted in calls of 1,000, run in worker processes, all terminal events received; fsync on."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

import grpc
import uvloop

from ingest.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from scripts.bench.server import RunningServer

ITEMS_PER_CALL = 1_000
CALLS_AT_ONCE = 8
INPUT = b"no operation, a few bytes of input"
FLAGS = ("--workers", "2", "--handlers", "scripts.bench.noop")
"""Of the server to measure."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What one round showed."""

    jobs: int
    seconds: float
    submit_seconds: float

    @property
    def jobs_per_second(self) -> float:
        """From the first submit to the last terminal event."""
        return self.jobs / self.seconds


def request(batch_id: str, items: int = ITEMS_PER_CALL) -> job_service_pb2.SubmitJobsRequest:
    """A call of no-op jobs."""
    noop = job_pb2.Task(custom=job_pb2.CustomTask(handler="noop"))
    spec = job_pb2.JobSpec(tasks=[noop], input=job_pb2.Payload(data=INPUT))
    return job_service_pb2.SubmitJobsRequest(batch_id=batch_id, jobs=[spec] * items)


async def round_trip(address: str, calls: int) -> Throughput:
    """One round: `calls` submits, at most CALLS_AT_ONCE at a time, beside one watch of the batch."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.max_receive_message_length", 16 << 20)]) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        batch_id = str(uuid.uuid4())
        message = request(batch_id)
        wanted = calls * ITEMS_PER_CALL
        watching = asyncio.Event()
        ended = asyncio.create_task(_terminal_events(stub, batch_id, wanted, watching))
        await watching.wait()
        begin = time.perf_counter()
        room = asyncio.Semaphore(CALLS_AT_ONCE)

        async def submit() -> None:
            async with room:
                answer = await stub.SubmitJobs(message)
                assert len(answer.results) == ITEMS_PER_CALL

        await asyncio.gather(*(submit() for _ in range(calls)))
        submitted = time.perf_counter()
        await ended
        return Throughput(wanted, time.perf_counter() - begin, submitted - begin)


async def _terminal_events(
    stub: job_service_pb2_grpc.JobServiceStub, batch_id: str, wanted: int, watching: asyncio.Event
) -> None:
    watch = stub.WatchJobs(job_service_pb2.WatchJobsRequest(batch_id=batch_id, allow_missing_batch=True, terminal_only=True))
    seen = 0
    async for message in watch:
        if message.snapshot_done:
            watching.set()
        for event in message.events:
            assert event.state == job_pb2.JOB_STATE_SUCCEEDED, event
        seen += len(message.events)
        if seen >= wanted:
            break
    watch.cancel()


def measure(server: RunningServer, calls: int) -> Throughput:
    """Run one round in a fresh event loop."""
    return uvloop.run(round_trip(server.address, calls))
