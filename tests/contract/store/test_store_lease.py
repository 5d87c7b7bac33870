"""The law of `lease`, `heartbeat` and concurrency keys, for every store."""

from __future__ import annotations

from ingest_server.store.records import Verdict
from tests.contract.store.driver import AGEING, SECOND, Driver, new_id, policy


async def test_a_lease_takes_up_to_the_wanted_number_in_order_of_acceptance(driver: Driver) -> None:
    ids = await driver.submit(3) + await driver.submit(3)
    first, second = await driver.lease(4), await driver.lease(4)
    assert [job[1] for job in first.jobs] == ids[:4]
    assert [job[1] for job in second.jobs] == ids[4:]


async def test_a_leased_job_is_running_and_tells_its_attempt(driver: Driver) -> None:
    (job_id,) = await driver.submit(deadline_us=driver.now + 60 * SECOND, spec=b"s")
    driver.now += SECOND
    lease = await driver.lease()
    row = await driver.row(job_id)
    assert lease.jobs == [(row.seq, job_id, row.group, b"s", b"payload", 1, 0, driver.now + 59 * SECOND, driver.now - SECOND)]
    assert (row.state.name, row.attempt, row.start_us) == ("RUNNING", 1, driver.now)
    assert driver.story(job_id) == ["QUEUED", "RUNNING"]


async def test_a_lease_of_nothing_has_number_0_and_makes_no_event(driver: Driver) -> None:
    await driver.submit(start_us=driver.now + SECOND)
    before = len(driver.events)
    lease = await driver.lease()
    assert (lease.number, list(lease.jobs), len(driver.events)) == (0, [], before)
    assert (await driver.store.lease([(999, 5)], driver.now + 1, driver.now)).number == 0


