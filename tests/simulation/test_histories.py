"""Fresh histories for a bounded time, and that a seed tells the whole story."""

from __future__ import annotations

import os
import secrets
import time

import pytest

from tests.simulation.campaign import Tally, describe, play_plan, play_seeds, shrink
from tests.simulation.history import MEMORY, SQLITE, plan_of

SECONDS = float(os.environ.get("INGEST_SIMULATION_SECONDS", "30"))
"""How long fresh seeds are played; at least some on each store, however short it is."""
STRETCH = 10
SEED_BITS = 31


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 3 + 120)
def test_no_fresh_history_breaks_a_promise() -> None:
    first = secrets.randbits(SEED_BITS) * 1_000
    tally: Tally = play_seeds(first, STRETCH, store=SQLITE)
    end = time.monotonic() + SECONDS
    seed = first + STRETCH
    while True:
        tally += play_seeds(seed, STRETCH)
        seed += STRETCH
        if tally.failed or time.monotonic() >= end:
            break
    print(f"{tally.histories} histories from seed {first} on, {tally.events} events, {tally.on_sqlite} histories on SQLite")
    if tally.failed:
        plan = plan_of(tally.failed[0][0], store=SQLITE if tally.failed[0][0] < first + STRETCH else None)
        pytest.fail(describe(shrink(plan), plan))
    assert tally.jobs > tally.histories, "histories in which nothing happens prove nothing"


@pytest.mark.parametrize("store", [MEMORY, SQLITE])
def test_a_seed_tells_the_same_story_twice(store: str) -> None:
    events = 0
    for seed in range(8):
        first, second = (play_plan(plan_of(seed, store=store)) for _ in range(2))
        assert first == second
        events += first.events
    assert events > 100


def test_a_history_without_some_steps_keeps_the_others() -> None:
    plan = plan_of(7)
    assert plan_of(7) == plan
    assert plan_of(8).steps != plan.steps
    assert plan_of(7, length=5).steps != ()
