"""What a watch selects: resolved once, then asked of every event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest_server.domain.errors import NotFound, Reason
from ingest_server.domain.ids import uuid_text
from ingest_server.jobs.batch_names import BatchNames
from ingest_server.jobs.event_hub import EventHub
from ingest_server.jobs.watcher import Watcher, WatchEvent
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Event, JobQuery, JobRow, SubmitBatch

DECISIONS_MAX = 100_000
"""Jobs whose label decision one watch remembers (about 100 bytes each); beyond it they are looked up again."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a caller wants to watch.

    Attributes:
        query: which jobs; its tenant is set by the use case. No states.
        allow_missing_batch: a batch that does not exist is made, empty, instead of refused.
    """

    query: JobQuery
    allow_missing_batch: bool = False


class ResolvedSelection:
    """A selection whose names were found in the store.

    Events are looked up in the hub by the narrowest index there is; what the index cannot tell (queue, labels, time) is asked of
    each event here.
    """

    def __init__(self, store: JobStore, hub: EventHub, names: BatchNames, query: JobQuery, batch: int) -> None:
        self.query = query
        self._names = names
        self._store = store
        self._hub = hub
        self._batch = batch
        self._job_ids = frozenset(query.job_ids) if query.job_ids is not None else None
        self._by_row = bool(query.labels or query.create_from_us or query.create_before_us or query.part_of)
        self._decisions: dict[int, bool] = {}

    @classmethod
    async def resolve(
        cls, store: JobStore, hub: EventHub, names: BatchNames, selection: Selection, tenant: str, now_us: int
    ) -> ResolvedSelection:
        """Find the batch or the jobs. Raises NotFound with every unknown id."""
        query = replace(selection.query, tenant=tenant)
        batch = 0
        if query.batch_id:
            batch = await store.batch(tenant, query.batch_id)
            if not batch and selection.allow_missing_batch:
                await store.submit(SubmitBatch(tenant, b"", b"", query.batch_id, False, (), ()), now_us)
                batch = await store.batch(tenant, query.batch_id)
            if not batch:
                raise NotFound(
                    f"there is no batch {uuid_text(query.batch_id)}; to watch it before its first job set allow_missing_batch",
                    reason=Reason.BATCH_NOT_FOUND,
                )
        if query.job_ids is not None:
            page = await store.jobs(query, limit=len(query.job_ids), now_us=now_us)
            unknown = set(query.job_ids).difference(row.job_id for row in page.rows)
            if unknown:
                listed = ",".join(sorted(uuid_text(job_id) for job_id in unknown))
                raise NotFound(f"{len(unknown)} of {len(query.job_ids)} jobs are not known", metadata={"job_ids": listed})
        if batch:
            names.remember(batch, query.batch_id)
        return cls(store, hub, names, query, batch)

    def remember_batches(self, rows: Sequence[JobRow]) -> None:
        """The batches of these jobs can be named afterwards."""
        for row in rows:
            self._names.remember(row.batch, row.batch_id)

    def watch(self, *, terminal_only: bool) -> Watcher:
        """Begin to gather events."""
        batches, job_ids, tenants = self._indexes()
        return self._hub.watch(batches=batches, job_ids=job_ids, tenants=tenants, terminal_only=terminal_only)

    def unwatch(self, watcher: Watcher) -> None:
        """Stop gathering."""
        batches, job_ids, tenants = self._indexes()
        self._hub.unwatch(watcher, batches=batches, job_ids=job_ids, tenants=tenants)

    def may_match(self, event: Event) -> bool:
        """Whether an event of the log can be of this selection, as far as the event alone tells."""
        if self._job_ids is not None:
            return event[2] in self._job_ids
        if self._batch and event[4] != self._batch:
            return False
        if bool(event[4]) == bool(self.query.part_of):
            return False  # parts belong to no batch, and are of this selection only if it asks for them
        tenant, queue, _ = self._hub.group_key(event[3])
        return tenant == self.query.tenant and (not self.query.queues or queue in self.query.queues)

    async def keep_matching(self, events: Sequence[WatchEvent], now_us: int) -> Sequence[WatchEvent]:
        """Of events that an index gave, those that are of this selection, in order. Their batches can be named afterwards."""
        queues = self.query.queues
        if self._job_ids is None and not self._batch:
            events = [event for event in events if bool(event.batch) != bool(self.query.part_of)]
        if queues:
            events = [event for event in events if self._hub.group_key(event.group)[1] in queues]
        if events and not self._batch:
            await self._names.learn(event.batch for event in events if event.batch)
        if not self._by_row or not events:
            return events
        unknown = {event.seq: event.job_id for event in events if event.seq not in self._decisions}
        if unknown:
            if len(self._decisions) + len(unknown) > DECISIONS_MAX:
                self._decisions.clear()
            self._decisions.update(dict.fromkeys(unknown, False))
            wanted = replace(self.query, job_ids=tuple(unknown.values()), batch_id=b"", queues=frozenset())
            page = await self._store.jobs(wanted, limit=len(unknown), now_us=now_us)
            self._decisions.update((row.seq, self._row_matches(row)) for row in page.rows)
        return [event for event in events if self._decisions[event.seq]]

    def _row_matches(self, row: JobRow) -> bool:
        query = self.query
        labels = dict(row.labels)
        return (
            all(labels.get(key) == value for key, value in query.labels)
            and row.create_us >= query.create_from_us
            and (not query.create_before_us or row.create_us < query.create_before_us)
            and (not query.part_of or row.part_of == query.part_of)
        )

    def _indexes(self) -> tuple[tuple[int, ...], Sequence[bytes], tuple[str, ...]]:
        if self.query.job_ids is not None:
            return (), self.query.job_ids, ()
        if self._batch:
            return (self._batch,), (), ()
        return (), (), (self.query.tenant,)
