"""Callbacks: each is delivered though receiver and server are killed on the way; and how fast they go, beside a bare client."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from ingest_client import Batch, Callback, Client, DeliveryState, JobSpec, echo
from scripts.bench.callback_tally import ReceiverProcess
from scripts.bench.figures import Figure, Requirement
from scripts.bench.plan import Plan
from scripts.bench.server import RunningServer, server

PER_HOST_MAX = 8
"""callback_concurrent_per_host_max: what is under way at a kill may be told twice."""
KILLS = 2
_BODY = b'{"type":"job.succeeded","data":{"job_id":"%d"}}'
_HEADERS = {"webhook-id": "msg_bench", "webhook-signature": "v1,none", "content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Survived:
    """What became of the callbacks of one round with kills.

    Attributes:
        delivered: fraction answered with 2xx and noted so.
        wrong: messages with a wrong signature, and jobs whose messages came under several ids.
        doubled: deliveries accepted more than once.
        seconds: from the submit to the last, kills and starts included.
    """

    delivered: float
    wrong: int
    doubled: int
    seconds: float


def callbacks(plan: Plan) -> list[Figure]:
    """All figures of callbacks."""
    jobs, fast = plan.size(1_000, 100), plan.size(2_000, 100)
    survived, rates, bare, cpu = [], [], [], []
    for _ in range(plan.rounds):
        with plan.folder() as folder:
            survived.append(_survive(folder, jobs))
        with plan.folder() as folder:
            rate, ceiling, cpu_us = _rate(folder, fast)
        rates.append(rate)
        bare.append(ceiling)
        cpu.append(cpu_us)
    return [
        Figure(
            "callbacks.delivered",
            f"of {jobs:,} callbacks delivered; receiver fails every other and is killed once, server too",
            "",
            tuple(each.delivered for each in survived),
            requirements=(Requirement("ours", least=1.0),),
        ),
        Figure(
            "callbacks.wrong",
            "  messages with a wrong signature or a second id",
            "",
            tuple(float(each.wrong) for each in survived),
            requirements=(Requirement("ours", most=0.0),),
        ),
        Figure(
            "callbacks.doubled",
            "  deliveries accepted twice, with the same id",
            "",
            tuple(float(each.doubled) for each in survived),
            requirements=(Requirement("ours", most=float(KILLS * PER_HOST_MAX)),),
        ),
        Figure("callbacks.seconds", "  time for all, starts included", "s", tuple(each.seconds for each in survived)),
        Figure(
            "callbacks.rate",
            f"callbacks of ended jobs to one receiver, {PER_HOST_MAX} at a time",
            "/s",
            tuple(rates),
            tuple(bare),
            "the same POSTs by a bare client",
        ),
        Figure("callbacks.cpu", "  processor time of server and store for each", "µs", tuple(cpu)),
    ]


def _survive(folder: Path, jobs: int) -> Survived:
    with ReceiverProcess(0.5) as receiver:
        begin = time.perf_counter()
        with server(data_dir=folder, environment=receiver.settings, stop=signal.SIGKILL) as first:
            batch = asyncio.run(_submit(first.address, receiver.url, jobs))
            receiver.wait_for(messages=jobs // 4)
            receiver.kill()
            receiver.start()
            receiver.wait_for(accepted=jobs // 2)
        with server(data_dir=folder, environment=receiver.settings) as second:
            receiver.wait_for(accepted=jobs)
            seconds = time.perf_counter() - begin
            noted = asyncio.run(_noted(second.address, batch))
    told = sum(any(each in receiver.accepted for each in receiver.ids.get(job_id, ())) for job_id in batch.job_ids)
    wrong = receiver.invalid + sum(len(ids) > 1 for ids in receiver.ids.values())
    doubled = sum(count > 1 for count in receiver.accepted.values())
    return Survived(min(told, noted) / jobs, wrong, doubled, seconds)


async def _submit(address: str, url: str, jobs: int) -> Batch:
    spec = JobSpec(b"x", echo(), callbacks=(Callback(url),))
    async with Client(address) as client:
        batch = await client.submit([spec] * jobs)
        assert not batch.refused
        await client.wait(batch)
    return batch


async def _noted(address: str, batch: Batch) -> int:
    """Jobs whose delivery the server has noted as delivered; it does so a moment after the receiver's answer."""
    count = 0
    async with Client(address) as client, asyncio.timeout(60):
        for job_id in batch.job_ids:
            while True:
                found = [each async for each in client.deliveries.list(job_id)]
                if all(each.state.ended for each in found):
                    break
            count += [each.state for each in found] == [DeliveryState.DELIVERED]
    return count


def _rate(folder: Path, jobs: int) -> tuple[float, float, float]:
    """Callbacks per second from the moment on when all jobs have ended, that of a bare client, and processor time of each."""
    with ReceiverProcess(0.0) as receiver:
        ceiling = asyncio.run(_bare(receiver.url, jobs))
        with server(data_dir=folder, environment=receiver.settings) as running:
            asyncio.run(_submit(running.address, receiver.url, jobs))
            begin, seen, before = time.perf_counter(), receiver.messages, _cpu(running)
            receiver.wait_for(accepted=jobs + 1)  # the bare client's share one id
            seconds, sent = time.perf_counter() - begin, receiver.messages - seen
            return sent / seconds, ceiling, (_cpu(running) - before) / sent * 1e6


async def _bare(url: str, count: int) -> float:
    """POSTs per second of a client that does nothing else, as many at a time as the server has under way to one host."""
    connector = aiohttp.TCPConnector(limit=PER_HOST_MAX)
    left = iter(range(count))
    async with aiohttp.ClientSession(connector=connector, headers=_HEADERS) as session:

        async def post() -> None:
            for number in left:
                headers = {"webhook-timestamp": str(int(time.time()))}
                async with session.post(url, data=_BODY % number, headers=headers) as response:
                    assert response.status == 204

        begin = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(PER_HOST_MAX)))
        return count / (time.perf_counter() - begin)


def _cpu(running: RunningServer) -> float:
    seconds = running.cpu_seconds()
    return seconds["server"] + seconds["store"]
