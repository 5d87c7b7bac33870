"""The law of the reads, of listeners and of the life of a store, for every store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ingest_server.domain.errors import Reason, Unavailable
from ingest_server.domain.job import LIVE_STATES, JobState
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Detail, JobQuery, QueueRow, Verdict
from tests.contract.store.driver import DAY, SECOND, TENANT, Driver, new_id


async def _one_of_each(driver: Driver) -> dict[str, bytes]:
    """A job in every state."""
    jobs: dict[str, bytes] = {}
    for verdict in (Verdict.SUCCEEDED, Verdict.FAILED, Verdict.CANCELLED, Verdict.EXPIRED):
        (jobs[verdict.name],) = await driver.submit()
        await driver.run(verdict)
    (jobs["CANCELLING"],) = await driver.submit()
    await driver.lease()
    await driver.cancel(jobs["CANCELLING"])
    (jobs["RUNNING"],) = await driver.submit()
    await driver.lease()
    (jobs["QUEUED"],) = await driver.submit()
    (jobs["SCHEDULED"],) = await driver.submit(start_us=driver.now + DAY)
    return jobs


async def test_jobs_are_filtered_by_state(driver: Driver) -> None:
    jobs = await _one_of_each(driver)
    for state in JobState:
        assert [row.job_id for row in await driver.all(states=frozenset({state}))] == [jobs[state.name]]
    both = await driver.all(states=frozenset({JobState.QUEUED, JobState.RUNNING}))
    assert [row.state.name for row in both] == ["RUNNING", "QUEUED"]


async def test_jobs_are_counted_by_state_queue_and_label(driver: Driver) -> None:
    await driver.store.put_queue(QueueRow("q", 1, 0, 0.0, False), driver.now)
    await driver.submit(3, labels=(("team", "a"), ("x", "y")))
    await driver.lease(1)
    await driver.submit(2, queue="q", labels=(("team", "b"),))
    await driver.submit(1)
    await driver.submit(4, tenant="other")
    count = driver.store.count
    plain: dict[str, Any] = {"by_state": False, "by_queue": False, "by_label": "", "now_us": driver.now}
    assert await count(JobQuery(TENANT), **plain) == {(None, "", ""): 6}
    assert await count(JobQuery(TENANT), **(plain | {"by_state": True})) == {
        (JobState.RUNNING, "", ""): 1, (JobState.QUEUED, "", ""): 5,
    }  # fmt: skip
    assert await count(JobQuery(TENANT), **(plain | {"by_queue": True, "by_label": "team"})) == {
        (None, "default", "a"): 3, (None, "default", ""): 1, (None, "q", "b"): 2,
    }  # fmt: skip
    assert await count(JobQuery("", states=frozenset({JobState.QUEUED})), **plain) == {(None, "", ""): 9}


async def test_counts_of_ids_and_batches(driver: Driver) -> None:
    answer = await driver.submit_batch([(0, b"", b"", "", b"")] * 3)
    (other,) = await driver.submit()
    plain: dict[str, Any] = {"by_state": True, "by_queue": False, "by_label": "", "now_us": driver.now}
    queued = (JobState.QUEUED, "", "")
    assert await driver.store.count(JobQuery(TENANT, batch_id=answer.batch_id), **plain) == {queued: 3}
    ids = [answer.job_ids[0], other, other, new_id(404)]
    assert await driver.store.count(JobQuery(TENANT, job_ids=ids), **plain) == {queued: 2}
    assert await driver.store.count(JobQuery(TENANT, batch_id=new_id(404)), **plain) == {}


async def test_jobs_by_id_come_in_the_order_asked_without_the_unknown(driver: Driver) -> None:
    a, b, c = await driver.submit(3)
    (foreign,) = await driver.submit(tenant="other")
    query = JobQuery(TENANT, job_ids=[c, new_id(404), a, foreign, b], states=frozenset({JobState.FAILED}))
    page = await driver.store.jobs(query, limit=1, now_us=driver.now)
    assert [row.job_id for row in page.rows] == [c, a, b]
    assert page.next_seq == 0


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_go_by_row_number_without_gap_or_repeat(driver: Driver, newest_first: bool) -> None:
    ids = await driver.submit(7)
    await driver.run()
    await driver.delete(ids[3])
    seen: list[bytes] = []
    from_seq = 0
    while True:
        page = await driver.store.jobs(JobQuery(TENANT), limit=2, from_seq=from_seq, newest_first=newest_first, now_us=driver.now)
        assert len(page.rows) <= 2
        seen += [row.job_id for row in page.rows]
        from_seq = page.next_seq
        if not from_seq:
            break
    expected = [job_id for job_id in ids if job_id != ids[3]]
    assert seen == (expected[::-1] if newest_first else expected)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_of_a_batch_go_over_all_its_calls(driver: Driver, newest_first: bool) -> None:
    ids: list[bytes] = []
    for size in (2, 1, 3):
        ids += (await driver.submit_batch([(0, b"", b"", "", b"")] * size, batch_id=new_id(1))).job_ids
        await driver.submit(1)
    seen: list[bytes] = []
    from_seq = 0
    while True:
        page = await driver.store.jobs(
            JobQuery(TENANT, batch_id=new_id(1)), limit=4, from_seq=from_seq, newest_first=newest_first, now_us=driver.now
        )
        seen += [row.job_id for row in page.rows]
        from_seq = page.next_seq
        if not from_seq:
            break
    assert seen == (ids[::-1] if newest_first else ids)


async def test_pages_stop_before_bytes_max_but_never_before_the_first_row(driver: Driver) -> None:
    await driver.submit(3, payload=b"x" * 500, spec=b"s" * 100)

    async def page(bytes_max: int, from_seq: int = 0) -> tuple[int, int]:
        page = await driver.store.jobs(
            JobQuery(TENANT), limit=10, from_seq=from_seq, detail=Detail.FULL, bytes_max=bytes_max, now_us=driver.now
        )
        return len(page.rows), page.next_seq

    assert await page(1_200) == (2, 3)
    assert await page(1_199) == (1, 2)
    assert await page(1) == (1, 2)
    assert await page(1, 3) == (1, 0)
    assert await page(0) == (3, 0)


async def test_opaque_bytes_are_given_only_in_full(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    await driver.run(progress=b"half")
    for detail, output in ((Detail.BASIC, b""), (Detail.OUTPUT, b"output")):
        (row,) = await driver.rows(job_id, detail=detail)
        assert (row.spec, row.payload, row.history, row.output, row.progress) == (b"", b"", b"", output, b"half")


async def test_a_page_of_ids_tells_the_index_of_the_first_it_left_out(driver: Driver) -> None:
    a, b = await driver.submit(2, payload=b"x" * 500)
    query = JobQuery(TENANT, job_ids=[new_id(404), a, new_id(405), b])
    page = await driver.store.jobs(query, limit=10, detail=Detail.FULL, bytes_max=600, now_us=driver.now)
    assert ([row.job_id for row in page.rows], page.next_seq) == ([a], 3)


async def test_batches_are_named_by_their_numbers(driver: Driver) -> None:
    answer = await driver.submit_batch([(0, b"", b"", "", b"")])
    number = await driver.store.batch(TENANT, answer.batch_id)
    assert await driver.store.batch_ids([number, 999]) == {number: answer.batch_id}


async def test_jobs_are_filtered_by_label_queue_batch_and_time(driver: Driver) -> None:
    await driver.store.put_queue(QueueRow("q", 1, 0, 0.0, False), driver.now)
    (a,) = await driver.submit(labels=(("k.1/x", 'v"1'), ("z", "1")))
    driver.now += SECOND
    (b,) = await driver.submit(labels=(("k.1/x", "v2"), ("z", "1")), queue="q")
    assert [row.job_id for row in await driver.all(labels=(("z", "1"),))] == [a, b]
    assert [row.job_id for row in await driver.all(labels=(("z", "1"), ("k.1/x", 'v"1')))] == [a]
    assert await driver.all(labels=(("k.1/x", "1"),)) == []
    assert [row.job_id for row in await driver.all(queues=frozenset({"q", "absent"}))] == [b]
    assert [row.job_id for row in await driver.all(create_from_us=driver.now)] == [b]
    assert [row.job_id for row in await driver.all(create_before_us=driver.now)] == [a]
    assert await driver.all(tenant="other") == []
    assert [row.job_id for row in await driver.all(tenant="")] == [a, b]


async def test_events_after_a_position_come_in_order_and_whole(driver: Driver) -> None:
    await driver.submit(3)
    await driver.submit(3)
    assert [event[0] for event in await driver.store.events_after(0, 4)] == [1, 2, 3, 4, 5, 6]
    assert [event[0] for event in await driver.store.events_after(0, 3)] == [1, 2, 3]
    assert [event[0] for event in await driver.store.events_after(1, 1)] == [2, 3]
    assert list(await driver.store.events_after(6, 10)) == []
    assert await driver.store.span() == (0, 6)


async def test_writes_that_run_at_once_are_all_answered_and_told_in_order(driver: Driver) -> None:
    parts = await asyncio.gather(*(driver.submit(2, fairness_key=str(index % 3)) for index in range(20)))
    ids = [job_id for part in parts for job_id in part]
    assert len(set(ids)) == 40
    assert [event[0] for event in driver.events] == list(range(1, 41))
    assert sorted((await driver.ready()).values()) == [12, 14, 14]


async def test_a_cancelled_caller_does_not_undo_its_write(driver: Driver) -> None:
    task = asyncio.ensure_future(driver.submit(1))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await driver.submit(1)
    assert len(await driver.all()) == 2


async def test_statistics_name_their_units(driver: Driver) -> None:
    await driver.submit(3)
    await driver.lease(2)
    figures = await driver.store.statistics()
    assert figures["leased_jobs"] == 2
    assert all(isinstance(value, int | float) for value in figures.values())


async def test_a_closed_store_is_unavailable_and_closing_twice_is_harmless(store: JobStore) -> None:
    driver = Driver(store)
    await store.open(driver.now)
    await driver.submit()
    await store.close()
    await store.close()
    for call in (driver.submit(), driver.all(), store.groups(), store.heartbeat([], 1, 1), store.span()):
        with pytest.raises(Unavailable) as caught:
            await call
        assert caught.value.reason is Reason.STORE_UNAVAILABLE


async def test_live_jobs_are_counted_in_every_state_of_life(driver: Driver) -> None:
    await driver.submit(2, start_us=driver.now + DAY)
    await driver.submit(3, concurrency_key="one at a time")
    running = await driver.submit(2)
    await driver.lease(2)
    (ended,) = await driver.submit(1)
    await driver.store.cancel(JobQuery(TENANT, job_ids=[ended]), b"", 1, driver.now)
    rows = await driver.all()
    expected: dict[JobState, int] = {}
    for row in rows:
        if not row.state.terminal:
            expected[row.state] = expected.get(row.state, 0) + 1
    counts = await driver.store.count(JobQuery(TENANT, states=frozenset(LIVE_STATES)), by_state=True, now_us=driver.now)
    assert {state: count for (state, _, _), count in counts.items()} == expected
    assert sum(counts.values()) == len(rows) - 1
    await driver.store.cancel(JobQuery(TENANT, job_ids=running), b"", 2, driver.now)
    again = await driver.store.count(JobQuery(TENANT, states=frozenset(LIVE_STATES)), by_state=True, now_us=driver.now)
    assert {state: count for (state, _, _), count in again.items()} == {
        state: count
        for state in JobState
        if (count := sum(row.state is state for row in await driver.all())) and not state.terminal
    }
