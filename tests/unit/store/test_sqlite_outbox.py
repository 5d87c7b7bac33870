"""The outbox in SQLite beyond the law of all stores: what is on disk, what older files become, and what others do not pay."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw

from ingest_server.domain.job import JobState
from ingest_server.store.outbox import DeliveryAttempt, DeliveryStatus
from ingest_server.store.records import JobQuery, Verdict
from ingest_server.store.seq_set import SeqSet
from ingest_server.store.sqlite.recovery import DATABASE_NAME
from ingest_server.store.sqlite.schema import APPLICATION_ID, MIGRATIONS
from ingest_server.store.sqlite.store import SqliteStore
from tests.contract.store.driver import TENANT, Driver

TARGET = ("https://hooks.example.com/", "hooks.example.com:443", sum(1 << state for state in JobState))


def rows_of(directory: Path, table: str) -> int:
    db = apsw.Connection(str(directory / DATABASE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
        return int(count)
    finally:
        db.close()


async def test_what_is_owed_survives_the_store_process(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    driver = Driver(store)
    await store.open(driver.now)
    (job_id,) = await driver.submit(callbacks=(TARGET,))
    (row,) = (await store.due_deliveries(9, 9, "", driver.now)).rows
    result = (row.number, 0, int(DeliveryStatus.PENDING), driver.now + 5, DeliveryAttempt(1, 2, 503, ""))
    await store.record_deliveries([result], driver.now)
    await store.close()

    store = SqliteStore(tmp_path)
    driver = Driver(store, driver.now)
    await store.open(driver.now)
    try:
        assert (await store.due_deliveries(9, 9, "", driver.now)).next_due_us == driver.now + 5
        await driver.run()  # the callbacks are remembered for states that come after the restart
        page = await store.deliveries(TENANT, job_id, limit=9, from_number=0, now_us=driver.now)
        assert [(row.state.name, row.tries) for row in page.rows] == [("QUEUED", 1), ("RUNNING", 0), ("SUCCEEDED", 0)]
        assert rows_of(tmp_path, "callbacks") == 0
    finally:
        await store.close()


async def test_jobs_without_callbacks_write_no_row(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    driver = Driver(store)
    await store.open(driver.now)
    try:
        await driver.submit(3)
        assert rows_of(tmp_path, "callbacks") == 0
        await driver.submit(2, callbacks=(TARGET,))
        assert rows_of(tmp_path, "callbacks") == 2
        await driver.run()
        assert (rows_of(tmp_path, "callbacks"), rows_of(tmp_path, "deliveries")) == (0, 6)
    finally:
        await store.close()


async def test_a_file_of_the_first_version_gets_an_outbox(tmp_path: Path) -> None:
    db = apsw.Connection(str(tmp_path / DATABASE_NAME))
    db.execute(MIGRATIONS[0])
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")
    db.close()
    store = SqliteStore(tmp_path)
    driver = Driver(store)
    await store.open(driver.now)
    try:
        await driver.submit(callbacks=(TARGET,))
        assert len((await store.due_deliveries(9, 9, "", driver.now)).rows) == 1
    finally:
        await store.close()


async def test_a_commit_that_ends_and_deletes_a_job_still_owes_its_end(tmp_path: Path) -> None:
    """The writer joins the settle and the delete into one commit when they come in one turn of the loop."""
    store = SqliteStore(tmp_path)
    driver = Driver(store)
    await store.open(driver.now)
    try:
        (job_id,) = await driver.submit(callbacks=((TARGET[0], TARGET[1], 1 << JobState.SUCCEEDED),))
        lease = await driver.lease()
        (job,) = lease.jobs
        settlement = (job[0], lease.number, int(Verdict.SUCCEEDED), b"", b"", b"", b"", "w", 1, 2, 0)
        heard = len(driver.heard)
        settled = asyncio.ensure_future(store.settle([settlement], driver.now))
        deleted = asyncio.ensure_future(store.delete(JobQuery(TENANT, job_ids=[job_id]), 1, driver.now))
        await asyncio.gather(settled, deleted)
        assert len(driver.heard) == heard + 1, "one commit"
        (row,) = (await store.due_deliveries(9, 9, "", driver.now)).rows
        assert (row.job_id, row.state) == (job_id, JobState.SUCCEEDED)
    finally:
        await store.close()


def test_a_set_of_row_numbers() -> None:
    seqs = SeqSet([5, 1_023, 1_024, 1 << 40])
    assert [seq in seqs for seq in (4, 5, 1_023, 1_024, 1_025, 1 << 40)] == [False, True, True, True, False, True]
    for seq in (5, 5, 1_023, 6, 1_024, 1 << 40, 7 << 30):
        seqs.discard(seq)
    assert not seqs
    assert 5 not in seqs
