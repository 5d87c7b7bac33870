"""The law of deliveries, for every store: made with their event, in order, sent until they ended, kept with their job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ingest_server.domain.job import JobState
from ingest_server.store import delivery_log
from ingest_server.store.outbox import LINE_DELIVERIES_MAX, DeliveryAttempt, DeliveryRow, DeliveryStatus
from ingest_server.store.records import Verdict
from tests.contract.store.driver import DAY, FAILURE, SECOND, TENANT, Driver, new_id, policy

URL = "https://hooks.example.com/a"
HOST = "hooks.example.com:443"
TERMINAL = sum(1 << state for state in JobState if state.terminal)
ALL = sum(1 << state for state in JobState)

OK = DeliveryAttempt(1, 2, 200, "")
REFUSED = DeliveryAttempt(3, 4, 500, "")


def target(states: int = TERMINAL, *, url: str = URL, host: str = HOST) -> tuple[str, str, int]:
    return url, host, states


async def due(driver: Driver, per_host: int = 100, limit: int = 1_000, after: str = "") -> list[DeliveryRow]:
    return list((await driver.store.due_deliveries(per_host, limit, after, driver.now)).rows)


async def of_job(driver: Driver, job_id: bytes, tenant: str = TENANT) -> list[DeliveryRow]:
    return list((await driver.store.deliveries(tenant, job_id, limit=1_000, from_number=0, now_us=driver.now)).rows)


async def conclude(
    driver: Driver, rows: Sequence[DeliveryRow], status: DeliveryStatus = DeliveryStatus.DELIVERED, **fields: Any
) -> list[int]:
    values: dict[str, Any] = {"due_us": 0, "attempt": OK} | fields
    results = [(row.number, row.tries, int(status), values["due_us"], values["attempt"]) for row in rows]
    return list(await driver.store.record_deliveries(results, driver.now))


def told(rows: Sequence[DeliveryRow]) -> list[tuple[str, str]]:
    return [(row.state.name, row.status.name) for row in rows]


async def test_nothing_is_owed_for_jobs_without_callbacks(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    await driver.run()
    assert (await due(driver), await of_job(driver, job_id)) == ([], [])
    assert not any(changes.deliveries for changes in driver.heard)


async def test_results_of_unknown_ended_and_newer_deliveries_are_refused(driver: Driver) -> None:
    await driver.submit(2, callbacks=(target(),))
    await driver.run()
    first, second = await due(driver)
    unknown = (1 << 40, 0, int(DeliveryStatus.DELIVERED), 0, OK)
    late = (second.number, second.tries + 1, int(DeliveryStatus.DELIVERED), 0, OK)
    good = (first.number, first.tries, int(DeliveryStatus.DELIVERED), 0, OK)
    assert list(await driver.store.record_deliveries([unknown, late, good, good], driver.now)) == [0, 1, 3]
    assert [row.number for row in await due(driver)] == [second.number]


async def test_a_delivery_carries_what_its_body_is_made_of(driver: Driver) -> None:
    batch = new_id(77)
    labels = (("a", "1"), ("b", "ü"))
    answer = await driver.submit_batch([(0, b"", b"p", "", b"")], policy(callbacks=(target(),), labels=labels), batch_id=batch)
    await driver.run(Verdict.FAILED)
    (row,) = await due(driver)
    event = driver.events[-1]
    assert row.number == event[0] << 3
    assert (row.job_id, row.batch_id, row.tenant, row.labels) == (answer.job_ids[0], batch, TENANT, labels)
    assert (row.url, row.host, row.state, row.job_attempt, row.event_us) == (URL, HOST, JobState.FAILED, 1, driver.now)
    assert (row.failure, row.tries, row.begin_us, row.due_us, row.end_us) == (FAILURE, 0, driver.now, driver.now, 0)
    assert driver.heard[-1].deliveries


async def test_only_chosen_states_are_told_each_to_its_target(driver: Driver) -> None:
    running = target(1 << JobState.RUNNING, url=URL + "/running")
    failed = target(1 << JobState.FAILED, url=URL + "/failed")
    (job_id,) = await driver.submit(callbacks=(running, target(), failed))
    await driver.run()
    rows = await of_job(driver, job_id)
    assert [(row.state.name, row.url) for row in rows] == [("RUNNING", running[0]), ("SUCCEEDED", URL)]


@pytest.mark.parametrize("end", ["cancel", "expire", "reap"])
async def test_every_way_to_an_end_is_told(driver: Driver, end: str) -> None:
    (job_id,) = await driver.submit(callbacks=(target(),), deadline_us=driver.now + SECOND if end == "expire" else 0)
    if end == "cancel":
        await driver.cancel(job_id)
    elif end == "expire":
        driver.now += SECOND
        await driver.store.reap(10, driver.now, b"late")
    else:
        await driver.lease(seconds=1)
        await driver.cancel(job_id)
        driver.now += SECOND
        await driver.store.reap(10, driver.now, b"")
    (row,) = await due(driver)
    assert (row.state.name, row.failure) == (("EXPIRED", b"late") if end == "expire" else ("CANCELLED", b"cancelled"))


async def test_a_line_is_told_in_order_one_at_a_time(driver: Driver) -> None:
    (job_id,) = await driver.submit(callbacks=(target(ALL),))
    await driver.run()
    states = ["QUEUED", "RUNNING", "SUCCEEDED"]
    for index, state in enumerate(states):
        (row,) = await due(driver)
        assert row.state.name == state
        assert told(await of_job(driver, job_id))[index + 1 :] == [(later, "WAITING") for later in states[index + 1 :]]
        driver.now += SECOND
        assert await conclude(driver, [row], DeliveryStatus.FAILED if index == 1 else DeliveryStatus.DELIVERED) == []
        assert driver.heard[-1].deliveries
    assert await due(driver) == []
    rows = await of_job(driver, job_id)
    assert told(rows) == [("QUEUED", "DELIVERED"), ("RUNNING", "FAILED"), ("SUCCEEDED", "DELIVERED")]
    assert [row.begin_us for row in rows] == [driver.now - 3 * SECOND, driver.now - 2 * SECOND, driver.now - SECOND]


async def test_a_slow_target_holds_up_neither_the_others_nor_other_jobs(driver: Driver) -> None:
    await driver.submit(2, callbacks=(target(), target(url=URL + "/other")))
    await driver.run()
    assert len(await due(driver)) == 4


async def test_an_attempt_that_failed_comes_again_at_its_time(driver: Driver) -> None:
    (job_id,) = await driver.submit(callbacks=(target(),))
    await driver.run()
    rows = await due(driver)
    assert await conclude(driver, rows, DeliveryStatus.PENDING, due_us=driver.now + 5 * SECOND, attempt=REFUSED) == []
    page = await driver.store.due_deliveries(10, 10, "", driver.now)
    assert (list(page.rows), page.next_due_us) == ([], driver.now + 5 * SECOND)
    driver.now += 5 * SECOND
    (row,) = await due(driver)
    assert (row.tries, row.begin_us) == (1, driver.now - 5 * SECOND)
    assert await conclude(driver, [row]) == []
    (ended,) = await of_job(driver, job_id)
    assert (ended.status, ended.tries, ended.end_us) == (DeliveryStatus.DELIVERED, 2, driver.now)
    assert delivery_log.decode(ended.log) == [REFUSED, OK]


async def test_a_receiver_that_is_gone_gets_nothing_more_of_the_job(driver: Driver) -> None:
    (job_id,) = await driver.submit(callbacks=(target(ALL), target(url=URL + "/other")))
    lease = await driver.lease()
    assert await conclude(driver, await due(driver), DeliveryStatus.GONE) == []
    assert told(await of_job(driver, job_id)) == [("QUEUED", "GONE"), ("RUNNING", "GONE")]
    await driver.settle(lease.number, lease.jobs)
    assert told(await of_job(driver, job_id))[2:] == [("SUCCEEDED", "GONE"), ("SUCCEEDED", "PENDING")]
    assert [row.url for row in await due(driver)] == [URL + "/other"]


async def test_a_line_is_bounded_but_for_the_end(driver: Driver) -> None:
    (job_id,) = await driver.submit(callbacks=(target(ALL),))
    for _ in range(LINE_DELIVERIES_MAX):
        await driver.run(Verdict.HANDED_BACK)
    await driver.run()
    rows = await of_job(driver, job_id)
    assert len(rows) == LINE_DELIVERIES_MAX + 1
    assert rows[-1].state is JobState.SUCCEEDED


async def test_each_host_has_its_share_of_a_page_in_turn(driver: Driver) -> None:
    for host in ("a:443", "b:443", "c:443"):
        await driver.submit(3, callbacks=(target(host=host),))
        driver.now += 1
    await driver.run()
    assert [row.host[0] for row in await due(driver, per_host=2)] == list("aabbcc")
    assert [row.host[0] for row in await due(driver, per_host=2, after="b:443")] == list("ccaabb")
    assert [row.host[0] for row in await due(driver, per_host=2, limit=3, after="a:443")] == list("bbc")
    assert [row.host[0] for row in await due(driver, per_host=9, after="z")] == list("aaabbbccc")


async def test_a_delivery_outlives_its_job_until_it_ended(driver: Driver) -> None:
    deleted, purged = await driver.submit(2, callbacks=(target(ALL),), result_ttl_us=SECOND)
    await driver.run()
    await driver.delete(deleted)
    driver.now += SECOND
    await driver.store.purge(10, driver.now, 0)
    assert (await of_job(driver, deleted), await of_job(driver, purged)) == ([], [])
    for _ in range(3):
        rows = await due(driver)
        assert {row.job_id for row in rows} == {deleted, purged}
        assert await conclude(driver, rows) == []
    assert await due(driver) == []
    assert await conclude(driver, rows) == [0, 1]


async def test_ended_deliveries_go_with_their_job(driver: Driver) -> None:
    (job_id,) = await driver.submit(callbacks=(target(),))
    await driver.run()
    assert await conclude(driver, await due(driver)) == []
    await driver.delete(job_id)
    await driver.submit_batch([(0, job_id, b"", "", b"")])
    assert await of_job(driver, job_id) == []


async def test_deliveries_are_read_by_their_owner_page_by_page(driver: Driver) -> None:
    (job_id,) = await driver.submit(callbacks=(target(ALL),))
    await driver.run()
    read = driver.store.deliveries
    page = await read(TENANT, job_id, limit=2, from_number=0, now_us=driver.now)
    assert [row.state.name for row in page.rows] == ["QUEUED", "RUNNING"]
    page = await read(TENANT, job_id, limit=2, from_number=page.next_number, now_us=driver.now)
    assert ([row.state.name for row in page.rows], page.next_number) == (["SUCCEEDED"], 0)
    assert await of_job(driver, job_id, tenant="other") == []
    assert await of_job(driver, new_id(404)) == []


async def test_what_failed_is_sent_again_in_its_order(driver: Driver) -> None:
    (job_id,) = await driver.submit(callbacks=(target(ALL),))
    await driver.run()
    for status in (DeliveryStatus.FAILED, DeliveryStatus.DELIVERED, DeliveryStatus.FAILED):
        assert await conclude(driver, await due(driver), status) == []
    first, second, third = (row.number for row in await of_job(driver, job_id))
    assert list(await driver.store.redeliver("other", job_id, [], 10, driver.now)) == []
    driver.now += DAY // 24 // 2
    assert list(await driver.store.redeliver(TENANT, job_id, [], 10, driver.now)) == [first, third]
    assert driver.heard[-1].deliveries
    (row,) = await due(driver)
    assert (row.number, row.tries, row.begin_us) == (first, 0, driver.now)
    assert list(await driver.store.redeliver(TENANT, job_id, [first, second, third, 7], 10, driver.now)) == [second]
    sent = []
    while rows := await due(driver):
        sent += [row.number for row in rows]
        assert await conclude(driver, rows) == []
    assert sent == [first, second, third]
    assert len(delivery_log.decode((await of_job(driver, job_id))[0].log)) == 2


async def test_a_receiver_that_was_gone_is_told_again_when_asked(driver: Driver) -> None:
    (job_id,) = await driver.submit(callbacks=(target(ALL),))
    await driver.lease()
    assert await conclude(driver, await due(driver), DeliveryStatus.GONE) == []
    assert len(await driver.store.redeliver(TENANT, job_id, [], 1, driver.now)) == 1
    assert told(await of_job(driver, job_id)) == [("QUEUED", "PENDING"), ("RUNNING", "GONE")]
    assert len(await driver.store.redeliver(TENANT, job_id, [], 9, driver.now)) == 1
    assert told(await of_job(driver, job_id)) == [("QUEUED", "PENDING"), ("RUNNING", "WAITING")]
