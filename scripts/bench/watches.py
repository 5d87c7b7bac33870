"""A thousand idle watch streams: what each costs, and what they cost a submit beside them."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

import grpc
import psutil
import uvloop

from ingest.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from scripts.bench.server import RunningServer

STREAMS_PER_CHANNEL = 50


@dataclass(frozen=True, slots=True)
class Watches:
    """Bytes of the server per idle stream, and the 99th percentile of a submit in seconds without and with them."""

    streams: int
    bytes_each: float
    p99_before: float
    p99_with: float
    p50_before: float
    p50_with: float


async def _submits(stub: job_service_pb2_grpc.JobServiceStub, count: int) -> list[float]:
    echo = job_pb2.Task(custom=job_pb2.CustomTask(handler="echo"))
    message = job_service_pb2.SubmitJobsRequest(jobs=[job_pb2.JobSpec(tasks=[echo])])
    seconds = []
    for _ in range(count):
        begin = time.perf_counter()
        await stub.SubmitJobs(message)
        seconds.append(time.perf_counter() - begin)
        await asyncio.sleep(0.001)  # paced: the figure is a latency, not a throughput
    return sorted(seconds)


async def watch_idle(server: RunningServer, streams: int, submits: int) -> Watches:
    """Measure submits, open `streams` watches of batches in which nothing happens, measure submits again."""
    process = psutil.Process(server.pid)
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        await _submits(stub, submits // 4)
        before = await _submits(stub, submits)
        rss_before = process.memory_info().rss
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(server.address, options=options) for _ in range(-(-streams // STREAMS_PER_CHANNEL))]
        calls = []
        for number in range(streams):
            other = job_service_pb2_grpc.JobServiceStub(channels[number // STREAMS_PER_CHANNEL])
            calls.append(other.WatchJobs(job_service_pb2.WatchJobsRequest(batch_id=str(uuid.uuid4()), allow_missing_batch=True)))
        for call in calls:
            message = await call.read()
            assert message.snapshot_done
        bytes_each = (process.memory_info().rss - rss_before) / streams
        readers = [asyncio.create_task(_read(call)) for call in calls]
        beside = await _submits(stub, submits)
        for call in calls:
            call.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await asyncio.gather(*(other.close() for other in channels))
    last = submits - 1
    return Watches(streams, bytes_each, before[last * 99 // 100], beside[last * 99 // 100], before[last // 2], beside[last // 2])


async def _read(call: grpc.aio.UnaryStreamCall[job_service_pb2.WatchJobsRequest, job_service_pb2.WatchJobsResponse]) -> None:
    async for _ in call:
        pass


def measure(server: RunningServer, streams: int, submits: int) -> Watches:
    """Run it in a fresh event loop."""
    return uvloop.run(watch_idle(server, streams, submits))
