"""Deliberate faults of the product, each small: what the simulation must find to be worth its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from ingest_server.domain import errors, ids
from ingest_server.engines.interface import OutcomeCode
from ingest_server.scheduler import fanout, inflight, limits, part_sweep
from ingest_server.store import memory, memory_state
from ingest_server.store.records import Changes, Settlement
from ingest_server.store.sqlite import leasing, writer
from tests.simulation.history import MEMORY, SQLITE

Patch = Callable[[pytest.MonkeyPatch], None]


def settle_without_lease(patch: pytest.MonkeyPatch) -> None:
    """A late worker's settlement counts."""
    settle = memory.MemoryStore.settle

    async def careless(self: memory.MemoryStore, settlements: Sequence[Settlement], now_us: int) -> Sequence[int]:
        jobs = self._held.jobs
        rows = [(row[0], jobs[row[0]].lease, *row[2:]) if row[0] in jobs and jobs[row[0]].lease else row for row in settlements]
        return await settle(self, rows, now_us)

    patch.setattr(memory.MemoryStore, "settle", careless)


def settle_without_lease_in_sql(patch: pytest.MonkeyPatch) -> None:
    """The same in SQLite."""
    settle = writer.VERBS["settle"]

    def careless(tx: Any, settlements: Sequence[Settlement], now_us: int) -> Any:
        held = tx.state.running
        rows = [(row[0], held[row[0]][0], *row[2:]) if row[0] in held else row for row in settlements]
        return settle(tx, rows, now_us)

    patch.setitem(writer.VERBS, "settle", careless)


def lost_event(patch: pytest.MonkeyPatch) -> None:
    """The last event of a large commit is not told."""
    commit = memory_state.MemoryState.commit

    def forgetful(self: memory_state.MemoryState, **told: bool) -> Changes | None:
        if len(self._events) > 4:
            self._events.pop()
        return commit(self, **told)

    patch.setattr(memory_state.MemoryState, "commit", forgetful)


def ready_off_by_one(patch: pytest.MonkeyPatch) -> None:
    """A retried job does not count as ready."""
    wait = memory_state.MemoryState.wait

    def miscounting(self: memory_state.MemoryState, job: memory_state.Job) -> None:
        wait(self, job)
        if job.crash_count:
            self._ready[job.group] -= 1

    patch.setattr(memory_state.MemoryState, "wait", miscounting)


def part_id_without_attempt(patch: pytest.MonkeyPatch) -> None:
    """The parts of a second attempt are those of the first."""
    patch.setattr(fanout, "part_id", lambda job_id, attempt, index, head: ids.part_id(job_id, 1, index, head))


def concurrency_key_ignored(patch: pytest.MonkeyPatch) -> None:
    """Two jobs of one key run at once."""
    patch.setattr(memory_state.Job, "lane", property(lambda job: None))


def queue_limit_off_by_one(patch: pytest.MonkeyPatch) -> None:
    """One more than allowed starts."""
    allowance = limits.StartLimits.allowance

    def generous(self: limits.StartLimits, node: Any, depth: int) -> int:
        return allowance(self, node, depth) + 1

    patch.setattr(limits.StartLimits, "allowance", generous)


def live_job_purged(patch: pytest.MonkeyPatch) -> None:
    """Retention counts from acceptance."""
    patch.setattr(memory_state.Job, "gone", lambda job, now_us: 0 < job.create_us + job.policy.result_ttl_us <= now_us)


