"""The law of `settle`, for every store."""

from __future__ import annotations

import pytest

from ingest_server.store import history
from ingest_server.store.records import LeasedJob, Verdict
from tests.contract.store.driver import FAILURE, SECOND, Driver

ENDS = [
    (Verdict.SUCCEEDED, "SUCCEEDED"),
    (Verdict.FAILED, "FAILED"),
    (Verdict.CANCELLED, "CANCELLED"),
    (Verdict.EXPIRED, "EXPIRED"),
]
AGAIN = [Verdict.RETRY, Verdict.CRASHED_RETRY, Verdict.HANDED_BACK]


@pytest.mark.parametrize(("verdict", "state"), ENDS)
async def test_an_ending_verdict_ends_the_job(driver: Driver, verdict: Verdict, state: str) -> None:
    (job_id,) = await driver.submit(result_ttl_us=7 * SECOND)
    lease = await driver.lease()
    driver.now += SECOND
    fields = {"output": b"o", "failure": b"f", "progress": b"p", "start_us": driver.now - 5, "end_us": driver.now - 3}
    assert await driver.settle(lease.number, lease.jobs, verdict, **fields) == []
    row = await driver.row(job_id)
    assert (row.state.name, row.output, row.failure, row.progress, row.worker) == (state, b"o", b"f", b"p", "local/1")
    assert (row.start_us, row.end_us, row.expire_us) == (driver.now - 5, driver.now - 3, driver.now - 3 + 7 * SECOND)
    assert (row.attempt, row.crash_count, row.payload) == (1, 0, b"payload")
    assert driver.heard[-1].details == {row.revision: (b"o", b"f")}


@pytest.mark.parametrize("size", [0, 1, 1_024, 1_025, 300_000])
async def test_outputs_of_any_size_come_back(driver: Driver, size: int) -> None:
    (job_id,) = await driver.submit()
    await driver.run(output=b"x" * size)
    assert (await driver.row(job_id)).output == b"x" * size
    assert list(driver.heard[-1].details.values()) == [(b"x" * size, b"")]
    await driver.delete(job_id)


async def test_refused_settlements_are_named_by_index_ascending(driver: Driver) -> None:
    await driver.submit(3)
    lease = await driver.lease()
    jobs: list[LeasedJob] = [lease.jobs[0], (999, b"", 0, b"", b"", 1, 0, 0, 0), lease.jobs[1], lease.jobs[0], lease.jobs[2]]
    assert await driver.settle(lease.number, jobs) == [1, 3]
    assert {row.state.name for row in await driver.all()} == {"SUCCEEDED"}


