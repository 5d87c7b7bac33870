"""Many callers submit a job of one and the same id at once, and again after a restart."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter

from ingest_client import Client, JobSpec, custom
from ingest_client.errors import Conflict
from scripts.faults.ledger import Ledger, counted
from scripts.faults.rig import SERVICE_HANDLERS, killed_and_started, patient, played, serving
from scripts.faults.scenario import Round, Scenario

CALLERS = 100
ROUNDS, ROUNDS_SHORT = 100, 2


async def _submit(client: Client, spec: JobSpec) -> str:
    """Answers what became of it: created, existing, or refused."""
    try:
        (result,) = (await client.submit([spec])).results
    except Conflict:
        return "refused"
    if result.error is not None:
        assert isinstance(result.error, Conflict), f"{result.error}"
        return "refused"
    return "created" if result.created else "existing"


async def _crowd(client: Client, job_id: str, tally: str) -> Counter[str]:
    """All submit at once; every second one takes an existing job as it is."""
    specs = [
        JobSpec(tasks=custom("tally", path=tally), job_id=job_id, use_existing=bool(number % 2)) for number in range(CALLERS)
    ]
    return Counter(await asyncio.gather(*(_submit(client, spec) for spec in specs)))


async def _play(this: Round, ledger: Ledger) -> None:
    chance = random.Random(this.seed)
    rounds = ROUNDS_SHORT if this.short else ROUNDS
    ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(rounds)]
    tally = this.folder / "tally"
    wrong: list[str] = []
    async with serving(this, handlers=[SERVICE_HANDLERS]) as server, patient(server) as client:
        this.progress.begin("ids", rounds)
        for number, job_id in enumerate(ids):
            before = await _crowd(client, job_id, str(tally))
            if before["created"] != 1 or before["existing"] + before["refused"] != CALLERS - 1:
                wrong.append(f"{job_id}: {dict(before)}")
            await client.wait([job_id])
            if number % 10 == 0:
                await killed_and_started(server)
            after = await _crowd(client, job_id, str(tally))
            if after != Counter(existing=CALLERS // 2, refused=CALLERS // 2):
                wrong.append(f"{job_id} later: {dict(after)}")
            this.progress.advance()
        results = await client.wait(ids)
        total = (await client.count()).total
    ledger.note("ids", rounds)
    ledger.note("submits", 2 * rounds * CALLERS)
    ledger.none("ids_not_created_exactly_once", wrong)
    ledger.none("jobs_not_succeeded", [result.job_id for result in results if not result.succeeded])
    ledger.none("jobs_not_run_exactly_once", counted(ids, Counter(tally.read_text().split()), 1, 1))
    ledger.require(total == rounds, f"there are {total} jobs of {rounds} ids")


SCENARIO = Scenario(
    "one-id",
    "100 callers submit a job of one id at the same time, and again when it has ended, in part after kill -9 and a restart.",
    "One of them creates it, nobody later; it runs once.",
    played(_play, short_seconds_max=90, full_seconds_max=1_800),
)
