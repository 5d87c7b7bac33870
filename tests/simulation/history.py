"""One history: a seed, the steps that follow from it, and the first promise that breaks."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from unittest import mock

from ingest_server.domain.errors import Unavailable
from ingest_server.store.interface import JobStore
from ingest_server.store.memory import MemoryStore
from tests.simulation import steps
from tests.simulation.client import Clients
from tests.simulation.loop import Livelock, SimulatedClock, SimulatedLoop
from tests.simulation.model import Model
from tests.simulation.server import SECOND, SimulatedServer
from tests.simulation.sqlite_inline import InlineSqliteStore
from tests.simulation.steps import Step

AGEING_US = 5 * SECOND
STEPS_SHORT, STEPS_LONG = (12, 45), (150, 400)
LONG_SHARE = 0.02
SQLITE_SHARE = 0.04
MEMORY, SQLITE = "memory", "sqlite"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed stands for."""

    seed: int
    store: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a history ended: what broke, after which step of how many, and what happened in numbers."""

    plan: Plan
    fault: str
    step: int
    events: int
    jobs: int


def plan_of(seed: int, *, length: int | None = None, store: str | None = None) -> Plan:
    """The history of a seed; `length` and `store` overrule what it would choose."""
    chance = random.Random(f"plan {seed}")
    long = chance.random() < LONG_SHARE
    sqlite = chance.random() < SQLITE_SHARE
    drawn = chance.randint(*(STEPS_LONG if long else STEPS_SHORT))
    kinds = chance.choices(tuple(steps.STEPS), weights=[kind.weight for kind in steps.STEPS.values()], k=length or drawn)
    made = tuple(Step(kind, chance.getrandbits(48)) for kind in kinds)
    return Plan(seed, store or (SQLITE if sqlite else MEMORY), made)


class World:
    """All that one history is made of. Steps act on it."""

    def __init__(self, plan: Plan, folder: Path | None) -> None:
        chance = random.Random(f"world {plan.seed}")
        self.plan = plan
        self.chance = chance
        self.loop = SimulatedLoop(random.Random(chance.getrandbits(48)), shuffle=chance.random() < 0.7)
        self.clock = SimulatedClock(self.loop)
        self.model = Model()
        self.clients = Clients(self.model, chance)
        self.slots = chance.choice((1, 2, 3, 6))
        self.hops = chance.choice((0.0, 0.3, 0.8))
        self.numbers = count(1)
        self.positions = [0, 0]
        self.muted = False
        self.overdue: dict[int, float] = {}
        self.folder = folder
        self.store: JobStore
        self.server: SimulatedServer
        if plan.store == MEMORY:
            self.store = MemoryStore(ageing_us=AGEING_US)
            self._follow()

    def _follow(self) -> None:
        self.store.subscribe(self.model.on_changes)
        self.store.subscribe(lambda changes: self.server.port.on_changes(changes))

    def boot(self) -> None:
        """A server begins."""
        if self.plan.store == SQLITE:
            assert self.folder is not None, "a history on SQLite needs a folder"
            self.store = InlineSqliteStore(self.folder, ageing_us=AGEING_US)
            self._follow()
        self.muted = False
        self.overdue.clear()
        self.server = SimulatedServer(
            self.store, self.model, self.clock, random.Random(self.chance.getrandbits(48)),
            slots=self.slots, hops=self.hops, count=lambda: next(self.numbers),
        )  # fmt: skip
        self.loop.start(self.server.start())
        self.loop.settle()

    def kill(self) -> None:
        """The server is gone, and with it what was under way."""
        self.server.die()
        if isinstance(self.store, InlineSqliteStore):
            self.store.crash()
        self.loop.end_tasks()
        self.model.server_gone()

    def stop(self) -> None:
        """The server ends in order."""
        draining = self.loop.start(self.server.drain())
        for _ in range(100):
            self.loop.advance(0.1)
            if draining.done():
                break
        else:
            self.model.broken("a drain does not end")
        self.kill()


def play(plan: Plan, folder: Path | None = None) -> Ending:
    """Play a history up to its end, or to the first fault."""
    random.seed(plan.seed)  # the settler's jitter
    entropy = random.Random(f"entropy {plan.seed}")
    with mock.patch.object(os, "urandom", entropy.randbytes):
        world = World(plan, folder)
        step = -1
        with _running(world):
            try:
                world.boot()
                while not world.model.faults and (step := step + 1) < len(plan.steps):
                    steps.take(world, plan.steps[step])
                if not world.model.faults:
                    steps.come_to_rest(world)
            except Livelock as livelock:
                world.model.broken(str(livelock))
            except Unavailable as gone:  # not put in by the history: those are taken where they strike
                world.model.broken(f"the store is gone: {gone.message}")
        fault = world.model.faults[0] if world.model.faults else ""
        if not fault and world.loop.faults:
            fault = world.loop.faults[0]
    return Ending(plan, fault, step, world.model.position, len(world.model.jobs))


@contextmanager
def _running(world: World) -> Iterator[None]:
    world.loop.enter()
    try:
        yield
    finally:
        try:
            world.kill()
        finally:
            world.loop.leave()


def prefix(plan: Plan, length: int) -> Plan:
    """The same history, ended sooner."""
    return Plan(plan.seed, plan.store, plan.steps[:length])


def without(plan: Plan, dropped: Sequence[int]) -> Plan:
    """The same history without some steps: each has its own chance, so the others stay what they are."""
    gone = set(dropped)
    return Plan(plan.seed, plan.store, tuple(one for at, one in enumerate(plan.steps) if at not in gone))
