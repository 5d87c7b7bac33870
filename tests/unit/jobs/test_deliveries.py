"""The use cases of deliveries, and callbacks of retried jobs, over the store in memory."""

from __future__ import annotations

import pytest

from ingest_server.domain.caller import Caller
from ingest_server.domain.errors import NotFound, Unsupported
from ingest_server.domain.job import JobState
from ingest_server.jobs.deliveries import Deliveries
from ingest_server.store.memory import MemoryStore
from ingest_server.store.outbox import DeliveryAttempt, DeliveryStatus
from tests.contract.store.driver import TENANT, Driver, new_id
from tests.fakes.clock import FakeClock

TARGET = ("https://hooks.example.com/", "hooks.example.com:443", sum(1 << state for state in JobState))
OWNER = Caller(tenant=TENANT)


async def opened(*, enabled: bool = True) -> tuple[Driver, Deliveries]:
    clock = FakeClock()
    driver = Driver(MemoryStore(), clock.now_us())
    await driver.store.open(clock.now_us())
    return driver, Deliveries(driver.store, clock, enabled=enabled)


async def test_jobs_of_others_and_unknown_ones_do_not_exist() -> None:
    driver, deliveries = await opened()
    (job_id,) = await driver.submit(callbacks=(TARGET,))
    for caller, wanted in ((Caller(tenant="other"), job_id), (OWNER, new_id(404))):
        with pytest.raises(NotFound, match="is not known"):
            await deliveries.list(caller, wanted, page_size=10, from_number=0)
        with pytest.raises(NotFound, match="is not known"):
            await deliveries.redeliver(caller, wanted, [])


async def test_nothing_is_sent_again_where_callbacks_are_off_but_the_log_can_be_read() -> None:
    driver, deliveries = await opened(enabled=False)
    (job_id,) = await driver.submit(callbacks=(TARGET,))
    assert len((await deliveries.list(OWNER, job_id, page_size=10, from_number=0)).rows) == 1
    with pytest.raises(Unsupported, match="callback_hosts"):
        await deliveries.redeliver(OWNER, job_id, [])


async def test_a_page_and_what_is_sent_again() -> None:
    driver, deliveries = await opened()
    (job_id,) = await driver.submit(callbacks=(TARGET,))
    await driver.run()
    page = await deliveries.list(OWNER, job_id, page_size=2, from_number=0)
    assert [row.state.name for row in page.rows] == ["QUEUED", "RUNNING"]
    first = page.rows[0]
    await driver.store.record_deliveries(
        [(first.number, 0, int(DeliveryStatus.FAILED), 0, DeliveryAttempt(1, 2, 500, ""))], driver.now
    )
    assert list(await deliveries.redeliver(OWNER, job_id, [])) == [first.number]
