"""A hand on a store for tests: short verbs, a time that only the test turns, and ears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest_server.domain.job import JobState
from ingest_server.store.interface import JobStore
from ingest_server.store.records import (
    ActionAnswer,
    Changes,
    Detail,
    Event,
    JobPolicy,
    JobQuery,
    JobRow,
    Lease,
    LeasedJob,
    SubmitAnswer,
    SubmitBatch,
    Verdict,
)

SECOND = 1_000_000
DAY = 86_400 * SECOND
AGEING = 60 * SECOND
TENANT = "acme"
FAILURE = b'[13,"HANDLER_ERROR","it broke",{},true]'


def policy(**fields: Any) -> JobPolicy:
    """A policy with quiet defaults."""
    values: dict[str, Any] = {
        "tenant": TENANT,
        "queue": "default",
        "fairness_key": "",
        "concurrency_key": "",
        "priority": 5,
        "labels": (),
        "start_us": 0,
        "deadline_us": 0,
        "result_ttl_us": 3_600 * SECOND,
        "use_existing": False,
        "dedupe_window_us": 0,
        "spec": b"spec",
    }
    return JobPolicy(**(values | fields))


def new_id(number: int) -> bytes:
    """A client-chosen id that is easy to tell from others."""
    return number.to_bytes(16, "big")


class Driver:
    """Drives one store.

    Attributes:
        now: present time in microseconds.
        heard: what the listener was told, in order.
    """

    def __init__(self, store: JobStore, now: int = 1_000 * SECOND) -> None:
        self.store = store
        self.now = now
        self.heard: list[Changes] = []
        store.subscribe(self.heard.append)

    @property
    def events(self) -> list[Event]:
        """All events heard."""
        return [event for changes in self.heard for event in changes.events]

    def story(self, job_id: bytes) -> list[str]:
        """Names of the states a job went through, as heard."""
        return [JobState(event[5]).name for event in self.events if event[2] == job_id]

    async def submit_batch(
        self, jobs: Sequence[tuple[int, bytes, bytes, str, bytes]], *policies: JobPolicy, **fields: Any
    ) -> SubmitAnswer:
        """Submit items as they are."""
        values: dict[str, Any] = {
            "tenant": TENANT, "request_id": b"", "request_digest": b"", "batch_id": b"", "all_or_nothing": False,
        }  # fmt: skip
        return await self.store.submit(SubmitBatch(policies=policies or (policy(),), jobs=jobs, **(values | fields)), self.now)

    async def submit(self, count: int = 1, *, payload: bytes = b"payload", grant: int = 0, **fields: Any) -> list[bytes]:
        """Submit jobs that share a policy of these fields. Answers their ids."""
        jobs = [(0, b"", payload, "", b"")] * count
        tenant = fields.get("tenant", TENANT)
        answer = await self.submit_batch(jobs, policy(**fields), tenant=tenant, grant=grant, grant_lease_us=30 * SECOND)
        return list(answer.job_ids)

    async def lease(self, count: int = 100, *, seconds: float = 30) -> Lease:
        """Lease up to so many of each group."""
        groups = await self.store.groups()
        return await self.store.lease([(group, count) for group in sorted(groups)], self.now + int(seconds * SECOND), self.now)

    async def settle(
        self, lease: int, jobs: Sequence[LeasedJob], verdict: Verdict = Verdict.SUCCEEDED, **fields: Any
    ) -> list[int]:
        """Settle these jobs alike. Answers the refused indexes."""
        values: dict[str, Any] = {
            "output": b"output" if verdict is Verdict.SUCCEEDED else b"",
            "failure": b"" if verdict in (Verdict.SUCCEEDED, Verdict.HANDED_BACK) else FAILURE,
            "progress": b"", "sha256": b"", "worker": "local/1", "start_us": self.now, "end_us": self.now, "due_us": 0,
        }  # fmt: skip
        tail = tuple((values | fields).values())
        rows: list[Any] = [(job[0], lease, verdict, *tail) for job in jobs]
        return list(await self.store.settle(rows, self.now))

    async def run(self, verdict: Verdict = Verdict.SUCCEEDED, **fields: Any) -> Lease:
        """Lease all that is ready, and settle it."""
        lease = await self.lease()
        assert await self.settle(lease.number, lease.jobs, verdict, **fields) == []
        return lease

    async def rows(self, *job_ids: bytes, detail: Detail = Detail.FULL, tenant: str = TENANT) -> list[JobRow]:
        """Read jobs by id."""
        page = await self.store.jobs(JobQuery(tenant, job_ids=job_ids), limit=1_000, detail=detail, now_us=self.now)
        return list(page.rows)

    async def row(self, job_id: bytes) -> JobRow:
        """Read one job."""
        (row,) = await self.rows(job_id)
        return row

    async def state(self, job_id: bytes) -> str:
        """Name of its state; "gone" without one."""
        rows = await self.rows(job_id)
        return rows[0].state.name if rows else "gone"

    async def all(self, **fields: Any) -> list[JobRow]:
        """All jobs of a query."""
        fields.setdefault("tenant", TENANT)
        page = await self.store.jobs(JobQuery(**fields), limit=10_000, now_us=self.now)
        return list(page.rows)

    async def cancel(self, *job_ids: bytes, failure: bytes = b"cancelled") -> list[ActionAnswer]:
        """Cancel by id."""
        return list(await self.store.cancel(JobQuery(TENANT, job_ids=job_ids), failure, 100, self.now))

    async def delete(self, *job_ids: bytes) -> list[ActionAnswer]:
        """Delete by id."""
        return list(await self.store.delete(JobQuery(TENANT, job_ids=job_ids), 100, self.now))

    async def ready(self) -> dict[tuple[str, str, str], int]:
        """Ready jobs by group."""
        return dict((await self.store.groups()).values())

    async def check_laws(self) -> None:
        """What holds after anything: positions without gaps, the log as heard, ready counts as heard, states as told last."""
        events = self.events
        positions = [event[0] for event in events]
        assert positions == list(range(positions[0], positions[0] + len(positions))) if positions else True
        oldest, newest = await self.store.span()
        assert not positions or positions[-1] == newest
        logged = list(await self.store.events_after(oldest, 1_000_000))
        assert logged == [event for event in events if event[0] > oldest]
        ready: dict[int, int] = {}
        for changes in self.heard:
            for group, change in changes.ready.items():
                ready[group] = ready.get(group, 0) + change
        groups = await self.store.groups()
        assert {group: count for group, count in ready.items() if count} == {
            group: count for group, (_, count) in groups.items() if count
        }
        last = {event[1]: event for event in events}
        page = await self.store.jobs(JobQuery(""), limit=100_000, now_us=self.now)
        for row in page.rows:
            event = last[row.seq]
            assert (row.state, row.revision, row.attempt, row.job_id) == (event[5], event[0], event[6], event[2])
