"""Everything at once: jobs of all manners, cancels, killed workers, a killed zygote, changes of size.

Each attempt is reported exactly once (the rig watches that), and whatever is asked for at the end still runs.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from ingest_server.engines.interface import AttemptRow, OutcomeCode
from tests.acceptance.engine.rig import Rig

MANNERS = {
    "noop": 300,
    "obey": 100,
    "await-noop": 50,
    "mischief": 2,
    "polite": 1,
    "deaf": 1,
    "stubborn": 1,
    "await-forever": 1,
}
ENDLESS = {"polite", "deaf", "stubborn", "await-forever"}
ROUNDS = 80


def some_rows(rig: Rig, chance: random.Random) -> list[AttemptRow]:
    rows = []
    for name in chance.choices(list(MANNERS), list(MANNERS.values()), k=chance.choice([1, 5, 200])):
        timeout_us = chance.choice([5_000, 20_000, 50_000]) if name in ENDLESS else 60_000_000
        deadly = name == "obey" and chance.random() < 0.003
        rows.append(rig.row(name, timeout_us=timeout_us, payload=b"idie" if deadly else b""))
    return rows


def kill_a_worker(rig: Rig, chance: random.Random) -> None:
    workers = rig.engine.workers()
    if workers:
        try:
            os.kill(chance.choice(workers).pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_every_attempt_is_reported_exactly_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with Rig(tmp_path, workers=3, cancel_grace_seconds=0.01, backoff_seconds_min=0.01) as rig:
        rows: list[AttemptRow] = []
        for number in range(ROUNDS):
            batch = some_rows(rig, chance)
            rows += batch
            rig.start(*batch)
            for row in chance.sample(rows[-300:], min(5, len(rows[-300:]))):
                rig.engine.cancel(row[0], row[1])
            if number % 15 == 7:
                kill_a_worker(rig, chance)
            if number % 20 == 11:
                await rig.engine.resize(chance.randint(1, 4))
            if number == ROUNDS // 2:
                rig.start(row := rig.row("die", options={"value": "zygote"}))
                rows.append(row)
            await asyncio.sleep(0)
        codes = await rig.codes(*rows)
        assert OutcomeCode.SUCCEEDED in codes
        assert OutcomeCode.TIMED_OUT in codes
        assert (await rig.run("noop"))[2] == OutcomeCode.SUCCEEDED
