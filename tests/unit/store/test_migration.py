"""A data file of an earlier version goes on where it was: nothing lost, no number given twice."""

from __future__ import annotations

from array import array
from pathlib import Path

import apsw

from ingest_server.store.sqlite import recovery
from ingest_server.store.sqlite.schema import APPLICATION_ID, MIGRATIONS, VERSION
from ingest_server.store.sqlite.store import SqliteStore
from tests.contract.store.driver import AGEING, DAY, SECOND, TENANT, Driver


def _write_version_1(path: Path, driver: Driver) -> None:
    """What version 1 left behind: two jobs that ended in one second, one that waits, one under lease 7."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(MIGRATIONS[0])
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")
    now = driver.now
    db.execute("INSERT INTO counters VALUES (1, x'00', 0, 5, 8, 30, 2, 2, 2, 20)")
    db.execute("INSERT INTO queues VALUES ('default', 1, 0, 0.0, 0)")
    db.execute("INSERT INTO groups VALUES (1, ?, 'default', '', 4)", (TENANT,))
    db.execute("INSERT INTO policies VALUES (1, 4, 5, ?, '', '{}', x'aa')", (DAY,))
    db.execute("INSERT INTO batches VALUES (1, x'01', ?, 0)", (TENANT,))
    db.execute("INSERT INTO batch_ranges VALUES (1, 1, 4)")
    for seq, state, expire_us in ((1, 5, now + SECOND), (2, 6, now + SECOND), (3, 2, 0), (4, 2, 0)):
        db.execute(
            "INSERT INTO jobs (seq, job_id, grp, batch, policy, state, order_key, create_us, revision, expire_us, payload)"
            " VALUES (?, ?, 1, 1, 1, ?, ?, ?, ?, ?, x'bb')",
            (seq, bytes([seq]) * 16, state, now, now, 20 + seq, expire_us),
        )
    db.execute("INSERT INTO leases VALUES (7, ?, ?, 29, ?)", (now + DAY, now, array("q", [4]).tobytes()))
    for seq in (1, 2):  # the same due time twice
        db.execute("INSERT INTO expiries (due_us, seqs) VALUES (?, ?)", (now + SECOND, array("q", [seq]).tobytes()))
    db.close()


async def test_a_file_of_version_1(tmp_path: Path) -> None:
    driver = Driver(SqliteStore(tmp_path, ageing_us=AGEING))
    _write_version_1(tmp_path / recovery.DATABASE_NAME, driver)
    await driver.store.open(driver.now)
    assert [await driver.state(bytes([seq]) * 16) for seq in (1, 2, 3, 4)] == ["SUCCEEDED", "FAILED", "QUEUED", "QUEUED"]
    assert [event[:4] for event in driver.events] == [(30, 4, bytes([4]) * 16, 1)]
    (fresh,) = await driver.submit(1)
    lease = await driver.lease(9)
    assert {job[0]: job[1] for job in lease.jobs} == {3: bytes([3]) * 16, 4: bytes([4]) * 16, 5: fresh}
    assert lease.number > 7
    assert await driver.settle(lease.number, lease.jobs) == []
    driver.now += 2 * SECOND
    assert await driver.store.purge(10, driver.now, 0) == 2
    await driver.store.close()

    db = apsw.Connection(str(tmp_path / recovery.DATABASE_NAME))
    assert db.pragma("user_version") == VERSION
    assert db.execute("SELECT jobs FROM groups").fetchall() == [(3,)]
    assert db.execute("SELECT sum(jobs) FROM policies").fetchall() == [(3,)]
    db.close()


async def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    driver = Driver(SqliteStore(tmp_path, ageing_us=AGEING))
    await driver.store.open(driver.now)
    await driver.submit(3, result_ttl_us=SECOND)
    lease_number, last = (await driver.run()).number, driver.events[-1]
    driver.now += 2 * SECOND
    assert await driver.store.purge(10, driver.now, driver.now) == 3  # jobs, and the events that told of them
    await driver.store.close()

    again = Driver(SqliteStore(tmp_path, ageing_us=AGEING))
    again.now = driver.now
    await again.store.open(again.now)
    await again.submit(1)
    assert again.events[-1][0] > last[0]
    assert again.events[-1][1] > last[1]
    assert (await again.lease(1)).number > last[0] > lease_number
    await again.store.close()
