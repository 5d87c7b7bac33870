"""One job at a time: submit acknowledged, and submit to terminal event at the watcher, each beside a bare echo in turn."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

import grpc
import uvloop

from ingest.v1 import job_service_pb2, job_service_pb2_grpc
from scripts.bench.server import median
from scripts.bench.throughput import request


@dataclass(frozen=True, slots=True)
class Latency:
    """Medians in seconds."""

    echo: float
    acknowledged: float
    terminal: float


async def round_trips(address: str, echo_address: str, count: int) -> Latency:
    """`count` times in turn: one bare echo of the same message, one submit, its terminal event."""
    async with grpc.aio.insecure_channel(address) as channel, grpc.aio.insecure_channel(echo_address) as echo_channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        echo_stub = job_service_pb2_grpc.JobServiceStub(echo_channel)
        batch_id = str(uuid.uuid4())
        watch = stub.WatchJobs(job_service_pb2.WatchJobsRequest(batch_id=batch_id, allow_missing_batch=True, terminal_only=True))
        events: asyncio.Queue[str] = asyncio.Queue()
        ready = asyncio.Event()

        async def read() -> None:
            async for message in watch:
                if message.snapshot_done:
                    ready.set()
                for event in message.events:
                    events.put_nowait(event.job_id)

        reader = asyncio.create_task(read())
        await ready.wait()
        message = request(batch_id, items=1)
        echoed, acknowledged, terminal = [], [], []
        for turn in range(count + count // 10):
            begin = time.perf_counter()
            await echo_stub.SubmitJobs(message)
            middle = time.perf_counter()
            answer = await stub.SubmitJobs(message)
            known = time.perf_counter()
            assert await events.get() == answer.results[0].job_id
            end = time.perf_counter()
            if turn >= count // 10:  # the first tenth warms up
                echoed.append(middle - begin)
                acknowledged.append(known - middle)
                terminal.append(end - middle)
        watch.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return Latency(median(echoed), median(acknowledged), median(terminal))


def measure(address: str, echo_address: str, count: int) -> Latency:
    """Run one round in a fresh event loop."""
    return uvloop.run(round_trips(address, echo_address, count))
