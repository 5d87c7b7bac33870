"""The SQLite store when its process, disk or file fails: nothing acknowledged is lost, and the message says what to do."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from ingest_server.domain.errors import Exhausted, IngestError, Reason, Unavailable
from ingest_server.domain.job import JobState
from ingest_server.store.records import Verdict
from ingest_server.store.sqlite.recovery import DATABASE_NAME
from ingest_server.store.sqlite.store import SqliteStore
from tests.contract.store.driver import AGEING, DAY, SECOND, TENANT, Driver


async def opened(directory: Path, **settings: Any) -> Driver:
    """An open store on a directory."""
    driver = Driver(SqliteStore(directory, ageing_us=AGEING, **settings))
    await driver.store.open(driver.now)
    return driver


def kill(driver: Driver) -> None:
    """End the store process at once."""
    assert isinstance(driver.store, SqliteStore)
    os.kill(driver.store.process_id, signal.SIGKILL)


async def test_nothing_acknowledged_is_lost_when_the_process_is_killed_between_commits(tmp_path: Path) -> None:
    driver = await opened(tmp_path)
    done = await driver.submit(3)
    await driver.run(output=b"o" * 3_000)
    waiting = await driver.submit(2)
    leased = await driver.submit(2, priority=9)
    lease = await driver.lease(2)
    position = driver.events[-1][0]
    kill(driver)
    with pytest.raises(Unavailable):
        await driver.submit()
    await driver.store.close()

    again = await opened(tmp_path)
    assert [await again.state(job_id) for job_id in done] == ["SUCCEEDED"] * 3
    assert {(await again.row(job_id)).output for job_id in done} == {b"o" * 3_000}
    assert [await again.state(job_id) for job_id in (*waiting, *leased)] == ["QUEUED"] * 4
    assert [event[:4] for event in again.events] == [
        (position + 1, lease.jobs[0][0], leased[0], 1), (position + 2, lease.jobs[1][0], leased[1], 1),
    ]  # fmt: skip
    assert await again.settle(lease.number, lease.jobs) == [0, 1]
    assert [job[1] for job in (await again.lease(10)).jobs] == [*leased, *waiting]
    await again.store.close()


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_acknowledged_is_lost_when_the_process_is_killed_during_commits(tmp_path: Path, seed: int) -> None:
    driver = await opened(tmp_path)
    stop_after = random.Random(seed).randrange(5, 40)
    accepted: list[bytes] = []
    ended: list[bytes] = []

    async def work() -> None:
        while True:
            accepted.extend(await driver.submit(20))
            lease = await driver.lease(15)
            if await driver.settle(lease.number, lease.jobs) == []:
                ended.extend(job[1] for job in lease.jobs)

    def on_commit(_: Any) -> None:
        nonlocal stop_after
        stop_after -= 1
        if stop_after == 0:
            kill(driver)

    driver.store.subscribe(on_commit)
    results = await asyncio.gather(*(work() for _ in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 4
    await driver.store.close()

    again = await opened(tmp_path)
    rows = {row.job_id: row for row in await again.rows(*accepted)}
    assert set(rows) == set(accepted)
    assert all(rows[job_id].state is JobState.SUCCEEDED for job_id in ended)
    assert all(row.state in (JobState.SUCCEEDED, JobState.QUEUED) for row in await again.all())
    logged = await again.store.events_after(0, 1_000_000)
    assert [event[0] for event in logged] == list(range(1, len(logged) + 1))
    assert driver.events == list(logged[: len(driver.events)])
    await again.store.close()


async def test_what_open_changes_is_told_to_listeners(tmp_path: Path) -> None:
    driver = await opened(tmp_path)
    cancelling, running = await driver.submit(2, fairness_key="f")
    await driver.lease()
    await driver.cancel(cancelling, failure=b"asked")
    await driver.store.close()

    again = await opened(tmp_path)
    assert (again.story(cancelling), again.story(running)) == (["CANCELLED"], ["QUEUED"])
    (changes,) = again.heard
    assert list(changes.groups.values()) == [(TENANT, "default", "f")]
    assert list(changes.ready.values()) == [1]
    assert list(changes.details.values()) == [(b"", b"asked")]
    assert (await again.row(cancelling)).failure == b"asked"
    await again.store.close()


async def test_lanes_parked_jobs_and_retries_survive_a_kill(tmp_path: Path) -> None:
    driver = await opened(tmp_path)
    a, b, c = await driver.submit(3, concurrency_key="k")
    (retried,) = await driver.submit()
    lease = await driver.lease()
    await driver.settle(lease.number, lease.jobs[1:], Verdict.RETRY, due_us=driver.now + SECOND)
    assert [job[1] for job in lease.jobs] == [a, retried]
    kill(driver)
    await driver.store.close()

    again = await opened(tmp_path)
    assert sum((await again.ready()).values()) == 1
    order = [(await again.run()).jobs[0][1] for _ in range(3)]
    assert order == [a, b, c]
    again.now += SECOND
    await again.store.promote(10, again.now)
    assert (await again.lease()).jobs[0][5] == 2
    await again.store.close()


async def test_calls_under_way_fail_and_the_loss_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    driver = await opened(tmp_path, on_lost=lambda: told.append("lost"))
    assert isinstance(driver.store, SqliteStore)
    os.kill(driver.store.process_id, signal.SIGSTOP)
    calls = [asyncio.ensure_future(driver.submit()) for _ in range(3)]
    await asyncio.sleep(0)
    kill(driver)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, Unavailable) and result.reason is Reason.STORE_UNAVAILABLE for result in results)
    assert told == ["lost"]
    await driver.store.close()
    assert told == ["lost"]


async def test_closing_in_order_does_not_tell_of_a_loss(tmp_path: Path) -> None:
    told: list[str] = []
    driver = await opened(tmp_path, on_lost=lambda: told.append("lost"))
    await driver.store.close()
    assert told == []


async def test_the_process_ends_when_its_server_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys, time\n"
        "from ingest_server.store.sqlite.store import SqliteStore\n"
        "async def main():\n"
        "    store = SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "    await store.open(1)\n"
        "    print(store.process_id, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - starting is all that blocks
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        store_process = os.pidfd_open(pid)
        server.kill()
        await asyncio.wait_for(_ended(store_process), 10)
    driver = await opened(tmp_path)
    await driver.store.close()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _ended(pidfd: int) -> None:
    """Wait until a process that is not our child has ended."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(pidfd, partial(_set, ended))
    try:
        await ended
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def test_a_second_server_is_refused(tmp_path: Path) -> None:
    first = await opened(tmp_path)
    second = SqliteStore(tmp_path, lock_wait_seconds=0.0)
    with pytest.raises(Unavailable, match="in use by another server") as caught:
        await second.open(1)
    assert isinstance(first.store, SqliteStore)
    assert caught.value.metadata["owner_pid"] == str(first.store.process_id)
    await first.submit()
    await first.store.close()


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    driver = await opened(tmp_path)
    await driver.store.close()
    db = apsw.Connection(str(tmp_path / DATABASE_NAME))
    db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(Unavailable, match="schema version 999"):
        await opened(tmp_path)


