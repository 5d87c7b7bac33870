"""The law of `submit`, for every store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ingest_server.domain.errors import Code, Conflict, NotFound, Reason
from ingest_server.domain.job import JobState
from ingest_server.store.records import JobQuery, QueueRow, SubmitBatch, SubmitCode
from tests.contract.store.driver import DAY, SECOND, TENANT, Driver, new_id, policy


async def test_row_numbers_follow_the_order_of_the_items(driver: Driver) -> None:
    ids = await driver.submit(5)
    rows = await driver.rows(*ids)
    assert [row.seq for row in rows] == sorted(row.seq for row in rows)
    assert len({row.seq for row in rows}) == 5


async def test_fresh_ids_are_uuid7_in_order(driver: Driver) -> None:
    ids = await driver.submit(3) + await driver.submit(3)
    assert ids == sorted(set(ids))
    for job_id in ids:
        assert (job_id[6] >> 4, job_id[8] >> 6) == (7, 2)
        assert int.from_bytes(job_id[:6], "big") == driver.now // 1_000


async def test_a_job_is_kept_as_it_was_handed_in(driver: Driver) -> None:
    fields = policy(
        queue="default", fairness_key="f", concurrency_key="c", priority=7, labels=(("a", "1"), ("b", "ü")),
        start_us=driver.now + 5, deadline_us=driver.now + 9, spec=b"\x00spec",
    )  # fmt: skip
    answer = await driver.submit_batch([(0, new_id(1), b"\x00\xff", "", b"")], fields, retried_from=[new_id(9)])
    row = await driver.row(new_id(1))
    assert (row.tenant, row.queue, row.fairness_key, row.concurrency_key) == (TENANT, "default", "f", "c")
    assert (row.priority, row.labels) == (7, (("a", "1"), ("b", "ü")))
    assert (row.create_us, row.due_us, row.deadline_us) == (driver.now, driver.now + 5, driver.now + 9)
    assert (row.spec, row.payload, row.retried_from) == (b"\x00spec", b"\x00\xff", new_id(9))
    assert (row.state, row.attempt, row.crash_count, row.worker) == (JobState.SCHEDULED, 0, 0, "")
    assert (row.start_us, row.end_us, row.expire_us) == (0, 0, 0)
    assert row.batch_id == answer.batch_id


@pytest.mark.parametrize("size", [0, 1, 1_024, 1_025, 300_000])
async def test_payloads_of_any_size_come_back(driver: Driver, size: int) -> None:
    payload = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (job_id,) = await driver.submit(payload=payload)
    assert (await driver.row(job_id)).payload == payload
    lease = await driver.lease()
    assert lease.jobs[0][4] == payload


async def test_all_created_is_told_without_codes(driver: Driver) -> None:
    answer = await driver.submit_batch([(0, b"", b"", "", b"")] * 2)
    assert not any(answer.codes)
    assert (answer.repeated, answer.lease, list(answer.leased)) == (False, 0, [])


async def test_a_start_in_the_future_makes_it_scheduled_and_not_ready(driver: Driver) -> None:
    (later,) = await driver.submit(start_us=driver.now + 1)
    (now,) = await driver.submit(start_us=driver.now)
    assert [await driver.state(later), await driver.state(now)] == ["SCHEDULED", "QUEUED"]
    assert sum((await driver.ready()).values()) == 1


async def test_a_taken_job_id_is_a_conflict(driver: Driver) -> None:
    await driver.submit_batch([(0, new_id(1), b"", "", b"")])
    answer = await driver.submit_batch([(0, new_id(1), b"", "", b""), (0, b"", b"", "", b"")])
    assert list(answer.codes) == [SubmitCode.CONFLICT, SubmitCode.CREATED]
    assert answer.job_ids[0] == new_id(1)
    assert len(await driver.all()) == 2


async def test_a_taken_job_id_answers_existing_if_wanted(driver: Driver) -> None:
    await driver.submit_batch([(0, new_id(1), b"first", "", b"")])
    answer = await driver.submit_batch([(0, new_id(1), b"second", "", b"")], policy(use_existing=True))
    assert list(answer.codes) == [SubmitCode.EXISTING]
    assert (await driver.row(new_id(1))).payload == b"first"


async def test_an_id_of_another_tenant_is_a_conflict_never_existing(driver: Driver) -> None:
    await driver.submit_batch([(0, new_id(1), b"", "", b"")])
    other = policy(tenant="other", use_existing=True)
    answer = await driver.submit_batch([(0, new_id(1), b"", "", b"")], other, tenant="other")
    assert list(answer.codes) == [SubmitCode.CONFLICT]


@pytest.mark.parametrize(("use_existing", "code"), [(True, SubmitCode.EXISTING), (False, SubmitCode.CONFLICT)])
async def test_the_same_job_id_twice_in_one_batch_is_taken(driver: Driver, use_existing: bool, code: SubmitCode) -> None:
    answer = await driver.submit_batch([(0, new_id(1), b"", "", b"")] * 2, policy(use_existing=use_existing))
    assert list(answer.codes) == [SubmitCode.CREATED, code]
    assert len(await driver.all()) == 1


async def test_the_id_of_a_job_past_its_retention_is_free(driver: Driver) -> None:
    await driver.submit_batch([(0, new_id(1), b"old", "", b"")], policy(result_ttl_us=SECOND))
    await driver.run()
    driver.now += SECOND
    answer = await driver.submit_batch([(0, new_id(1), b"new", "", b"")])
    assert not any(answer.codes)
    assert (await driver.row(new_id(1))).payload == b"new"
    assert await driver.store.purge(10, driver.now, 0) == 0


async def test_a_taken_dedupe_key_answers_existing(driver: Driver) -> None:
    window = policy(dedupe_window_us=10 * SECOND)
    first = await driver.submit_batch([(0, b"", b"", "key", b"")], window)
    driver.now += 10 * SECOND - 1
    second = await driver.submit_batch([(0, new_id(5), b"", "key", b"")], window)
    assert list(second.codes) == [SubmitCode.EXISTING]
    assert second.job_ids == first.job_ids


async def test_a_dedupe_key_is_looked_at_before_the_job_id(driver: Driver) -> None:
    window = policy(dedupe_window_us=10 * SECOND)
    first = await driver.submit_batch([(0, b"", b"", "key", b""), (0, new_id(5), b"", "", b"")], window)
    second = await driver.submit_batch([(0, new_id(5), b"", "key", b"")], window)
    assert list(second.codes) == [SubmitCode.EXISTING]
    assert second.job_ids[0] == first.job_ids[0]


async def test_a_dedupe_key_is_free_after_its_window(driver: Driver) -> None:
    window = policy(dedupe_window_us=10 * SECOND)
    await driver.submit_batch([(0, b"", b"", "key", b"")], window)
    driver.now += 10 * SECOND
    answer = await driver.submit_batch([(0, b"", b"", "key", b"")], window)
    assert not any(answer.codes)


async def test_a_dedupe_key_is_of_one_tenant_and_queue(driver: Driver) -> None:
    await driver.store.put_queue(QueueRow("other", 1, 0, 0.0, False), driver.now)
    window = policy(dedupe_window_us=DAY)
    await driver.submit_batch([(0, b"", b"", "key", b"")], window)
    queue = await driver.submit_batch([(0, b"", b"", "key", b"")], policy(queue="other", dedupe_window_us=DAY))
    tenant = await driver.submit_batch([(0, b"", b"", "key", b"")], policy(tenant="b", dedupe_window_us=DAY), tenant="b")
    assert not any(queue.codes)
    assert not any(tenant.codes)


async def test_a_dedupe_key_of_a_deleted_job_is_free(driver: Driver) -> None:
    window = policy(dedupe_window_us=DAY)
    first = await driver.submit_batch([(0, b"", b"", "key", b"")], window)
    await driver.run()
    await driver.delete(first.job_ids[0])
    answer = await driver.submit_batch([(0, b"", b"", "key", b"")], window)
    assert not any(answer.codes)


async def test_the_same_dedupe_key_twice_in_one_batch_is_taken(driver: Driver) -> None:
    answer = await driver.submit_batch([(0, b"", b"", "key", b"")] * 3, policy(dedupe_window_us=SECOND))
    assert list(answer.codes) == [SubmitCode.CREATED, SubmitCode.EXISTING, SubmitCode.EXISTING]
    assert len(set(answer.job_ids)) == 1


async def test_all_or_nothing_accepts_nothing_when_one_conflicts(driver: Driver) -> None:
    await driver.submit_batch([(0, new_id(1), b"", "", b"")])
    before = len(driver.events)
    jobs = [(0, b"", b"", "", b""), (0, new_id(1), b"", "", b""), (0, new_id(2), b"", "", b"")]
    answer = await driver.submit_batch(jobs, all_or_nothing=True, grant=3, grant_lease_us=SECOND)
    assert list(answer.codes) == [SubmitCode.REFUSED, SubmitCode.CONFLICT, SubmitCode.REFUSED]
    assert (answer.lease, len(driver.events), len(await driver.all())) == (0, before, 1)
    assert await driver.store.batch(TENANT, answer.batch_id) == 0


async def test_all_or_nothing_accepts_all_when_none_conflicts(driver: Driver) -> None:
    await driver.submit_batch([(0, new_id(1), b"", "", b"")])
    jobs = [(0, new_id(1), b"", "", b""), (0, new_id(2), b"", "", b"")]
    answer = await driver.submit_batch(jobs, policy(use_existing=True), all_or_nothing=True)
    assert list(answer.codes) == [SubmitCode.EXISTING, SubmitCode.CREATED]


async def test_an_unknown_queue_accepts_nothing(driver: Driver) -> None:
    with pytest.raises(NotFound, match='"absent"') as caught:
        await driver.submit_batch([(0, b"", b"", "", b""), (1, b"", b"", "", b"")], policy(), policy(queue="absent"))
    assert caught.value.reason is Reason.QUEUE_NOT_FOUND
    assert await driver.all() == []


async def test_a_repeated_request_gets_the_stored_answer_without_a_lease(driver: Driver) -> None:
    await driver.submit_batch([(0, new_id(1), b"", "", b"")])
    jobs = [(0, b"", b"", "", b""), (0, new_id(1), b"", "", b"")]
    fields: dict[str, Any] = {"request_id": new_id(7), "request_digest": b"d", "grant": 2, "grant_lease_us": SECOND}
    first = await driver.submit_batch(jobs, **fields)
    driver.now += DAY - 1
    second = await driver.submit_batch(jobs, **fields)
    assert first.lease
    assert not first.repeated
    assert second.repeated
    assert (second.lease, list(second.leased)) == (0, [])
    assert (second.batch_id, list(second.job_ids), list(second.codes)) == (first.batch_id, list(first.job_ids), list(first.codes))
    assert len(await driver.all()) == 2


async def test_a_request_id_with_another_digest_is_refused(driver: Driver) -> None:
    await driver.submit_batch([(0, b"", b"", "", b"")], request_id=new_id(7), request_digest=b"d")
    with pytest.raises(Conflict) as caught:
        await driver.submit_batch([(0, b"", b"", "", b"")], request_id=new_id(7), request_digest=b"e")
    assert (caught.value.reason, caught.value.code) == (Reason.REQUEST_ID_REUSED, Code.ALREADY_EXISTS)
    assert len(await driver.all()) == 1


async def test_a_request_id_is_free_after_24_hours_and_for_other_tenants(driver: Driver) -> None:
    fields: dict[str, Any] = {"request_id": new_id(7), "request_digest": b"d"}
    await driver.submit_batch([(0, b"", b"", "", b"")], **fields)
    other = await driver.submit_batch([(0, b"", b"", "", b"")], policy(tenant="b"), tenant="b", **fields)
    driver.now += DAY
    later = await driver.submit_batch([(0, b"", b"", "", b"")], request_id=new_id(7), request_digest=b"e")
    assert (other.repeated, later.repeated) == (False, False)


async def test_a_batch_is_made_or_joined(driver: Driver) -> None:
    first = await driver.submit_batch([(0, b"", b"", "", b"")] * 2)
    await driver.submit()
    second = await driver.submit_batch([(0, b"", b"", "", b"")], batch_id=first.batch_id)
    assert second.batch_id == first.batch_id
    rows = await driver.all(batch_id=first.batch_id)
    assert [row.job_id for row in rows] == [*first.job_ids, *second.job_ids]
    number = await driver.store.batch(TENANT, first.batch_id)
    assert number > 0
    assert {row.batch for row in rows} == {number}


async def test_a_batch_id_is_of_one_tenant(driver: Driver) -> None:
    mine = await driver.submit_batch([(0, b"", b"", "", b"")], batch_id=new_id(3))
    await driver.submit_batch([(0, b"", b"", "", b"")], policy(tenant="b"), tenant="b", batch_id=new_id(3))
    assert [row.job_id for row in await driver.all(batch_id=new_id(3))] == list(mine.job_ids)
    assert await driver.store.batch("b", new_id(3)) not in (0, await driver.store.batch(TENANT, new_id(3)))


async def test_a_grant_leases_new_queued_jobs_in_order(driver: Driver) -> None:
    await driver.submit_batch([(0, new_id(1), b"", "", b"")])
    jobs = [(0, new_id(1), b"", "", b""), (1, b"", b"", "", b""), (2, b"", b"", "", b""), *[(0, b"", b"", "", b"")] * 3]
    policies = policy(), policy(start_us=driver.now + SECOND), policy(concurrency_key="k")
    answer = await driver.submit_batch(jobs, *policies, grant=2, grant_lease_us=SECOND)
    assert [index for index, _ in answer.leased] == [3, 4]
    rows = await driver.rows(*(answer.job_ids[index] for index, _ in answer.leased))
    assert [row.seq for row in rows] == [seq for _, seq in answer.leased]
    assert [row.state.name for row in rows] == ["RUNNING"] * 2
    assert list(answer.groups) == [rows[0].group] * 3
    assert driver.story(rows[0].job_id) == ["QUEUED", "RUNNING"]
    leased = [(seq, b"", 0, b"", b"", 1, 0, 0, 0) for _, seq in answer.leased]
    assert await driver.settle(answer.lease, leased) == []


async def test_a_granted_lease_ends_like_any_other(driver: Driver) -> None:
    (job_id,) = await driver.submit(grant=1)
    driver.now += 30 * SECOND
    assert await driver.store.reap(10, driver.now, b"") == (1, 0)
    assert await driver.state(job_id) == "QUEUED"
    assert [job[1] for job in (await driver.lease()).jobs] == [job_id]


async def test_a_commit_tells_its_events_before_the_caller_gets_the_answer(driver: Driver) -> None:
    answer = await driver.submit_batch([(0, b"", b"", "", b"")] * 2, policy(fairness_key="new"))
    (changes,) = [changes for changes in driver.heard if changes.events]
    assert [event[2] for event in changes.events] == list(answer.job_ids)
    (group,) = changes.groups
    assert changes.groups[group] == (TENANT, "default", "new")
    assert changes.ready == {group: 2}


async def test_a_blob_that_a_job_refers_to_is_in_use(driver: Driver) -> None:
    await driver.submit_batch([(0, b"", b"", "", b"\x01" * 32)])
    digests = [b"\x01" * 32, b"\x02" * 32]
    assert list(await driver.store.blobs_in_use(digests)) == [True, False]
    assert list(await driver.store.blobs_in_use(digests, TENANT)) == [True, False]
    assert list(await driver.store.blobs_in_use(digests, "other")) == [False, False]
    lease = await driver.run(sha256=b"\x02" * 32)
    assert list(await driver.store.blobs_in_use(digests)) == [True, True]
    await driver.delete(lease.jobs[0][1])
    assert list(await driver.store.blobs_in_use(digests)) == [False, False]


async def test_jobs_of_one_call_become_visible_at_once(driver: Driver) -> None:
    await driver.submit_batch(
        [(index % 3, b"", b"", "", b"") for index in range(30)], *(policy(spec=bytes([i])) for i in range(3))
    )
    rows = await driver.rows(*(row.job_id for row in await driver.all()))
    assert [row.spec for row in rows] == [bytes([index % 3]) for index in range(30)]
    page = await driver.store.jobs(JobQuery(TENANT), limit=100, now_us=driver.now)
    assert page.position == driver.events[-1][0]


async def test_a_submit_without_items_makes_the_batch_which_is_forgotten_after_a_day(driver: Driver) -> None:
    await driver.submit_batch([], batch_id=new_id(1))
    await driver.submit_batch([], batch_id=new_id(2))
    number = await driver.store.batch(TENANT, new_id(1))
    assert number > 0
    await driver.submit_batch([(0, b"", b"", "", b"")], batch_id=new_id(1))
    driver.now += DAY - 1
    await driver.store.purge(10, driver.now, 0)
    assert await driver.store.batch(TENANT, new_id(2)) > 0
    driver.now += 1
    await driver.store.purge(10, driver.now, 0)
    assert await driver.store.batch(TENANT, new_id(1)) == number
    assert await driver.store.batch(TENANT, new_id(2)) == 0


async def test_refused_items_are_part_of_the_answer_and_of_its_repeat(driver: Driver) -> None:
    known, unknown = policy(queue="default"), policy(queue="nowhere")
    jobs = [(0, b"", b"one", "", b""), (1, b"", b"two", "", b""), (0, b"", b"three", "", b"")]
    batch = SubmitBatch(TENANT, b"r" * 16, b"digest", b"", False, [known, unknown], jobs, refused={1: SubmitCode.QUEUE_NOT_FOUND})
    first = await driver.store.submit(batch, driver.now)
    assert list(first.codes) == [SubmitCode.CREATED, SubmitCode.QUEUE_NOT_FOUND, SubmitCode.CREATED]
    assert first.job_ids[1] == b""
    repeat = await driver.store.submit(replace(batch, refused={}), driver.now)
    assert repeat.repeated
    assert (list(repeat.job_ids), list(repeat.codes)) == (list(first.job_ids), list(first.codes))
