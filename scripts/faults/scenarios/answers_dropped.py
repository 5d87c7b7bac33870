"""Submits whose answers are lost on the way and that are sent again, with the same request id, until one is read."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
import uuid
from collections.abc import Iterator

import grpc.aio

from ingest.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from ingest_client import Client, JobState, echo
from scripts.faults.ledger import Ledger
from scripts.faults.rig import killed_and_started, patient, played, serving, until
from scripts.faults.scenario import Progress, Round, Scenario
from tests.acceptance.server.cutting_proxy import CuttingProxy

SUBMITS, SUBMITS_SHORT = 100_000, 400
CHANNELS, CALLERS_PER_CHANNEL = 16, 8
CUT_BYTES = (200, 40_000)
"""From before the first answer to some hundred."""
CALL_SECONDS_MAX = 60.0
KILLS, KILLS_SHORT = 10, 1
END_SECONDS_MAX = 300.0
LAST_END_SECONDS_MAX = 20.0
"""Less than a lease: no job of a caller that went away waits for the end of one."""
LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED)
"""How a call ends whose connection breaks."""


class _Submits:
    """Sends every request at least twice, and until an answer has come.

    Attributes:
        ids: the job of each request.
        sent, lost: calls, and those whose answer was cut off.
        wrong: requests of which two answers named different jobs.
    """

    def __init__(self, chance: random.Random, count: int, progress: Progress) -> None:
        self._requests = self._make(chance, count)
        self._progress = progress
        self.ids: list[str] = []
        self.sent = self.lost = 0
        self.wrong: list[str] = []

    async def caller(self, stub: job_service_pb2_grpc.JobServiceStub) -> None:
        """Send requests as long as there are any."""
        for request in self._requests:
            first = await self._call(stub, request)
            answer = await self._call(stub, request)
            while not answer:
                answer = await self._call(stub, request)
            if first and first != answer:
                self.wrong.append(f"{request.request_id}: {first}, then {answer}")
            self.ids.append(answer)
            self._progress.advance()

    async def _call(self, stub: job_service_pb2_grpc.JobServiceStub, request: job_service_pb2.SubmitJobsRequest) -> str:
        """The id of the job; "" if the answer was lost."""
        self.sent += 1
        try:
            answer = await stub.SubmitJobs(request, timeout=CALL_SECONDS_MAX, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if error.code() not in LOST:
                raise AssertionError(f"{request.request_id}: {error.code()} {error.details()}") from error
            self.lost += 1
            return ""
        (job_id,) = answer.job_ids
        return str(job_id)

    @staticmethod
    def _make(chance: random.Random, count: int) -> Iterator[job_service_pb2.SubmitJobsRequest]:
        spec = job_pb2.JobSpec(tasks=[echo().to_proto()])
        for _ in range(count):
            request_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
            yield job_service_pb2.SubmitJobsRequest(request_id=request_id, jobs=[spec])


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--submits", type=int, default=0, help=f"(default {SUBMITS:,}; {SUBMITS_SHORT} with --short)")


async def _send(proxy: CuttingProxy, submits: _Submits) -> None:
    """Let all callers go."""
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 200),
    ]
    address = proxy.url.removeprefix("http://")
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(CHANNELS)]
    try:
        stubs = [job_service_pb2_grpc.JobServiceStub(channel) for channel in channels] * CALLERS_PER_CHANNEL
        async with asyncio.TaskGroup() as callers:
            for stub in stubs:
                callers.create_task(submits.caller(stub))
    finally:
        for channel in channels:
            await channel.close()


async def _unended(client: Client) -> int:
    """Wait until every job has ended; answers how many had not after `END_SECONDS_MAX`."""
    left = 0
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            while True:
                groups = (await client.count(by=("state",))).groups
                left = sum(group.count for group in groups if group.state is not JobState.SUCCEEDED)
                if not left:
                    return 0
                await asyncio.sleep(0.1)
    except TimeoutError:
        return left


async def _play(this: Round, ledger: Ledger) -> None:
    count = this.options.submits or (SUBMITS_SHORT if this.short else SUBMITS)
    kills = KILLS_SHORT if this.short else KILLS
    chance = random.Random(this.seed)
    submits = _Submits(chance, count, this.progress)
    this.progress.begin("submits", count)
    async with serving(this, handlers=[]) as server, patient(server) as client:
        path = server.address.removeprefix("unix:")
        async with CuttingProxy(path, 0, seed=chance.getrandbits(32), cut_bytes=CUT_BYTES, marker=b"").running() as proxy:
            sending = asyncio.create_task(_send(proxy, submits))
            for number in range(kills):
                wanted = count * (number + 1) // (kills + 1)
                await until(lambda wanted=wanted: len(submits.ids) >= wanted or sending.done())  # type: ignore[misc]
                await killed_and_started(server)
            await sending
        sent_at = time.perf_counter()
        unended = await _unended(client)
        waited = time.perf_counter() - sent_at
        total = (await client.count()).total
    ledger.note("submits", count)
    ledger.note("calls", submits.sent)
    ledger.note("answers_cut_off", submits.lost)
    ledger.note("kills", kills)
    ledger.none("submits_with_two_jobs", submits.wrong)
    ledger.require(len(set(submits.ids)) == len(submits.ids) == count, f"{len(set(submits.ids))} jobs were named")
    ledger.note("jobs", total)
    ledger.require(total == count, f"there are {total} jobs of {count} submits")
    ledger.note("jobs_not_succeeded", unended)
    ledger.require(not unended, f"{unended} jobs did not succeed")
    ledger.most("last_end_after_seconds", waited, LAST_END_SECONDS_MAX)
    ledger.require(submits.lost > 0, "no answer was lost: nothing was tried")


SCENARIO = Scenario(
    "answers-dropped",
    "Submits whose answers are lost (the connection is cut, or the server killed) are sent again; each at least twice.",
    "Exactly one job for each of 100,000 submits.",
    played(_play, short_seconds_max=90, full_seconds_max=3_600),
    _arguments,
)
