"""How many jobs have not ended: the server's own bound is held against it, and tenants' quotas are told of every end.

Parts of jobs are not counted: their owner did not submit them.

Counted from the events, so it costs no query per submit. A job is new when its row number was never seen before; it is gone with
its terminal event, which comes once.
"""

from __future__ import annotations

from ingest_server.domain.job import FIRST_TERMINAL_STATE, LIVE_STATES
from ingest_server.domain.tenant import Admission
from ingest_server.jobs.job_counter import STATE_SLOTS, JobCounter
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Changes, GroupKey, JobQuery


class LiveCounts:
    """Listens to the store from before it is opened; counts from `load` on."""

    def __init__(self, store: JobStore, admission: Admission, counter: JobCounter) -> None:
        self._store = store
        self._admission = admission
        self._counter = counter
        self._tenants: dict[int, str] = {}
        self._newest_seq = 0
        self._live: int | None = None
        store.subscribe(self.on_changes)

    async def load(self, groups: dict[int, tuple[GroupKey, int]], now_us: int) -> dict[str, int]:
        """Count what the open store has, before any call is served. `groups` are those of the store. Answers live jobs by
        tenant."""
        self._tenants.update((number, key[0]) for number, (key, _) in groups.items())
        counts = {}
        for tenant in sorted({key[0] for key, _ in groups.values()}):
            query = JobQuery(tenant, states=frozenset(LIVE_STATES))
            counts[tenant] = sum((await self._store.count(query, now_us=now_us)).values())
        newest = await self._store.jobs(JobQuery(""), limit=1, newest_first=True, now_us=now_us)
        self._newest_seq = newest.rows[0].seq if newest.rows else 0
        self._live = sum(counts.values())
        return counts

    def on_changes(self, changes: Changes) -> None:
        """Listener of the store."""
        for number, key in changes.groups.items():
            self._tenants[number] = key[0]
        if self._live is None or not changes.events:
            return
        ended: dict[int, int] = {}
        states = [0] * STATE_SLOTS
        newest, created = self._newest_seq, 0
        for event in changes.events:
            if not event[4]:
                continue  # a part
            states[event[5]] += 1
            if event[1] > newest:
                newest = event[1]
                created += 1
            if event[5] >= FIRST_TERMINAL_STATE:
                ended[event[3]] = ended.get(event[3], 0) + 1
        self._newest_seq = newest
        self._live += created
        self._counter.count(states, created)
        for group, count in ended.items():
            self._live -= count
            self._admission.ended(self._tenants[group], count)

    def total(self) -> int:
        """Live jobs of all tenants."""
        return self._live or 0