async def test_a_late_worker_changes_nothing(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    old = await driver.lease(seconds=1)
    driver.now += SECOND
    await driver.store.reap(10, driver.now, b"")
    assert await driver.settle(old.number, old.jobs, output=b"late") == [0]
    new = await driver.lease()
    before = len(driver.events)
    for verdict in Verdict:
        assert await driver.settle(old.number, old.jobs, verdict, output=b"late") == [0]
    assert (len(driver.events), await driver.state(job_id)) == (before, "RUNNING")
    assert await driver.settle(new.number, new.jobs, output=b"good") == []
    assert (await driver.row(job_id)).output == b"good"


@pytest.mark.parametrize(("verdict", "state"), ENDS)
async def test_a_terminal_state_never_changes(driver: Driver, verdict: Verdict, state: str) -> None:
    (job_id,) = await driver.submit()
    lease = await driver.run(verdict)
    before = await driver.row(job_id), len(driver.events)
    for other in Verdict:
        assert await driver.settle(lease.number, lease.jobs, other, output=b"other") == [0]
    assert [answer.changed for answer in await driver.cancel(job_id)] == [False]
    driver.now += SECOND
    assert await driver.store.reap(10, driver.now, b"") == (0, 0)
    assert (await driver.row(job_id), len(driver.events)) == before
    assert before[0].state.name == state


async def test_a_retry_waits_for_its_time_and_counts(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    lease = await driver.lease()
    await driver.settle(lease.number, lease.jobs, Verdict.RETRY, due_us=driver.now + SECOND, output=b"ignored")
    row = await driver.row(job_id)
    assert (row.state.name, row.attempt, row.crash_count, row.due_us) == ("SCHEDULED", 1, 0, driver.now + SECOND)
    assert (row.failure, row.output, row.end_us, row.expire_us) == (FAILURE, b"", 0, 0)
    assert driver.heard[-1].details[row.revision][1] == FAILURE
    driver.now += SECOND
    await driver.store.promote(10, driver.now)
    assert (await driver.row(job_id)).due_us == 0
    assert (await driver.run()).jobs[0][5:7] == (2, 0)
    assert driver.story(job_id) == ["QUEUED", "RUNNING", "SCHEDULED", "QUEUED", "RUNNING", "SUCCEEDED"]
    assert (await driver.row(job_id)).failure == b""


async def test_a_retry_that_is_due_is_queued_at_once(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    await driver.run(Verdict.RETRY, due_us=driver.now)
    assert await driver.state(job_id) == "QUEUED"
    assert (await driver.lease()).jobs[0][5] == 2


async def test_a_crash_counts_apart_from_attempts(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    await driver.run(Verdict.CRASHED_RETRY, due_us=0)
    row = await driver.row(job_id)
    assert (row.state.name, row.attempt, row.crash_count) == ("QUEUED", 0, 1)
    assert (await driver.lease()).jobs[0][5:7] == (1, 1)


async def test_a_handed_back_job_counts_nothing(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    before = await driver.row(job_id)
    lease = await driver.run(Verdict.HANDED_BACK, start_us=0, end_us=0)
    row = await driver.row(job_id)
    assert (row.state.name, row.attempt, row.crash_count, row.history, row.worker) == ("QUEUED", 0, 0, b"", "")
    assert row.revision > before.revision
    assert await driver.settle(lease.number, lease.jobs) == [0]


@pytest.mark.parametrize("verdict", AGAIN)
async def test_a_cancelling_job_that_would_go_again_is_cancelled_instead(driver: Driver, verdict: Verdict) -> None:
    (job_id,) = await driver.submit(result_ttl_us=SECOND)
    lease = await driver.lease()
    await driver.cancel(job_id, failure=b"asked")
    assert await driver.settle(lease.number, lease.jobs, verdict, due_us=driver.now + SECOND) == []
    row = await driver.row(job_id)
    assert (row.state.name, row.failure, row.expire_us) == ("CANCELLED", b"asked", driver.now + SECOND)
    assert driver.heard[-1].details == {row.revision: (b"", b"asked")}
    assert driver.story(job_id) == ["QUEUED", "RUNNING", "CANCELLING", "CANCELLED"]


@pytest.mark.parametrize(("failure", "kept"), [(b"", b"asked"), (b"own", b"own")])
async def test_a_cancelled_verdict_without_a_failure_keeps_that_of_the_cancel(
    driver: Driver, failure: bytes, kept: bytes
) -> None:
    (job_id,) = await driver.submit()
    lease = await driver.lease()
    await driver.cancel(job_id, failure=b"asked")
    await driver.settle(lease.number, lease.jobs, Verdict.CANCELLED, failure=failure)
    row = await driver.row(job_id)
    assert (row.state.name, row.failure) == ("CANCELLED", kept)
    assert driver.heard[-1].details == {row.revision: (b"", kept)}


async def test_a_cancelling_job_that_ended_by_itself_keeps_its_end(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    lease = await driver.lease()
    await driver.cancel(job_id)
    await driver.settle(lease.number, lease.jobs, Verdict.SUCCEEDED, output=b"in time")
    row = await driver.row(job_id)
    assert (row.state.name, row.output, row.failure) == ("SUCCEEDED", b"in time", b"")


async def test_each_attempt_is_appended_to_the_history_but_not_those_handed_back(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    start = driver.now
    for verdict in (Verdict.RETRY, Verdict.HANDED_BACK, Verdict.CRASHED_RETRY, Verdict.FAILED):
        await driver.run(verdict, due_us=0, worker=f"w{int(verdict)}", failure=b"f%d" % verdict)
        driver.now += SECOND
    records = history.decode((await driver.row(job_id)).history)
    assert [(record.attempt, record.verdict, record.worker, record.failure) for record in records] == [
        (1, Verdict.RETRY, "w4", b"f4"),
        (2, Verdict.CRASHED_RETRY, "w5", b"f5"),
        (2, Verdict.FAILED, "w1", b"f1"),
    ]
    assert [record.start_us - start for record in records] == [0, 2 * SECOND, 3 * SECOND]


async def test_one_attempt_is_in_the_history_too(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    await driver.run(Verdict.FAILED, failure=b"f")
    expected = history.AttemptRecord(1, Verdict.FAILED, driver.now, driver.now, "local/1", b"f")
    assert history.decode((await driver.row(job_id)).history) == [expected]


async def test_the_history_keeps_the_last_hundred_attempts(driver: Driver) -> None:
    (job_id,) = await driver.submit()
    for _ in range(history.ATTEMPTS_MAX + 2):
        await driver.run(Verdict.RETRY, due_us=0)
    records = history.decode((await driver.row(job_id)).history)
    assert [record.attempt for record in records] == list(range(3, history.ATTEMPTS_MAX + 3))


async def test_a_mixed_settlement_of_many_leases_is_one_commit(driver: Driver) -> None:
    ids = await driver.submit(len(Verdict))
    leases = [await driver.lease(1) for _ in ids]
    rows = [
        (lease.jobs[0][0], lease.number, verdict, b"o", b"f", b"", b"", "w", 1, 2, driver.now + SECOND)
        for lease, verdict in zip(leases, Verdict, strict=True)
    ]
    before = len(driver.heard)
    assert list(await driver.store.settle(rows, driver.now)) == []
    assert len(driver.heard) == before + 1
    states = [await driver.state(job_id) for job_id in ids]
    assert states == ["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "SCHEDULED", "SCHEDULED", "QUEUED", "FAILED"]
    assert len(driver.heard[-1].details) == 7
    assert [(await driver.row(job_id)).crash_count for job_id in ids] == [0, 0, 0, 0, 0, 1, 0, 1]