async def test_a_later_lease_has_a_larger_number(driver: Driver) -> None:
    await driver.submit(3)
    numbers = [(await driver.lease(1)).number for _ in range(3)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 0


async def test_groups_are_served_in_the_order_wanted(driver: Driver) -> None:
    a = await driver.submit(2, fairness_key="a")
    b = await driver.submit(2, fairness_key="b")
    by_key = {key[2]: number for number, (key, _) in (await driver.store.groups()).items()}
    lease = await driver.store.lease([(by_key["b"], 1), (by_key["a"], 5)], driver.now + SECOND, driver.now)
    assert [job[1] for job in lease.jobs] == [b[0], *a]


async def test_a_higher_priority_goes_first(driver: Driver) -> None:
    low = await driver.submit(2, priority=1)
    high = await driver.submit(2, priority=9)
    assert [job[1] for job in (await driver.lease()).jobs] == high + low


async def test_a_job_that_has_waited_one_ageing_per_step_goes_first(driver: Driver) -> None:
    old = await driver.submit(priority=4)
    driver.now += 2 * AGEING - 1
    young = await driver.submit(priority=6)
    driver.now += 1
    tie = await driver.submit(priority=6)
    assert [job[1] for job in (await driver.lease()).jobs] == young + old + tie


async def test_a_higher_priority_that_comes_after_a_lease_is_not_passed_over(driver: Driver) -> None:
    await driver.submit(5)
    await driver.lease(3)
    high = await driver.submit(2, priority=9)
    assert [job[1] for job in (await driver.lease(2)).jobs] == high
    assert len((await driver.lease()).jobs) == 2


async def test_a_scheduled_job_is_not_leased_until_it_is_promoted(driver: Driver) -> None:
    ids = await driver.submit(start_us=driver.now + SECOND)
    driver.now += SECOND
    assert (await driver.lease()).jobs == []
    assert await driver.store.promote(10, driver.now) == 1
    assert [job[1] for job in (await driver.lease()).jobs] == ids


async def test_a_job_past_its_deadline_is_not_leased(driver: Driver) -> None:
    await driver.submit(deadline_us=driver.now + SECOND)
    alive = await driver.submit(deadline_us=driver.now + SECOND + 1)
    driver.now += SECOND
    assert [job[1] for job in (await driver.lease()).jobs] == alive


async def test_a_handed_back_job_keeps_its_place(driver: Driver) -> None:
    ids = await driver.submit(4)
    lease = await driver.lease(2)
    await driver.settle(lease.number, lease.jobs, Verdict.HANDED_BACK)
    assert [job[1] for job in (await driver.lease()).jobs] == ids


async def test_a_handed_back_job_is_leased_again_though_its_old_lease_still_holds_others(driver: Driver) -> None:
    await driver.submit(2)
    old = await driver.lease()
    await driver.settle(old.number, old.jobs[:1], Verdict.HANDED_BACK)
    assert await driver.state(old.jobs[0][1]) == "QUEUED"
    new = await driver.lease()
    assert [job[1] for job in new.jobs] == [old.jobs[0][1]]
    assert await driver.settle(old.number, old.jobs) == [0]
    assert await driver.settle(new.number, new.jobs) == []


async def test_ready_counts_follow_leases(driver: Driver) -> None:
    await driver.submit(5)
    await driver.lease(2)
    assert list((await driver.ready()).values()) == [3]


async def test_a_heartbeat_lets_a_lease_end_later(driver: Driver) -> None:
    await driver.submit(1)
    lease = await driver.lease(seconds=10)
    assert list(await driver.store.heartbeat([lease.number], driver.now + 20 * SECOND, driver.now)) == []
    driver.now += 20 * SECOND - 1
    assert await driver.store.reap(10, driver.now, b"") == (0, 0)
    driver.now += 1
    assert await driver.store.reap(10, driver.now, b"") == (1, 0)


async def test_a_heartbeat_answers_the_leases_that_exist_no_more(driver: Driver) -> None:
    await driver.submit(3)
    done, lost, kept = [await driver.lease(1) for _ in range(3)]
    await driver.settle(done.number, done.jobs)
    await driver.settle(lost.number, lost.jobs, Verdict.HANDED_BACK)
    numbers = [999, done.number, kept.number, lost.number]
    assert list(await driver.store.heartbeat(numbers, driver.now + SECOND, driver.now)) == [999, done.number, lost.number]


async def test_one_job_of_a_concurrency_key_is_leased_at_a_time(driver: Driver) -> None:
    ids = await driver.submit(3, concurrency_key="k")
    for job_id in ids:
        assert sum((await driver.ready()).values()) == 1
        lease = await driver.lease()
        assert [job[1] for job in lease.jobs] == [job_id]
        assert (await driver.lease()).jobs == []
        assert sum((await driver.ready()).values()) == 0
        await driver.settle(lease.number, lease.jobs)


async def test_jobs_behind_a_concurrency_key_are_queued(driver: Driver) -> None:
    ids = await driver.submit(2, concurrency_key="k")
    assert [await driver.state(job_id) for job_id in ids] == ["QUEUED", "QUEUED"]


async def test_jobs_of_other_keys_and_without_one_are_not_held_up(driver: Driver) -> None:
    first = await driver.submit(2, concurrency_key="k")
    other = await driver.submit(2, concurrency_key="l")
    free = await driver.submit(2)
    assert [job[1] for job in (await driver.lease()).jobs] == [first[0], other[0], *free]


async def test_a_concurrency_key_holds_over_groups_of_one_queue(driver: Driver) -> None:
    await driver.submit(2, concurrency_key="k", fairness_key="a")
    await driver.submit(2, concurrency_key="k", fairness_key="b")
    assert sorted((await driver.ready()).values()) == [1, 1]
    lease = await driver.lease()
    assert len(lease.jobs) == 1
    assert sorted((await driver.ready()).values()) == [0, 0]
    await driver.settle(lease.number, lease.jobs)
    assert sorted((await driver.ready()).values()) == [1, 1]


async def test_a_concurrency_key_is_of_one_tenant(driver: Driver) -> None:
    await driver.submit(1, concurrency_key="k")
    await driver.submit(1, concurrency_key="k", tenant="other")
    assert len((await driver.lease()).jobs) == 2


async def test_the_first_by_priority_goes_next_behind_a_key(driver: Driver) -> None:
    low = await driver.submit(2, concurrency_key="k", priority=1)
    high = await driver.submit(1, concurrency_key="k", priority=9)
    order = []
    for _ in range(3):
        lease = await driver.run()
        order += [job[1] for job in lease.jobs]
    assert order == high + low


async def test_priorities_of_one_call_are_ordered_behind_a_key(driver: Driver) -> None:
    jobs = [(0, new_id(1), b"", "", b""), (1, new_id(2), b"", "", b"")]
    await driver.submit_batch(jobs, policy(concurrency_key="k", priority=1), policy(concurrency_key="k", priority=9))
    assert [job[1] for job in (await driver.lease()).jobs] == [new_id(2)]


async def test_the_next_goes_when_the_first_of_a_key_is_cancelled_expired_retried_or_handed_back(driver: Driver) -> None:
    a, b, c, d, e = await driver.submit(5, concurrency_key="k")
    await driver.cancel(a)
    lease = await driver.lease()
    assert [job[1] for job in lease.jobs] == [b]
    await driver.settle(lease.number, lease.jobs, Verdict.RETRY, due_us=driver.now + SECOND)
    lease = await driver.lease()
    assert [job[1] for job in lease.jobs] == [c]
    await driver.cancel(c)
    await driver.settle(lease.number, lease.jobs, Verdict.HANDED_BACK)
    lease = await driver.lease(seconds=1)
    assert [job[1] for job in lease.jobs] == [d]
    driver.now += SECOND
    await driver.store.promote(10, driver.now)
    assert (await driver.lease()).jobs == []
    await driver.store.reap(10, driver.now, b"")
    order = [(await driver.run()).jobs[0][1] for _ in range(3)]
    assert order == [b, d, e]


async def test_a_parked_job_can_be_cancelled_and_expires(driver: Driver) -> None:
    first, parked, late = await driver.submit(3, concurrency_key="k", deadline_us=driver.now + 5 * SECOND)
    await driver.lease()
    assert [answer.changed for answer in await driver.cancel(parked)] == [True]
    driver.now += 5 * SECOND
    assert await driver.store.reap(10, driver.now, b"late") == (0, 1)
    assert [await driver.state(job_id) for job_id in (first, parked, late)] == ["RUNNING", "CANCELLED", "EXPIRED"]
