"""Five hundred browsers on one batch, one of which reads a byte a second: when the others hear of a job's end."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

import grpc
import uvloop

from ingest.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from scripts.bench.server import RunningServer

ENDED = b"JOB_STATE_SUCCEEDED"
PAUSE_SECONDS = 0.02
"""Between the end of one job at all clients and the next submit."""
ALL_SECONDS_MAX = 60.0
RECEIVE_BUFFER_BYTES = 4_096
"""Of the slow reader, so that its stream backs up into the shim and does not lie in the kernel."""


@dataclass(frozen=True, slots=True)
class EventTimes:
    """99th percentile and median, in seconds, from a submit to the event of the job's end at each of the quick readers."""

    p99: float
    p50: float


class _Reader(asyncio.Protocol):
    """One quick client: notes when each job's end comes."""

    def __init__(self, request: bytes, heard: asyncio.Queue[float]) -> None:
        self._request = request
        self._heard = heard
        self._kept = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports have the methods, not the base class
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Look for the end of a job; the word may lie across two pieces."""
        now = time.perf_counter()
        text = self._kept + data
        for _ in range(text.count(ENDED)):
            self._heard.put_nowait(now)
        cut = text.rfind(ENDED)
        self._kept = (text if cut < 0 else text[cut + len(ENDED) :])[1 - len(ENDED) :]


class _SlowReader:
    """One client that takes a byte a second, or as fast as it can while `slow` is not set."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self.slow = False
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.connect((host, port))
        self._socket.sendall(request)
        self._socket.setblocking(False)

    async def read(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_recv(self._socket, 1 if self.slow else 1 << 16)
            if self.slow:
                await asyncio.sleep(1.0)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


async def _phase(
    stub: job_service_pb2_grpc.JobServiceStub, batch_id: str, heard: asyncio.Queue[float], readers: int, jobs: int
) -> EventTimes:
    """Submit jobs one after the other; each when all quick readers have heard of the end of the last."""
    echo = job_pb2.Task(custom=job_pb2.CustomTask(handler="echo"))
    message = job_service_pb2.SubmitJobsRequest(batch_id=batch_id, jobs=[job_pb2.JobSpec(tasks=[echo])])
    seconds: list[float] = []
    for _ in range(jobs):
        begin = time.perf_counter()
        await stub.SubmitJobs(message)
        async with asyncio.timeout(ALL_SECONDS_MAX):
            seconds += [await heard.get() - begin for _ in range(readers)]
        await asyncio.sleep(PAUSE_SECONDS)
    seconds.sort()
    return EventTimes(seconds[len(seconds) * 99 // 100], seconds[len(seconds) // 2])


async def _measure(server: RunningServer, clients: int, jobs: int, rounds: int) -> list[tuple[EventTimes, EventTimes]]:
    address = urlsplit(server.rest_url)
    assert address.hostname is not None
    assert address.port is not None
    batch_id = str(uuid.uuid4())
    path = f"/v1/jobs:watch?batch_id={batch_id}&allow_missing_batch=true"
    request = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode()
    heard: asyncio.Queue[float] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    readers = [
        (await loop.create_connection(lambda: _Reader(request, heard), address.hostname, address.port))[1]
        for _ in range(clients - 1)
    ]
    slow = _SlowReader(address.hostname, address.port, request)
    reading = asyncio.create_task(slow.read())
    found = []
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        await _phase(stub, batch_id, heard, len(readers), max(jobs // 4, 2))
        for number in range(rounds):
            phases: dict[bool, EventTimes] = {}
            for is_slow in (False, True) if number % 2 else (True, False):
                slow.slow = is_slow
                phases[is_slow] = await _phase(stub, batch_id, heard, len(readers), jobs)
            found.append((phases[True], phases[False]))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    slow.close()
    for reader in readers:
        if reader.transport is not None:
            reader.transport.abort()
    return found


def measure(server: RunningServer, clients: int, jobs: int, rounds: int) -> list[tuple[EventTimes, EventTimes]]:
    """Each round: with one client of `clients` reading a byte a second, and with all of them quick, in changing order."""
    return uvloop.run(_measure(server, clients, jobs, rounds))
