"""The law of `cancel`, `delete`, `promote`, `reap`, `purge` and `put_queue`, for every store."""

from __future__ import annotations

from ingest_server.domain.job import JobState
from ingest_server.store.records import ActionAnswer, JobQuery, QueueRow, Verdict
from tests.contract.store.driver import DAY, SECOND, TENANT, Driver, new_id, policy

# ---- cancel


async def test_waiting_jobs_are_cancelled_at_once(driver: Driver) -> None:
    (queued,) = await driver.submit(result_ttl_us=SECOND)
    (scheduled,) = await driver.submit(start_us=driver.now + 9)
    driver.now += 5
    answers = await driver.cancel(queued, scheduled, failure=b"why")
    assert answers == [ActionAnswer(job_id, JobState.CANCELLED, True) for job_id in (queued, scheduled)]
    row = await driver.row(queued)
    assert (row.state.name, row.failure, row.end_us, row.expire_us) == ("CANCELLED", b"why", driver.now, driver.now + SECOND)
    assert (await driver.row(scheduled)).due_us == 0
    assert set(driver.heard[-1].details.values()) == {(b"", b"why")}
    assert sum((await driver.ready()).values()) == 0


async def test_a_running_job_becomes_cancelling_and_its_attempt_is_named(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    lease = await driver.lease()
    first, second = await driver.cancel(job_id), await driver.cancel(job_id)
    seq = lease.jobs[0][0]
    assert first == [ActionAnswer(job_id, JobState.CANCELLING, True, seq, lease.number)]
    assert second == [ActionAnswer(job_id, JobState.CANCELLING, False, seq, lease.number)]
    assert (await driver.row(job_id)).attempt == 1


async def test_a_cancel_answers_one_per_id_in_order(driver: Driver) -> None:
    (done,) = await driver.submit()
    await driver.run()
    (queued,) = await driver.submit()
    (foreign,) = await driver.submit(tenant="other")
    answers = await driver.cancel(new_id(404), queued, done, queued, foreign)
    assert [(answer.job_id, answer.state, answer.changed) for answer in answers] == [
        (new_id(404), None, False),
        (queued, JobState.CANCELLED, True),
        (done, JobState.SUCCEEDED, False),
        (queued, JobState.CANCELLED, False),
        (foreign, None, False),
    ]


async def test_a_cancel_by_query_goes_by_row_number_up_to_the_limit(driver: Driver) -> None:
    done = await driver.submit(2)
    await driver.run()
    running = await driver.submit(1)
    await driver.lease()
    waiting = await driver.submit(4, labels=(("a", "1"),))
    other = await driver.submit(1, tenant="other")
    answers = [await driver.store.cancel(JobQuery(TENANT), b"", 3, driver.now) for _ in range(3)]
    assert [[answer.job_id for answer in part] for part in answers] == [running + waiting[:2], waiting[2:], []]
    assert [await driver.state(job_id) for job_id in done] == ["SUCCEEDED"] * 2
    assert (await driver.rows(*other, tenant="other"))[0].state is JobState.QUEUED


async def test_a_cancel_by_batch_label_or_queue_spares_the_rest(driver: Driver) -> None:
    await driver.store.put_queue(QueueRow("q", 1, 0, 0.0, False), driver.now)
    batch = await driver.submit_batch([(0, b"", b"", "", b"")] * 2, batch_id=new_id(1))
    label = await driver.submit(1, labels=(("a", "1"),))
    queue = await driver.submit(1, queue="q")
    rest = await driver.submit(1, labels=(("a", "2"),))
    for query, expected in (
        (JobQuery(TENANT, batch_id=new_id(1)), list(batch.job_ids)),
        (JobQuery(TENANT, labels=(("a", "1"),)), label),
        (JobQuery(TENANT, queues=frozenset({"q"})), queue),
        (JobQuery(TENANT, batch_id=new_id(2)), []),
    ):
        answers = await driver.store.cancel(query, b"", 10, driver.now)
        assert [answer.job_id for answer in answers] == expected
    assert await driver.state(rest[0]) == "QUEUED"


# ---- delete


async def test_only_terminal_jobs_are_deleted_and_without_an_event(driver: Driver) -> None:
    (done,) = await driver.submit(payload=b"x" * 5_000)
    await driver.run(output=b"y" * 5_000)
    (running,) = await driver.submit()
    await driver.lease()
    (queued,) = await driver.submit()
    (scheduled,) = await driver.submit(start_us=driver.now + 9)
    before = len(driver.events)
    answers = await driver.delete(done, running, queued, scheduled, new_id(404), done)
    assert [(answer.state and answer.state.name, answer.changed) for answer in answers] == [
        (None, True), ("RUNNING", False), ("QUEUED", False), ("SCHEDULED", False), (None, False), (None, False),
    ]  # fmt: skip
    assert len(driver.events) == before
    assert await driver.state(done) == "gone"


async def test_a_delete_by_query_takes_terminal_jobs_up_to_the_limit(driver: Driver) -> None:
    done = await driver.submit(3)
    await driver.run()
    await driver.submit(2)
    first = await driver.store.delete(JobQuery(TENANT), 2, driver.now)
    second = await driver.store.delete(JobQuery(TENANT), 2, driver.now)
    assert [answer.job_id for answer in (*first, *second)] == done
    assert len(await driver.all()) == 2


async def test_a_batch_goes_with_its_last_job(driver: Driver) -> None:
    answer = await driver.submit_batch([(0, b"", b"", "", b"")] * 2)
    await driver.run()
    await driver.delete(answer.job_ids[0])
    assert await driver.store.batch(TENANT, answer.batch_id) > 0
    await driver.delete(answer.job_ids[1])
    assert await driver.store.batch(TENANT, answer.batch_id) == 0
    await driver.submit_batch([(0, b"", b"", "", b"")], batch_id=answer.batch_id)
    assert len(await driver.all(batch_id=answer.batch_id)) == 1


async def test_row_numbers_are_never_used_again(driver: Driver) -> None:
    (first,) = await driver.submit()
    seq = (await driver.row(first)).seq
    await driver.run()
    await driver.delete(first)
    (second,) = await driver.submit()
    assert (await driver.row(second)).seq > seq


# ---- promote


async def test_promote_takes_the_longest_due_first_up_to_the_limit(driver: Driver) -> None:
    (b,) = await driver.submit(start_us=driver.now + 2)
    (a,) = await driver.submit(start_us=driver.now + 1)
    (c,) = await driver.submit(start_us=driver.now + 3)
    (d,) = await driver.submit(start_us=driver.now + 4)
    driver.now += 3
    assert [await driver.store.promote(2, driver.now), await driver.store.promote(2, driver.now)] == [2, 1]
    assert [event[2] for event in driver.events[-3:]] == [a, b, c]
    assert await driver.state(d) == "SCHEDULED"
    assert list((await driver.ready()).values()) == [3]


async def test_a_scheduled_job_joins_the_lane_of_its_key_when_promoted(driver: Driver) -> None:
    (scheduled,) = await driver.submit(concurrency_key="k", start_us=driver.now + 1, priority=9)
    (queued,) = await driver.submit(concurrency_key="k")
    driver.now += 1
    await driver.store.promote(5, driver.now)
    assert list((await driver.ready()).values()) == [1]
    assert [(await driver.run()).jobs[0][1] for _ in range(2)] == [scheduled, queued]


# ---- reap


async def test_a_lease_past_its_end_is_ended_and_nothing_counted(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    lease = await driver.lease(seconds=10)
    driver.now += 10 * SECOND - 1
    assert await driver.store.reap(10, driver.now, b"f") == (0, 0)
    driver.now += 1
    assert await driver.store.reap(10, driver.now, b"f") == (1, 0)
    row = await driver.row(job_id)
    assert (row.state.name, row.attempt, row.failure, row.history) == ("QUEUED", 0, b"", b"")
    assert list(await driver.store.heartbeat([lease.number], driver.now + 1, driver.now)) == [lease.number]


async def test_a_cancelling_job_of_an_ended_lease_is_cancelled(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    await driver.lease(seconds=1)
    await driver.cancel(job_id, failure=b"asked")
    driver.now += SECOND
    assert await driver.store.reap(10, driver.now, b"f") == (1, 0)
    row = await driver.row(job_id)
    assert (row.state.name, row.failure) == ("CANCELLED", b"asked")


async def test_reap_ends_at_most_the_limit_of_each(driver: Driver) -> None:
    await driver.submit(5)
    await driver.lease(seconds=1)
    await driver.submit(5, deadline_us=driver.now + SECOND)
    driver.now += SECOND
    assert [await driver.store.reap(3, driver.now, b"") for _ in range(3)] == [(3, 3), (2, 2), (0, 0)]


async def test_waiting_jobs_past_their_deadline_expire(driver: Driver) -> None:
    (queued,) = await driver.submit(deadline_us=driver.now + SECOND)
    (scheduled,) = await driver.submit(deadline_us=driver.now + SECOND, start_us=driver.now + DAY)
    (running,) = await driver.submit(deadline_us=driver.now + SECOND, fairness_key="r")
    number = next(number for number, (key, _) in (await driver.store.groups()).items() if key[2] == "r")
    await driver.store.lease([(number, 1)], driver.now + DAY, driver.now)
    (never,) = await driver.submit()
    driver.now += SECOND
    assert await driver.store.reap(10, driver.now, b"late") == (0, 2)
    assert [await driver.state(job_id) for job_id in (queued, scheduled, running, never)] == [
        "EXPIRED", "EXPIRED", "RUNNING", "QUEUED",
    ]  # fmt: skip
    assert (await driver.row(queued)).failure == b"late"


# ---- purge


async def test_purge_forgets_what_is_past_its_retention(driver: Driver) -> None:
    (short,) = await driver.submit(result_ttl_us=SECOND)
    (long,) = await driver.submit(result_ttl_us=DAY)
    await driver.run()
    driver.now += SECOND - 1
    assert await driver.store.purge(10, driver.now, 0) == 0
    assert await driver.state(short) == "SUCCEEDED"
    driver.now += 1
    assert await driver.state(short) == "gone"
    before = len(driver.events)
    assert await driver.store.purge(10, driver.now, 0) == 1
    assert (await driver.state(long), len(driver.events)) == ("SUCCEEDED", before)


async def test_purge_forgets_at_most_the_limit(driver: Driver) -> None:
    await driver.submit(7, result_ttl_us=SECOND)
    await driver.run()
    driver.now += SECOND
    assert [await driver.store.purge(3, driver.now, 0) for _ in range(4)] == [3, 3, 1, 0]


async def test_purge_forgets_jobs_that_ended_in_the_queue(driver: Driver) -> None:
    (cancelled,) = await driver.submit(result_ttl_us=SECOND)
    await driver.submit(result_ttl_us=SECOND, deadline_us=driver.now + 1)
    await driver.cancel(cancelled)
    driver.now += 1
    await driver.store.reap(10, driver.now, b"")
    driver.now += SECOND
    assert await driver.store.purge(10, driver.now, 0) == 2


async def test_jobs_past_their_retention_do_not_exist_for_any_verb(driver: Driver) -> None:
    (job_id,) = await driver.submit(result_ttl_us=SECOND)
    await driver.run()
    driver.now += SECOND
    assert await driver.all() == []
    assert (await driver.cancel(job_id))[0].state is None
    assert (await driver.delete(job_id))[0].changed is False
    counts = await driver.store.count(JobQuery(TENANT), by_state=True, by_queue=False, by_label="", now_us=driver.now)
    assert sum(counts.values()) == 0


async def test_purge_forgets_empty_groups_and_their_numbers_are_not_used_again(driver: Driver) -> None:
    await driver.submit(fairness_key="f", result_ttl_us=SECOND)
    (number,) = await driver.store.groups()
    await driver.run()
    driver.now += SECOND
    await driver.store.purge(10, driver.now, 0)
    assert await driver.store.groups() == {}
    await driver.submit(fairness_key="f")
    (again,) = await driver.store.groups()
    assert again > number
    assert driver.heard[-1].groups == {again: (TENANT, "default", "f")}


async def test_purge_forgets_old_events_and_tells_the_oldest_position(driver: Driver) -> None:
    await driver.submit(2)
    driver.now += SECOND
    await driver.submit(1)
    await driver.store.purge(10, driver.now, driver.now)
    assert await driver.store.span() == (2, 3)
    assert [event[0] for event in await driver.store.events_after(0, 10)] == [3]
    await driver.store.purge(10, driver.now, driver.now + 1)
    assert await driver.store.span() == (3, 3)
    await driver.submit(1)
    assert await driver.store.span() == (3, 4)


async def test_a_batch_is_forgotten_with_its_jobs_by_purge(driver: Driver) -> None:
    answer = await driver.submit_batch([(0, b"", b"", "", b"")] * 3, policy(result_ttl_us=SECOND))
    await driver.run()
    driver.now += SECOND
    await driver.store.purge(2, driver.now, 0)
    assert await driver.store.batch(TENANT, answer.batch_id) > 0
    await driver.store.purge(2, driver.now, 0)
    assert await driver.store.batch(TENANT, answer.batch_id) == 0


# ---- queues


async def test_the_default_queue_exists(driver: Driver) -> None:
    assert list(await driver.store.queues()) == [QueueRow("default", 1, 0, 0.0, False)]


async def test_queues_are_made_and_changed_and_told_by_name(driver: Driver) -> None:
    await driver.store.put_queue(QueueRow("b", 2, 3, 4.5, True), driver.now)
    await driver.store.put_queue(QueueRow("a", 1, 0, 0.0, False), driver.now)
    await driver.store.put_queue(QueueRow("b", 9, 0, 0.0, False), driver.now)
    assert [changes.queue_config for changes in driver.heard] == [True] * 3
    assert [(queue.name, queue.weight) for queue in await driver.store.queues()] == [("a", 1), ("b", 9), ("default", 1)]


async def test_an_old_attempt_of_a_deleted_job_changes_nothing(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    lease = await driver.run()
    await driver.delete(job_id)
    assert await driver.settle(lease.number, lease.jobs, Verdict.FAILED) == [0]
