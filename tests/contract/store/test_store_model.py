"""The SQLite store against the store in memory: any sequence of commands gives the same answers, events and rows in both.

The memory store is short enough to be checked by eye; here it is the model. Concurrency keys and deadlines are not mixed in one
sequence: a job past its deadline keeps its place in the lane of its key in SQLite until `reap` ends it, and the model, which may
scan, passes over it.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_server.store.interface import JobStore
from ingest_server.store.memory import MemoryStore
from ingest_server.store.outbox import DeliveryAttempt, DeliveryRow, DeliveryStatus
from ingest_server.store.records import JobQuery, JobRow, Verdict
from ingest_server.store.sqlite.store import SqliteStore
from tests.contract.store.driver import AGEING, DAY, SECOND, TENANT, Driver, new_id, policy

CALLBACKS = (
    (),
    (),
    (("https://a/", "a:443", 0b1_1110_0000),),
    (("https://a/", "a:443", 0b1_1111_1110), ("http://b/", "b:80", 8)),
)
ATTEMPTED = [status for status in DeliveryStatus if status is not DeliveryStatus.WAITING]
LABELS = ((), (("a", "1"),), (("a", "2"), ("b", "1")))

policies = st.fixed_dictionaries(
    {
        "fairness_key": st.sampled_from(["", "f"]),
        "priority": st.sampled_from([1, 5, 9]),
        "labels": st.sampled_from(LABELS),
        "start": st.sampled_from([0, 0, 0, 2]),
        "limit": st.sampled_from([0, 0, 3, 200]),
        "ttl": st.sampled_from([1, 5, 100]),
        "key": st.sampled_from(["", "", "k", "l"]),
        "use_existing": st.booleans(),
        "callbacks": st.sampled_from(CALLBACKS),
    }
)
items = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 6), st.sampled_from(["", "", "d"]), st.sampled_from([0, 3, 2_000])),
    min_size=1,
    max_size=5,
)
commands = st.one_of(
    st.tuples(
        st.just("submit"),
        st.tuples(policies, policies),
        items,
        st.integers(0, 3),
        st.integers(0, 3),
        st.booleans(),
        st.integers(0, 3),
    ),
    st.tuples(st.just("lease"), st.integers(1, 4), st.integers(1, 9)),
    st.tuples(st.just("settle"), st.lists(st.tuples(st.integers(0, 12), st.sampled_from(Verdict)), max_size=6)),
    st.tuples(st.just("cancel"), st.integers(0, 15)),
    st.tuples(st.just("cancel query"), st.integers(1, 3), st.sampled_from(LABELS)),
    st.tuples(st.just("delete"), st.integers(0, 15)),
    st.tuples(st.just("wait"), st.integers(1, 5)),
    st.tuples(st.just("promote"), st.integers(1, 3)),
    st.tuples(st.just("reap"), st.integers(1, 3)),
    st.tuples(st.just("purge"), st.integers(1, 4)),
    st.tuples(st.just("send"), st.lists(st.sampled_from(ATTEMPTED), min_size=1, max_size=4), st.sampled_from(["", "a:443"])),
    st.tuples(st.just("redeliver"), st.integers(0, 15), st.booleans()),
)


class _Play:
    """Plays commands on one store and writes down all that can be seen, with ids replaced by the order of their making."""

    def __init__(self, store: JobStore, *, keys: bool) -> None:
        self.driver = Driver(store)
        self.keys = keys
        self.names: dict[bytes, int] = {}
        self.leased: list[tuple[int, int]] = []
        self.seen: list[Any] = []

    def name(self, job_id: bytes) -> Any:
        return self.names.setdefault(job_id, len(self.names)) if job_id else None

    async def play(self, steps: list[tuple[Any, ...]]) -> None:
        await self.driver.store.open(self.driver.now)
        try:
            for step in steps:
                before = len(self.driver.heard)
                self.seen.append((step[0], await getattr(self, "do_" + step[0].replace(" ", "_"))(*step[1:])))
                for changes in self.driver.heard[before:]:
                    self.seen.append([(event[0], event[1], self.name(event[2]), *event[3:]) for event in changes.events])
                    self.seen.append((changes.details, changes.groups, changes.ready))
            for row in await self.driver.all():
                self.seen.append(await self.describe(row))
            await self.driver.check_laws()
        finally:
            await self.driver.store.close()

    async def describe(self, row: JobRow) -> Any:
        (full,) = await self.driver.rows(row.job_id)
        fields = {name: getattr(full, name) for name in JobRow.__slots__}
        page = await self.driver.store.deliveries(TENANT, row.job_id, limit=99, from_number=0, now_us=self.driver.now)
        fields["deliveries"] = [self.delivery(each) for each in page.rows]
        return fields | {"job_id": self.name(row.job_id), "batch_id": self.name(row.batch_id)}

    def delivery(self, row: DeliveryRow) -> Any:
        return replace(row, job_id=b"", batch_id=b""), self.name(row.job_id), self.name(row.batch_id)

    async def do_send(self, statuses: list[DeliveryStatus], after_host: str) -> Any:
        now = self.driver.now
        page = await self.driver.store.due_deliveries(2, 3, after_host, now)
        attempt = DeliveryAttempt(now, 1, 200, "")
        results = [
            (row.number, row.tries, int(status), now + SECOND, attempt) for row, status in zip(page.rows, statuses, strict=False)
        ]
        refused = await self.driver.store.record_deliveries(results, now)
        return [self.delivery(row) for row in page.rows], page.next_due_us, list(refused)

    async def do_redeliver(self, index: int, every: bool) -> Any:
        numbers = list(range(0, 400, 8)) if every else []
        return list(await self.driver.store.redeliver(TENANT, self._known(index), numbers, 5, self.driver.now))

    def _policy(self, fields: dict[str, Any]) -> Any:
        now = self.driver.now
        return policy(
            fairness_key=fields["fairness_key"],
            priority=fields["priority"],
            labels=fields["labels"],
            start_us=now + fields["start"] * SECOND if fields["start"] else 0,
            deadline_us=now + fields["limit"] * SECOND if fields["limit"] and not self.keys else 0,
            result_ttl_us=fields["ttl"] * SECOND,
            concurrency_key=fields["key"] if self.keys else "",
            use_existing=fields["use_existing"],
            callbacks=fields["callbacks"],
            dedupe_window_us=3 * SECOND,
        )

    async def do_submit(self, fields: Any, rows: Any, batch: int, request: int, all_or_nothing: bool, grant: int) -> Any:
        jobs = [
            (index, new_id(number) if number < 4 and number else b"", b"p" * size, key, b"") for index, number, key, size in rows
        ]
        try:
            answer = await self.driver.submit_batch(
                jobs, *map(self._policy, fields), batch_id=new_id(100 + batch) if batch else b"",
                request_id=new_id(200 + request) if request else b"", request_digest=repr(rows).encode(),
                all_or_nothing=all_or_nothing, grant=grant, grant_lease_us=4 * SECOND,
            )  # fmt: skip
        except Exception as error:
            return type(error).__name__, str(error)
        self.leased += [(seq, answer.lease) for _, seq in answer.leased]
        codes = list(answer.codes) or [0] * len(jobs)
        # A refused item has no job: its id is not one to compare.
        ids = [self.name(job_id) if code != 3 else None for job_id, code in zip(answer.job_ids, codes, strict=True)]
        return ids, codes, answer.repeated, answer.lease, list(answer.leased)

    async def do_lease(self, count: int, seconds: int) -> Any:
        lease = await self.driver.lease(count, seconds=seconds)
        self.leased += [(job[0], lease.number) for job in lease.jobs]
        return lease.number, [(job[0], self.name(job[1]), *job[2:]) for job in lease.jobs]

    async def do_settle(self, choices: list[tuple[int, Verdict]]) -> Any:
        now = self.driver.now
        rows: list[Any] = [
            (*self.leased[index], verdict, b"o", b"f" * (index % 2), b"p", b"", "w", now, now, now + (index % 3) * SECOND)
            for index, verdict in choices
            if index < len(self.leased)
        ]
        return list(await self.driver.store.settle(rows, now))

    def _known(self, index: int) -> bytes:
        known = [job_id for job_id, name in self.names.items() if name == index]
        return known[0] if known else new_id(404)

    async def do_cancel(self, index: int) -> Any:
        return [(a.state, a.changed, a.seq, a.lease) for a in await self.driver.cancel(self._known(index))]

    async def do_cancel_query(self, limit: int, labels: Any) -> Any:
        answers = await self.driver.store.cancel(JobQuery(TENANT, labels=labels), b"c", limit, self.driver.now)
        return [(self.name(a.job_id), a.state, a.changed, a.seq, a.lease) for a in answers]

    async def do_delete(self, index: int) -> Any:
        return [(a.state, a.changed) for a in await self.driver.delete(self._known(index))]

    async def do_wait(self, seconds: int) -> None:
        self.driver.now += seconds * SECOND

    async def do_promote(self, limit: int) -> Any:
        return await self.driver.store.promote(limit, self.driver.now)

    async def do_reap(self, limit: int) -> Any:
        return await self.driver.store.reap(limit, self.driver.now, b"late")

    async def do_purge(self, limit: int) -> Any:
        # Which of several expired jobs go first is the store's own choice, so all of them go.
        return await self.driver.store.purge(limit + 1_000, self.driver.now, self.driver.now - DAY)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps=st.lists(commands, min_size=4, max_size=25), keys=st.booleans())
def test_any_sequence_of_commands_reads_the_same_in_both_stores(steps: list[tuple[Any, ...]], keys: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        model = _Play(MemoryStore(ageing_us=AGEING), keys=keys)
        real = _Play(SqliteStore(Path(directory), ageing_us=AGEING), keys=keys)
        asyncio.run(model.play(steps))
        asyncio.run(real.play(steps))
        for expected, found in zip(model.seen, real.seen, strict=True):
            assert found == expected
