"""Watches whose connections are cut in the midst of a message, again and again, while the server is killed now and then."""

from __future__ import annotations

import argparse
import asyncio

import grpc.aio

from ingest.v1 import job_service_pb2, job_service_pb2_grpc
from ingest_client import Client, JobSpec, JobState, custom
from scripts.faults.ledger import Ledger
from scripts.faults.rig import ENGINE_HANDLERS, killed_and_started, patient, played, serving, until
from scripts.faults.scenario import Round, Scenario
from tests.acceptance.server.cutting_proxy import CuttingProxy
from tests.acceptance.server.server_process import ServerProcess
from tests.hostile.observer import Observer

CUTS, CUTS_SHORT = 10_000, 60
RESTARTS, RESTARTS_SHORT = 100, 1
WATCHERS = 8
CUT_BYTES = (150, 60_000)
"""From before the first message to some hundred events."""
FLAGS = ("--watch-message-events-max", "50")
"""A message must fit between two cuts, or a watch that is behind would never get one whole."""
JOBS_AT_ONCE, JOBS_WAITING_MAX = 100, 1_000
PAUSE_SECONDS = 0.02
"""Before a connection is made anew: while the server starts, it is refused at once."""
BEHIND_MAX = 3_000
"""Changes that the followers may be behind before more jobs come."""
LAST_SECONDS_MAX = 60.0
Change = tuple[str, int, JobState]


class _Follower:
    """Follows all jobs over connections that are cut; resumes after the last whole message. Holds what it saw against the truth.

    Attributes:
        wrong: the first difference from the truth; "" if there was none.
        matched: changes that were as they should be.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address, token
        self._unmatched: list[Change] = []
        self.matched = 0
        self.wrong = ""

    async def follow(self) -> None:
        """Go on until cancelled."""
        while True:
            async with grpc.aio.insecure_channel(self._address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                request = job_service_pb2.WatchJobsRequest(resume_token=self._token)
                try:
                    async for message in job_service_pb2_grpc.JobServiceStub(channel).WatchJobs(request):
                        self._take(message)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED):
                        raise AssertionError(f"the watch was refused: {error.code()} {error.details()}") from error
            await asyncio.sleep(PAUSE_SECONDS)

    def match(self, truth: list[Change]) -> None:
        """Compare what was seen so far with what the uncut watch saw."""
        count = min(len(self._unmatched), len(truth) - self.matched)
        for seen in self._unmatched[:count]:
            if seen != truth[self.matched] and not self.wrong:
                self.wrong = f"change {self.matched} is {seen}, and should be {truth[self.matched]}"
            self.matched += 1
        del self._unmatched[:count]

    def _take(self, message: job_service_pb2.WatchJobsResponse) -> None:
        for event in message.events:
            if event.snapshot:
                self.wrong = self.wrong or f"a snapshot in the midst of a watch: {event}"
            if event.revision:
                self._unmatched.append((event.job_id, event.revision, JobState(event.state)))
        self._token = message.resume_token or self._token


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cuts", type=int, default=0, help=f"of connections (default {CUTS:,}; {CUTS_SHORT} with --short)")
    parser.add_argument(
        "--restarts", type=int, default=0, help=f"of the server (default {RESTARTS}; {RESTARTS_SHORT} with --short)"
    )


async def _play(this: Round, ledger: Ledger) -> None:
    cuts = this.options.cuts or (CUTS_SHORT if this.short else CUTS)
    restarts = this.options.restarts or (RESTARTS_SHORT if this.short else RESTARTS)
    async with serving(this, *FLAGS, handlers=[ENGINE_HANDLERS]) as server, patient(server) as client:
        truth = Observer(client)
        path = server.address.removeprefix("unix:")
        async with CuttingProxy(path, 0, seed=this.seed, cut_bytes=CUT_BYTES, marker=b"").running() as proxy:
            token = await _token(server.address)
            await until(lambda: truth.watch.snapshot_done)  # the empty one: from here on it must hear of every change
            followers = [_Follower(proxy.url.removeprefix("http://"), token) for _ in range(WATCHERS)]
            following = [asyncio.create_task(follower.follow()) for follower in followers]
            try:
                restarted, submitted = await _cut(this, client, server, proxy, truth, followers, cuts, restarts)
                await truth.until_ended(submitted)
                ledger.none("watchers_that_missed_the_end", await _until_level(truth, followers, 0, LAST_SECONDS_MAX))
            finally:
                for task in following:
                    task.cancel()
                ended = await asyncio.gather(*following, return_exceptions=True)
                await truth.close()
    ledger.note("cuts", proxy.cuts)
    ledger.note("restarts", restarted)
    ledger.note("watchers", len(followers))
    ledger.note("changes", len(truth.seen))
    ledger.none("gaps_reorderings_doubles", [follower.wrong for follower in followers if follower.wrong])
    ledger.none("watches_refused", [error for error in ended if not isinstance(error, asyncio.CancelledError)])


async def _token(address: str) -> str:
    """Where a watch begins before there is any job."""
    async with grpc.aio.insecure_channel(address) as channel:
        stream = job_service_pb2_grpc.JobServiceStub(channel).WatchJobs(job_service_pb2.WatchJobsRequest())
        message = await stream.read()
        while not message.snapshot_done:
            message = await stream.read()
        stream.cancel()
        token: str = message.resume_token
        return token


async def _cut(
    this: Round,
    client: Client,
    server: ServerProcess,
    proxy: CuttingProxy,
    truth: Observer,
    followers: list[_Follower],
    cuts: int,
    restarts: int,
) -> tuple[int, int]:
    """Give the followers something to see until they have been cut so often. Answers the number of restarts and of jobs."""
    this.progress.begin("cuts", cuts)
    told = restarted = submitted = 0
    while proxy.cuts < cuts or restarted < restarts:
        await client.submit([JobSpec(tasks=custom("noop"))] * JOBS_AT_ONCE)
        submitted += JOBS_AT_ONCE
        await truth.until_ended(submitted - JOBS_WAITING_MAX)
        await _until_level(truth, followers, BEHIND_MAX, LAST_SECONDS_MAX)
        if restarted < restarts and proxy.cuts >= (restarted + 1) * cuts // (restarts + 1):
            await killed_and_started(server)
            restarted += 1
        this.progress.advance(proxy.cuts - told)
        told = proxy.cuts
    return restarted, submitted


async def _until_level(truth: Observer, followers: list[_Follower], behind_max: int, seconds_max: float) -> list[str]:
    """Wait until no follower is farther behind. Answers those that were after so long."""
    late: list[str] = []
    try:
        async with asyncio.timeout(seconds_max):
            while True:
                for follower in followers:
                    follower.match(truth.seen)
                late = [str(one.matched) for one in followers if not one.wrong and one.matched < len(truth.seen) - behind_max]
                if not late:
                    return late
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        return late


SCENARIO = Scenario(
    "watch-cut",
    "Connections of watches are cut after any number of bytes, 10,000 times, and the server is killed 100 times.",
    "0 gaps, 0 reorderings, 0 doubles: each watch saw exactly what one saw that was never cut.",
    played(_play, short_seconds_max=90, full_seconds_max=3_600),
    _arguments,
)
