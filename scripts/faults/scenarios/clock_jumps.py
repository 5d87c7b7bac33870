"""The wall clock of the server jumps by an hour, forth and back, under load."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from ingest_client import JobSpec, JobState, custom
from scripts.faults.ledger import Ledger
from scripts.faults.load import loading
from scripts.faults.rig import patient, played, serving
from scripts.faults.scenario import Outcome, Round, Scenario, cannot_run

LIBRARIES = (*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/local/lib").glob("faketime/libfaketimeMT.so.1"))
HOUR_SECONDS = 3_600
ROUNDS, ROUNDS_SHORT = 20, 1
JOBS_BETWEEN_JUMPS = (100, 400)
LONG_JOBS = 4
LONG_SECONDS = 2.5
"""More than half a lease, less than one: jobs that run through several jumps, and whose leases are renewed meanwhile."""
ATTEMPT_TIMEOUT_SECONDS = 60.0
LAST_JOBS_SECONDS_MAX = 60.0


async def _play(this: Round, ledger: Ledger) -> None:
    clock, tally = this.folder / "clock", this.folder / "tally"
    clock.write_text("+0\n")
    variables = {
        "LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    chance = random.Random(this.seed)
    rounds = ROUNDS_SHORT if this.short else ROUNDS
    spec = JobSpec(tasks=custom("tally", path=str(tally)))
    long = JobSpec(tasks=custom("linger", seconds=LONG_SECONDS), attempt_timeout_seconds=ATTEMPT_TIMEOUT_SECONDS)
    flags = ("--lease-seconds", "3")
    async with (
        serving(this, *flags, workers=4, variables=variables) as server,
        patient(server) as client,
        loading(client, spec) as load,
    ):
        this.progress.begin("jumps", rounds * 4)
        slow: list[str] = []
        for _ in range(rounds):
            slow += (await client.submit([long] * LONG_JOBS)).job_ids
            for offset in [*chance.sample([-HOUR_SECONDS, HOUR_SECONDS, 0], 3), 0]:
                await load.progress(chance.randrange(*JOBS_BETWEEN_JUMPS))
                clock.write_text(f"{offset:+d}\n")
                this.progress.advance()
        await load.stop()
        load.acknowledged.extend(slow)
        lost = await load.until_all_ended(LAST_JOBS_SECONDS_MAX)
        states = load.observer.ended
        ledger.note("jumps", rounds * 4)
        ledger.note("jobs_acknowledged", len(load.acknowledged))
        ledger.none("jobs_lost", lost)
        ledger.none("jobs_not_succeeded", [f"{key} {state}" for key, state in states.items() if state is not JobState.SUCCEEDED])
        counts = Counter(tally.read_text().split())
        ledger.none("jobs_run_twice", [job_id for job_id, count in counts.items() if count != 1])
        runs = Counter(job_id for job_id, _, state in load.observer.seen if state is JobState.RUNNING)
        ledger.none("jobs_leased_twice", [job_id for job_id, count in runs.items() if count != 1])
        released = server.log.count("were released from leases")
        ledger.none("leases_expired", ["see the log"] * released)


def run(this: Round) -> Outcome:
    """See `SCENARIO`."""
    if not LIBRARIES:
        return cannot_run("needs libfaketime: apt-get install libfaketime")
    return _PLAYED(this)


_PLAYED = played(_play, short_seconds_max=120, full_seconds_max=900)

SCENARIO = Scenario(
    "clock-jumps",
    "The wall clock of the server jumps by an hour, forth and back, under load, with leases of 3 s.",
    "0 jobs lost, 0 run twice, 0 leases expired, no attempt ended by a timeout, no gap in the watch.",
    run,
)