def request_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A repeated submit is taken for a new one."""
    submit = memory.MemoryStore.submit

    async def forgetful(self: memory.MemoryStore, batch: Any, now_us: int) -> Any:
        self._requests.clear()
        return await submit(self, batch, now_us)

    patch.setattr(memory.MemoryStore, "submit", forgetful)


def crash_counts_as_attempt(patch: pytest.MonkeyPatch) -> None:
    """A job whose worker died has one attempt less."""
    hand_back = memory.MemoryStore._hand_back

    def counting(self: memory.MemoryStore, job: memory_state.Job, now_us: int) -> None:
        job.attempt += 1
        hand_back(self, job, now_us)

    patch.setattr(memory.MemoryStore, "_hand_back", counting)


def leases_survive_restart(patch: pytest.MonkeyPatch) -> None:
    """Leases of a server that is gone last on, without end."""

    async def trusting(self: memory.MemoryStore, now_us: int) -> None:
        self._opened = True
        self._held.leases = {number: (1 << 62, seqs) for number, (_, seqs) in self._held.leases.items()}
        self._commit()

    patch.setattr(memory.MemoryStore, "open", trusting)


def state_kept_after_rollback(patch: pytest.MonkeyPatch) -> None:
    """What a failed commit has changed in the writer's memory stays."""

    def careless(self: writer.Writer) -> None:
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    patch.setattr(writer.Writer, "_roll_back", careless)


def heartbeat_without_effect_in_sql(patch: pytest.MonkeyPatch) -> None:
    """A heartbeat is answered, and the lease ends all the same."""
    patch.setitem(writer.VERBS, "heartbeat", lambda tx, leases, until_us, now_us: leasing.heartbeat(tx, leases, now_us, now_us))


def silent_loss_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What the engine loses without a word is never missed."""
    patch.setattr(fanout.Fanout, "miss_none", lambda self: None)


def place_of_lost_lease_kept(patch: pytest.MonkeyPatch) -> None:
    """An attempt that lost its lease keeps its place in the queue for good."""

    def careless(self: fanout.Fanout, seq: int, attempt: inflight.InFlight) -> None:
        self._engine.cancel(seq, attempt.lease)

    patch.setattr(fanout.Fanout, "give_up", careless)


def place_given_back_twice(patch: pytest.MonkeyPatch) -> None:
    """A divided job that is stopped gives back a place that it does not have."""

    def careless(self: fanout.Fanout, job: Any, code: OutcomeCode) -> None:
        self._report([(job.seq, job.attempt.lease, int(code), b"", b"", b"", b"", "", 0, self._clock.now_us())])

    patch.setattr(fanout.Fanout, "_conclude", careless)


def division_told_twice(patch: pytest.MonkeyPatch) -> None:
    """A report of a division that comes twice divides twice."""

    class Forgetful(set[int]):
        def __contains__(self, item: object) -> bool:
            return False

    start = inflight.InFlightTable.__init__

    def careless(self: inflight.InFlightTable) -> None:
        start(self)
        self.divided = Forgetful()

    patch.setattr(inflight.InFlightTable, "__init__", careless)


def parts_kept_when_the_store_refuses(patch: pytest.MonkeyPatch) -> None:
    """Parts whose deletion was refused once stay."""

    async def careless(self: part_sweep.PartSweep, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await call()
        except errors.IngestError:
            return []

    patch.setattr(part_sweep.PartSweep, "_asked", careless)


MUTATIONS: tuple[tuple[Patch, str], ...] = (
    (settle_without_lease, MEMORY),
    (settle_without_lease_in_sql, SQLITE),
    (lost_event, MEMORY),
    (ready_off_by_one, MEMORY),
    (part_id_without_attempt, MEMORY),
    (concurrency_key_ignored, MEMORY),
    (queue_limit_off_by_one, MEMORY),
    (live_job_purged, MEMORY),
    (request_forgotten, MEMORY),
    (crash_counts_as_attempt, MEMORY),
    (leases_survive_restart, MEMORY),
    (state_kept_after_rollback, SQLITE),
    (heartbeat_without_effect_in_sql, SQLITE),
    (silent_loss_forgotten, MEMORY),
    (place_of_lost_lease_kept, MEMORY),
    (place_given_back_twice, MEMORY),
    (division_told_twice, MEMORY),
    (parts_kept_when_the_store_refuses, MEMORY),
)
"""Each with the store on which it is to be found."""