async def test_the_file_of_another_program_is_refused(tmp_path: Path) -> None:
    db = apsw.Connection(str(tmp_path / DATABASE_NAME))
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(Unavailable, match="another program"):
        await opened(tmp_path)


@pytest.mark.parametrize("content", [b"not a database" * 500, b"SQLite format 3\x00" + b"\xff" * 8_000])
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(content)
    with pytest.raises(Unavailable, match="damaged"):
        await opened(tmp_path)


async def test_a_damaged_page_is_found_after_an_unclean_end(tmp_path: Path) -> None:
    driver = await opened(tmp_path)
    for _ in range(10):
        await driver.submit(100)
    await driver.store.close()
    driver = await opened(tmp_path)
    kill(driver)
    await driver.store.close()
    path = tmp_path / DATABASE_NAME
    db = apsw.Connection(str(path))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    data = bytearray(path.read_bytes())
    for page in range(len(data) // 4_096 // 2, len(data) // 4_096 // 2 + 6):
        data[page * 4_096 : page * 4_096 + 200] = b"\xa5" * 200
    path.write_bytes(data)
    with pytest.raises(Unavailable, match="damaged"):
        await opened(tmp_path)


async def test_a_full_disk_refuses_submits_and_changes_nothing(tmp_path: Path) -> None:
    driver = await opened(tmp_path, pages_max=120)
    kept = await driver.submit(40, payload=b"x" * 900, result_ttl_us=SECOND)
    await driver.run()
    caught: list[Exhausted] = []
    while not caught:
        try:
            kept += await driver.submit(20, payload=b"x" * 900)
        except Exhausted as error:
            caught.append(error)
    assert caught[0].reason is Reason.STORAGE_FULL
    assert caught[0].retry_after_seconds is not None
    assert [row.job_id for row in await driver.all()] == kept
    await driver.check_laws()
    # What is past its retention can still be forgotten, and then there is room again.
    driver.now += SECOND
    assert await driver.store.purge(1_000, driver.now, driver.now + 1) == 40
    await driver.submit(20, payload=b"x" * 900)
    await driver.store.close()


async def test_on_a_full_disk_only_the_guilty_of_one_commit_is_refused(tmp_path: Path) -> None:
    driver = await opened(tmp_path, pages_max=200)
    small = await driver.submit(1)
    lease = await driver.lease()
    results = await asyncio.gather(
        driver.submit(1, payload=b"x" * 2_000_000), driver.settle(lease.number, lease.jobs), return_exceptions=True
    )
    assert isinstance(results[0], Exhausted)
    assert results[1] == []
    assert await driver.state(small[0]) == "SUCCEEDED"
    await driver.check_laws()
    await driver.store.close()


async def test_a_fault_in_one_command_does_not_touch_the_others_of_its_commit(tmp_path: Path) -> None:
    driver = await opened(tmp_path)
    bad: Any = [(7, b"", b"", "", b"")]
    results = await asyncio.gather(driver.submit(2), driver.submit_batch(bad), driver.submit(3), return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["list", "InternalError", "list"]
    assert isinstance(results[1], IngestError)
    assert "IndexError" in str(results[1].__cause__)
    assert len(await driver.all()) == 5
    await driver.check_laws()
    await driver.store.close()


async def test_writes_beyond_the_bound_are_refused_at_once_but_not_those_of_the_scheduler(tmp_path: Path) -> None:
    driver = await opened(tmp_path, pending_commands_max=4)
    await driver.submit(1)
    lease = await driver.lease()
    assert isinstance(driver.store, SqliteStore)
    os.kill(driver.store.process_id, signal.SIGSTOP)
    calls = [asyncio.ensure_future(driver.submit()) for _ in range(6)]
    await asyncio.sleep(0)
    settling = asyncio.ensure_future(driver.settle(lease.number, lease.jobs))
    refused = [call for call in calls if call.done()]
    assert len(refused) == 2
    os.kill(driver.store.process_id, signal.SIGCONT)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["list"] * 4 + ["Exhausted"] * 2
    assert await settling == []
    await driver.store.close()


async def test_bytes_under_way_are_bounded_but_one_command_always_fits(tmp_path: Path) -> None:
    driver = await opened(tmp_path, pending_bytes_max=10_000)
    await driver.submit(1, payload=b"x" * 50_000)
    results = await asyncio.gather(*(driver.submit(1, payload=b"x" * 4_000) for _ in range(4)), return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["list", "list", "Exhausted", "Exhausted"]
    await driver.store.close()


async def test_policies_are_kept_once_and_go_with_their_last_job(tmp_path: Path) -> None:
    driver = await opened(tmp_path)
    for _ in range(3):
        await driver.submit(4, spec=b"shared" * 100, result_ttl_us=SECOND)
    await driver.submit(1, spec=b"alone", result_ttl_us=DAY)
    await driver.run()
    kill(driver)  # what uses a policy is counted again
    await driver.store.close()
    again = await opened(tmp_path)
    again.now, driver = driver.now + SECOND, again
    db = apsw.Connection(str(tmp_path / DATABASE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
    await driver.store.purge(5, driver.now, 0)
    assert db.execute("SELECT jobs FROM policies ORDER BY id").fetchall() == [(7,), (1,)]
    assert db.execute("SELECT jobs FROM groups").fetchall() == [(8,)]
    await driver.store.purge(100, driver.now, 0)
    assert db.execute("SELECT spec, jobs FROM policies").fetchall() == [(b"alone", 1)]
    assert db.execute("SELECT count(*) FROM batch_ranges").fetchall() == [(1,)]
    assert db.execute("SELECT count(*) FROM expiries").fetchall() == [(1,)]
    db.close()
    await driver.submit(1, spec=b"shared" * 100)
    await driver.store.close()


async def test_a_lease_uses_its_indexes(tmp_path: Path) -> None:
    driver = await opened(tmp_path)
    await driver.store.close()
    db = apsw.Connection(str(tmp_path / DATABASE_NAME))
    for query, index in (
        ("SELECT seq FROM jobs WHERE state = 2 AND grp = 1 AND order_key = 5 AND seq > 3 ORDER BY seq", "jobs_ready"),
        ("SELECT seq FROM jobs WHERE state = 2 AND grp = 1 AND order_key > 5 ORDER BY order_key, seq", "jobs_ready"),
        ("SELECT seq FROM jobs WHERE state = 1 AND due_us <= 5 ORDER BY due_us, seq LIMIT 3", "jobs_due"),
        ("SELECT seq FROM jobs WHERE lane = 'x' AND grp = 1 AND state = 0 ORDER BY order_key, seq LIMIT 1", "jobs_parked"),
    ):
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}"))
        assert index in plan
        assert "TEMP B-TREE" not in plan
    db.close()
