"""Leases jobs for workers that are free, in the order of fairness, and hands them to the engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import IngestError
from ingest_server.domain.retry import SpecReader
from ingest_server.engines.interface import AttemptRow, Engine
from ingest_server.scheduler.fairness import FairShare
from ingest_server.scheduler.inflight import InFlight, InFlightTable
from ingest_server.scheduler.leases import LeaseKeeper
from ingest_server.scheduler.limits import StartLimits
from ingest_server.scheduler.statistics import SchedulerStatistics
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Changes, JobPolicy, LeasedJob, NewJob, SubmitAnswer

log = logging.getLogger(__name__)

LEASE_JOBS_MAX = 2_048
"""Jobs of one lease call: some 5 ms of a store's time, and more than two workers get through in that time."""

RATE_POLL_SECONDS = 0.02
"""How soon a queue that waits for its start rate is looked at again."""

STORE_RETRY_SECONDS = 0.2
STORE_RETRY_SECONDS_MAX = 1.0
"""A longer hint of the store, such as that of a full disk, is meant for callers."""

IDLE_GROUPS_MAX = 10_000
"""Fairness keys without work that are remembered (about 500 bytes each)."""


class Dispatcher:
    """The loop that keeps workers busy. It takes only what the engine can start now; one lease call is under way at a time.

    It also grants the short cut of `jobs.ports.Starter`: while nothing waits, jobs are leased by the submit that brings them.
    `give_up` is told of attempts that have lost their lease, as that of `LeaseKeeper`.
    """

    def __init__(
        self,
        store: JobStore,
        engine: Engine,
        inflight: InFlightTable,
        fair: FairShare,
        limits: StartLimits,
        leases: LeaseKeeper,
        statistics: SchedulerStatistics,
        read_spec: SpecReader,
        clock: Clock,
        give_up: Callable[[int, InFlight], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._inflight = inflight
        self._fair = fair
        self._limits = limits
        self._leases = leases
        self._statistics = statistics
        self._read_spec = read_spec
        self._clock = clock
        self._give_up = give_up
        self._promised = 0
        self._stopped = False
        self._config_changed = True
        self._groups_stale = True
        self._heard: dict[int, int] | None = None
        self._wake = asyncio.Event()

    # ---- what it hears

    def on_changes(self, changes: Changes) -> None:
        """Listener of the store: new groups, jobs that became ready or ceased to be."""
        for number, key in changes.groups.items():
            self._fair.add_group(number, *key)
        for group, delta in changes.ready.items():
            if self._heard is not None and delta > 0:
                self._heard[group] = self._heard.get(group, 0) + delta
            if self._fair.leaf(group) is None:
                self._groups_stale = True  # forgotten while it was idle: read it again
            else:
                self._fair.add_ready(group, delta)
        if changes.queue_config:
            self.reconfigure()
        if changes.ready:
            self._wake.set()

    def on_capacity(self) -> None:
        """The engine may start more."""
        self._wake.set()

    def reconfigure(self) -> None:
        """Queue settings or quotas may have changed: read them again before the next lease."""
        self._config_changed = True
        self._wake.set()

    def stop(self) -> None:
        """Lease nothing more."""
        self._stopped = True

    # ---- the loop

    async def run(self) -> None:
        """Dispatch until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._refresh()
                while await self._dispatch():
                    pass
            except IngestError as error:
                log.warning("leasing failed, will be repeated: %s", error.message)
                await self._clock.sleep(min(error.retry_after_seconds or STORE_RETRY_SECONDS, STORE_RETRY_SECONDS_MAX))
                self._wake.set()
            if self._limits.rated() and self._fair.has_ready() and not self._wake.is_set():
                await self._clock.sleep(RATE_POLL_SECONDS)
                self._wake.set()

    async def _dispatch(self) -> bool:
        """Lease and start one batch. Answers whether another may follow at once."""
        capacity = self._room()
        if capacity <= 0 or not self._fair.has_ready():
            return False
        self._limits.begin_round(self._fair)
        wanted = self._fair.choose(min(capacity, LEASE_JOBS_MAX))
        self._limits.end_round(self._fair)
        if not wanted:
            return False
        now_us = self._clock.now_us()
        try:
            lease = await self._store.lease(wanted, now_us + self._leases.lease_us, now_us)
        except BaseException:
            for group, count in wanted:
                self._fair.charge(group, -count)
            raise
        self._give_back(wanted, lease.jobs)
        if not lease.jobs:
            self._groups_stale = True  # our counts are off: read them again before the next try
            self._wake.set()
            await self._clock.sleep(STORE_RETRY_SECONDS)
            return False
        self._statistics.wait.add((now_us - lease.jobs[0][8]) * 1e-6)
        self._start(lease.number, lease.jobs)
        return True

    def _room(self) -> int:
        return 0 if self._stopped else self._engine.capacity() - self._promised

    def _start(self, lease: int, jobs: Sequence[LeasedJob]) -> None:
        read_spec = self._read_spec
        rows: list[AttemptRow] = []
        attempts: dict[int, InFlight] = {}
        for seq, job_id, group, spec, payload, attempt, crash_count, deadline_us, _ in jobs:
            attempts[seq] = InFlight(lease, group, job_id, attempt, crash_count, spec)
            rows.append((seq, lease, job_id, attempt, spec, payload, read_spec(spec).timeout_us, deadline_us, crash_count))
        for seq, displaced in self._inflight.add_lease(lease, attempts).items():
            self._give_up(seq, displaced)
        self._engine.start(rows)

    def _give_back(self, wanted: Sequence[tuple[int, int]], jobs: Sequence[LeasedJob]) -> None:
        """Undo the charge for jobs that were chosen and not found."""
        if len(jobs) == sum(count for _, count in wanted):
            return
        found: dict[int, int] = {}
        for job in jobs:
            found[job[2]] = found.get(job[2], 0) + 1
        for group, count in wanted:
            missing = count - found.get(group, 0)
            if missing:
                self._fair.charge(group, -missing)

    async def _refresh(self) -> None:
        """Read again what is known to have changed."""
        if self._config_changed:
            self._config_changed = False
            try:
                queues = await self._store.queues()
            except BaseException:
                self._config_changed = True
                raise
            self._limits.configure(queues, self._fair)
        if self._groups_stale:
            self._groups_stale = False
            # A change may be told between the moment of the answer and its arrival here. What came is added once more: too many
            # ready jobs are found out by the next lease, too few would wait until their group stirs again.
            heard = self._heard = {}
            try:
                groups = await self._store.groups()
            except BaseException:
                self._groups_stale = True
                raise
            finally:
                self._heard = None
            for number, (key, ready) in groups.items():
                self._fair.add_group(number, *key)
                leaf = self._fair.leaf(number)
                self._fair.add_ready(number, ready + heard.get(number, 0) - (leaf.ready if leaf else 0))
        self._fair.forget_idle(IDLE_GROUPS_MAX)

    # ---- the short cut (jobs.ports.Starter)

    @property
    def grant_lease_us(self) -> int:
        """How long a lease made by a grant lasts."""
        return self._leases.lease_us

    def grant(self, policies: Sequence[JobPolicy], count: int) -> int:
        """Promise room for jobs of a submit that is about to be made. Only while nothing waits and nothing limits them: then
        they would be next anyway."""
        if self._fair.has_ready() or self._config_changed:
            return 0
        if not all(self._limits.is_free(policy.queue, policy.tenant) for policy in policies):
            return 0
        granted = max(0, min(count, self._room()))
        self._promised += granted
        return granted

    def redeem(
        self, granted: int, policies: Sequence[JobPolicy], jobs: Sequence[NewJob], answer: SubmitAnswer | None, now_us: int
    ) -> None:
        """Start what the store leased under the promise."""
        self._promised -= granted
        if answer is None or not answer.leased:
            self._wake.set()
            return
        leased: list[LeasedJob] = []
        counts: dict[int, int] = {}
        for index, seq in answer.leased:
            policy_index, _, payload, _, _ = jobs[index]
            policy = policies[policy_index]
            group = answer.groups[policy_index]
            counts[policy_index] = counts.get(policy_index, 0) + 1
            leased.append((seq, answer.job_ids[index], group, policy.spec, payload, 1, 0, policy.deadline_us, now_us))
        for policy_index, count in counts.items():
            policy, group = policies[policy_index], answer.groups[policy_index]
            self._fair.add_group(group, policy.tenant, policy.queue, policy.fairness_key)  # it may have been forgotten
            self._fair.charge(group, count)
        self._start(answer.lease, leased)
        self._statistics.wait.add((self._clock.now_us() - now_us) * 1e-6)
        if len(leased) < granted:
            self._wake.set()
