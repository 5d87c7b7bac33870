"""The network between client and server is cut under load, and comes back."""

from __future__ import annotations

import argparse
import asyncio
import time

from ingest_client import Client, JobSpec, JobState, WatchSettings, echo
from scripts.faults.ledger import Ledger
from scripts.faults.load import loading
from scripts.faults.mounts import root_is_missing
from scripts.faults.network import Cable, cable
from scripts.faults.rig import PATIENT, SERVICE_HANDLERS, played
from scripts.faults.scenario import Outcome, Round, Scenario, cannot_run
from tests.acceptance.server.server_process import ServerProcess

CUTS, CUTS_SHORT = 10, 1
CUT_SECONDS, CUT_SECONDS_SHORT = 20.0, 4.0
JOBS_BETWEEN_CUTS = 500
KEEPALIVE_SECONDS = 1
BACK_SECONDS_MAX = 15.0
LAST_JOBS_SECONDS_MAX = 120.0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cuts", type=int, default=0, help=f"default {CUTS}; {CUTS_SHORT} with --short")


async def _play(this: Round, ledger: Ledger) -> None:
    cuts = this.options.cuts or (CUTS_SHORT if this.short else CUTS)
    with cable() as wire:
        server = ServerProcess(
            this.folder,
            ("--keepalive-seconds", str(KEEPALIVE_SECONDS), "--insecure-listen-anywhere"),
            handlers=[SERVICE_HANDLERS],
            listen=f"{wire.far}:0",
        )
        await asyncio.to_thread(wire.start_inside, server.start)
        try:
            await _over(this, ledger, wire, server, cuts)
        finally:
            wire.plug()
            await asyncio.to_thread(server.close)


async def _over(this: Round, ledger: Ledger, wire: Cable, server: ServerProcess, cuts: int) -> None:
    watch = WatchSettings(heartbeat_seconds=1.0, retry=PATIENT)
    back: list[float] = []
    async with (
        Client(server.address, timeout_seconds=120.0, retry=PATIENT, watch=watch) as client,
        loading(client, JobSpec(b"x", echo())) as load,
    ):
        this.progress.begin("cuts", cuts)
        for _ in range(cuts):
            await load.progress(JOBS_BETWEEN_CUTS)
            wire.pull()
            await asyncio.sleep(CUT_SECONDS_SHORT if this.short else CUT_SECONDS)
            wire.plug()
            begin = time.perf_counter()
            await load.progress(1)
            back.append(time.perf_counter() - begin)
            this.progress.advance()
        await load.stop()
        lost = await load.until_all_ended(LAST_JOBS_SECONDS_MAX)
        ended, acknowledged = load.observer.ended, set(load.acknowledged)
        ledger.note("cuts", cuts)
        ledger.note("jobs_acknowledged", len(acknowledged))
        ledger.none("jobs_lost", lost)
        ledger.none("jobs_made_twice", ended.keys() - acknowledged)
        ledger.none("jobs_not_succeeded", [job_id for job_id, state in ended.items() if state is not JobState.SUCCEEDED])
        ledger.seconds("first_job_after_a_cut_seconds_max", max(back), BACK_SECONDS_MAX)


def run(this: Round) -> Outcome:
    """See `SCENARIO`."""
    missing = root_is_missing()
    return cannot_run(missing) if missing else _PLAYED(this)


_PLAYED = played(_play, short_seconds_max=150, full_seconds_max=1_800)

SCENARIO = Scenario(
    "network-cut",
    "The network between client and server is cut for 20 s under load (a link that is down), again and again.",
    "0 jobs lost, 0 made twice, no gap in the watch; work goes on within 15 s.",
    run,
    _arguments,
)
