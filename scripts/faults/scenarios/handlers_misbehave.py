"""Handlers that hang, flood their output, start processes, leak files, and speak to the server out of turn."""

from __future__ import annotations

import argparse
import asyncio
import time

import psutil

from ingest_client import Client, JobSpec, JobState, RetryPolicy, custom
from scripts.faults.ledger import Ledger, p99
from scripts.faults.rig import ENGINE_HANDLERS, FAULT_HANDLERS, patient, played, serving, until
from scripts.faults.scenario import Round, Scenario
from tests.acceptance.server.server_process import ServerProcess

ROUNDS, ROUNDS_SHORT = 50, 1
TIMEOUT_SECONDS, GRACE_SECONDS = 0.3, 0.2
OVER_TIME_SECONDS_MAX = 1.0
"""After its time limit and the grace a hung attempt has ended, and said so."""
HUNG = ("deaf", "stubborn", "await-forever")
FRAMES = ("00000000", "ffffffffffffffff", "0000000100000000")
NEIGHBOURS = 40
ONE_ATTEMPT = RetryPolicy(max_attempts=1)
OPEN_FILES_MORE_MAX = 8
NEIGHBOUR = JobSpec(b"x", custom("upper"))


async def _beside(client: Client, ledger: Ledger, spec: JobSpec, state: JobState, reasons: tuple[str, ...]) -> float:
    """Run a job in the midst of others, which must all succeed at once. Answers the seconds it took."""
    begin = time.perf_counter()
    batch = await client.submit([NEIGHBOUR] * NEIGHBOURS)
    result = await client.run(spec, timeout_seconds=30)
    seconds = time.perf_counter() - begin
    reason = result.error.reason if result.error else ""
    told = f"{spec.tasks}: it ended {result.state.name} {reason}: {result.error}"
    ledger.require(result.state is state and (not reasons or reason in reasons), told)
    for each in await client.wait(batch, timeout_seconds=30):
        ledger.require(each.succeeded, f"a neighbour of {spec.tasks} ended {each.state.name}: {each.error}")
    return seconds


def _strays(server: ServerProcess) -> list[psutil.Process]:
    """Processes that handlers have started and left."""
    return [process for process in server.processes() if process.name() == "sleep"]


def _files(server: ServerProcess) -> int:
    """Descriptors of the server and its store."""
    return sum(process.num_fds() for process in server.processes()[:2])


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=0, help=f"(default {ROUNDS}; {ROUNDS_SHORT} with --short)")


async def _play(this: Round, ledger: Ledger) -> None:
    rounds = this.options.rounds or (ROUNDS_SHORT if this.short else ROUNDS)
    hung: list[float] = []
    flags = ("--cancel-grace-seconds", str(GRACE_SECONDS), "--retry-backoff-initial-seconds", "0.05")
    async with serving(this, *flags, handlers=[ENGINE_HANDLERS, FAULT_HANDLERS]) as server, patient(server) as client:
        await client.run(NEIGHBOUR)
        files = _files(server)
        this.progress.begin("rounds", rounds)
        for _ in range(rounds):
            for name in HUNG:
                spec = JobSpec(tasks=custom(name), attempt_timeout_seconds=TIMEOUT_SECONDS, retry_policy=ONE_ATTEMPT)
                seconds = await _beside(client, ledger, spec, JobState.FAILED, ("ATTEMPT_TIMEOUT",))
                hung.append(seconds - TIMEOUT_SECONDS - GRACE_SECONDS)
            for words in FRAMES:
                task = custom("speak", value=words)
                spec = JobSpec(tasks=task, attempt_timeout_seconds=TIMEOUT_SECONDS, retry_policy=ONE_ATTEMPT)
                await _beside(client, ledger, spec, JobState.FAILED, ("POISON_JOB", "ATTEMPT_TIMEOUT"))
            await _beside(client, ledger, JobSpec(tasks=custom("litter")), JobState.SUCCEEDED, ())
            this.progress.advance()
        await until(lambda: len(server.processes()) >= 5)  # the last worker that died is replaced
        more = _files(server) - files
        strays = len(_strays(server))
        stats = await client.stats()
        status = await asyncio.to_thread(server.stop)  # which proves that nothing outlives the server
    ledger.note("bad_jobs", rounds * (len(HUNG) + len(FRAMES) + 1))
    ledger.note("neighbours", rounds * (len(HUNG) + len(FRAMES) + 1) * NEIGHBOURS)
    ledger.seconds("hung_ended_after_limit_p99_seconds", p99(hung), OVER_TIME_SECONDS_MAX)
    ledger.note("processes_of_handlers_until_their_worker_ended", strays)
    ledger.require(status == 0, f"the server ended with status {status}")
    ledger.most("descriptors_more_in_the_server", more, OPEN_FILES_MORE_MAX)
    ledger.require(len(stats.workers) == 2, f"{len(stats.workers)} of 2 workers are there at the end")


SCENARIO = Scenario(
    "handlers-misbehave",
    "Handlers hang, write rubbish to the worker's sockets, flood stdout, start processes, leak files.",
    "Each fails alone, with its reason, soon after its time limit; all neighbours succeed; nothing is left of it.",
    played(_play, short_seconds_max=90, full_seconds_max=1_800),
    _arguments,
)
