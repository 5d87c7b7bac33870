"""The scheduler as a whole: what becomes of jobs, told in virtual seconds."""

from __future__ import annotations

import pytest

from ingest_server.domain.errors import Failure
from ingest_server.domain.job import JobState
from ingest_server.domain.retry import RetryPolicy
from ingest_server.domain.tenant import TenantQuota
from ingest_server.engines.interface import OutcomeCode
from ingest_server.store.records import JobQuery, QueueRow
from tests.fakes.scheduler_rig import SECOND, TENANT, scheduler_rig


async def test_no_more_attempts_are_leased_than_the_engine_can_start() -> None:
    async with scheduler_rig(slots=2) as rig:
        ids = await rig.submit(5)
        assert [await rig.state(job_id) for job_id in ids] == [JobState.RUNNING] * 2 + [JobState.QUEUED] * 3
        rig.engine.succeed(rig.running()[0])
        await rig.settle_down()
        assert [await rig.state(job_id) for job_id in ids[:3]] == [JobState.SUCCEEDED, JobState.RUNNING, JobState.RUNNING]


async def test_a_failed_attempt_is_repeated_after_its_backoff_and_the_last_one_fails_the_job() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        for attempt, longest_wait in ((1, 10), (2, 20)):
            rig.engine.fail(rig.running()[0])
            await rig.settle_down()
            assert await rig.state(job_id) == JobState.SCHEDULED
            await rig.advance(longest_wait * 0.79)
            assert not rig.running(), "it came back before its backoff"
            await rig.advance(longest_wait * 0.25)
            assert (await rig.row(job_id)).attempt == attempt + 1
        rig.engine.fail(rig.running()[0])
        await rig.settle_down()
        row = await rig.row(job_id)
        assert (row.state, row.attempt) == (JobState.FAILED, 3)
        assert Failure.from_bytes(row.failure).message == "it broke"


async def test_a_failure_that_cannot_get_better_ends_the_job_at_once() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        rig.engine.fail(rig.running()[0], retryable=False)
        await rig.settle_down()
        assert await rig.state(job_id) == JobState.FAILED


async def test_crash_looping_job_is_given_up_and_uses_up_no_attempt() -> None:
    async with scheduler_rig(retry=RetryPolicy(max_attempts=1, max_crashes=3)) as rig:
        (job_id,) = await rig.submit()
        for crashes in (1, 2):
            rig.engine.crash(rig.running()[0])
            await rig.settle_down()
            row = await rig.row(job_id)
            assert (row.state, row.crash_count, row.attempt) == (JobState.SCHEDULED, crashes, 0)
            await rig.advance(1)
        rig.engine.crash(rig.running()[0])
        await rig.settle_down()
        row = await rig.row(job_id)
        failure = Failure.from_bytes(row.failure)
        assert row.state == JobState.FAILED
        assert (failure.reason, failure.metadata["signal"]) == ("POISON_JOB", "SIGSEGV")
        assert "3 times" in failure.message


async def test_an_attempt_that_was_never_entered_costs_nothing_and_goes_again() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        rig.engine.report(rig.running()[0], OutcomeCode.LOST)
        await rig.settle_down()
        row = await rig.row(job_id)
        assert (row.state, row.attempt, row.crash_count) == (JobState.RUNNING, 1, 0)
        assert len(rig.engine.started) == 2


async def test_a_timeout_is_a_failure_that_may_be_retried() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        rig.engine.report(rig.running()[0], OutcomeCode.TIMED_OUT)
        await rig.settle_down()
        row = await rig.row(job_id)
        assert row.state == JobState.SCHEDULED
        assert Failure.from_bytes(row.failure).reason == "ATTEMPT_TIMEOUT"


async def test_a_running_job_is_cancelled_only_when_its_attempt_has_ended() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        (answer,) = await rig.store.cancel(JobQuery(TENANT, job_ids=(job_id,)), b"{}", 1, rig.clock.now_us())
        rig.scheduler.cancel(answer.seq, answer.lease)
        assert rig.engine.cancelled == [(answer.seq, answer.lease)]
        assert await rig.state(job_id) == JobState.CANCELLING
        rig.engine.report(answer.seq, OutcomeCode.CANCELLED)
        await rig.settle_down()
        assert await rig.state(job_id) == JobState.CANCELLED


async def test_a_cancel_that_nobody_asked_for_hands_the_job_back() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        rig.engine.report(rig.running()[0], OutcomeCode.CANCELLED)
        await rig.settle_down()
        assert await rig.state(job_id) == JobState.RUNNING
        assert (await rig.row(job_id)).attempt == 1


async def test_leases_of_running_attempts_are_kept_alive() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        for _ in range(30):
            await rig.advance(10)
        assert await rig.state(job_id) == JobState.RUNNING
        assert len(rig.engine.started) == 1
        rig.engine.succeed(rig.running()[0])
        await rig.settle_down()
        assert await rig.state(job_id) == JobState.SUCCEEDED


async def test_a_delayed_job_starts_when_its_time_has_come() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit(start_us=rig.clock.now_us() + 5 * SECOND)
        await rig.advance(4.9)
        assert await rig.state(job_id) == JobState.SCHEDULED
        await rig.advance(0.3)
        assert await rig.state(job_id) == JobState.RUNNING


async def test_a_job_that_waits_past_its_deadline_expires() -> None:
    async with scheduler_rig(slots=1) as rig:
        await rig.submit()
        (late,) = await rig.submit(deadline_us=rig.clock.now_us() + 2 * SECOND)
        await rig.advance(2.2)
        assert await rig.state(late) == JobState.EXPIRED
        assert Failure.from_bytes((await rig.row(late)).failure).reason == "TOTAL_TIMEOUT"


async def test_jobs_of_one_concurrency_key_run_one_after_the_other() -> None:
    async with scheduler_rig(slots=4) as rig:
        await rig.submit(3, concurrency_key="account 7")
        await rig.submit(1)
        assert len(rig.running()) == 2
        for _ in range(3):
            assert len(rig.engine.running) >= 1
            rig.engine.succeed(min(rig.engine.running))
            await rig.settle_down()
        assert len(rig.engine.started) == 4


async def test_a_tenant_with_one_job_does_not_wait_behind_a_tenant_with_many() -> None:
    async with scheduler_rig(slots=1) as rig:
        await rig.submit(500, tenant="crowd")
        for _ in range(20):
            await rig.advance(1)
            rig.engine.succeed(rig.running()[0])
            await rig.settle_down()
        (alone,) = await rig.submit(tenant="alone")
        await rig.advance(1)
        rig.engine.succeed(rig.running()[0])
        await rig.settle_down()
        assert await rig.state(alone) == JobState.RUNNING


async def test_higher_priority_goes_first_and_waiting_makes_up_for_it() -> None:
    async with scheduler_rig(slots=1) as rig:
        await rig.submit()
        (old,) = await rig.submit(priority=0)
        await rig.advance(100)
        (new,) = await rig.submit(priority=2)
        (urgent,) = await rig.submit(priority=9)
        order = []
        for _ in range(4):
            rig.engine.succeed(rig.running()[0])
            await rig.settle_down()
            order.append(rig.engine.started[-1][2])
        assert order[:3] == [urgent, old, new]


async def test_a_paused_queue_waits_and_a_resumed_one_goes_on() -> None:
    async with scheduler_rig(queues=(QueueRow("slow", 1, 0, 0.0, True),)) as rig:
        (job_id,) = await rig.submit(queue="slow")
        await rig.advance(60)
        assert await rig.state(job_id) == JobState.QUEUED
        await rig.store.put_queue(QueueRow("slow", 1, 0, 0.0, False), rig.clock.now_us())
        await rig.settle_down()
        assert await rig.state(job_id) == JobState.RUNNING


async def test_running_limits_of_queue_and_tenant_hold() -> None:
    queues = (QueueRow("narrow", 1, 1, 0.0, False),)
    async with scheduler_rig(slots=9, queues=queues, quota=TenantQuota(running_max=3)) as rig:
        await rig.submit(4, queue="narrow")
        await rig.submit(9)
        assert len(rig.running()) == 4, "one of the narrow queue, three of the tenant in the other"
        for seq in list(rig.engine.running):
            rig.engine.succeed(seq)
        await rig.settle_down()
        assert len(rig.running()) == 4


@pytest.mark.parametrize("rate", [0.5, 4.0])
async def test_a_start_rate_holds_over_time(rate: float) -> None:
    async with scheduler_rig(slots=50, queues=(QueueRow("rated", 1, 0, rate, False),)) as rig:
        await rig.submit(40, queue="rated")
        first = len(rig.engine.started)
        for _ in range(80):
            await rig.advance(0.1)
        assert first <= max(1, rate)
        assert len(rig.engine.started) - first == pytest.approx(8 * rate, abs=1)


async def test_draining_hands_running_jobs_back_unused() -> None:
    async with scheduler_rig(slots=2) as rig:
        ids = await rig.submit(3)
        await rig.scheduler.drain(0.0)
        rows = [await rig.row(job_id) for job_id in ids]
        assert [(row.state, row.attempt) for row in rows] == [(JobState.QUEUED, 0)] * 3


async def test_the_outcome_of_a_lost_lease_changes_nothing() -> None:
    async with scheduler_rig(slots=1) as rig:
        (job_id,) = await rig.submit()
        seq = rig.running()[0]
        await rig.store.reap(10, rig.clock.now_us() + 31 * SECOND, b"{}")
        await rig.settle_down()
        rig.engine.succeed(seq)
        await rig.settle_down()
        assert await rig.state(job_id) == JobState.RUNNING, "it runs again, under its new lease"
        assert len(rig.engine.started) == 2


@pytest.mark.parametrize("jump_seconds", [3_600.0, -3_600.0, 100.0])
async def test_a_jump_of_the_wall_clock_does_not_run_a_job_twice(jump_seconds: float) -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        rig.clock.jump_wall(jump_seconds)
        for _ in range(50):
            await rig.advance(1)
        assert await rig.state(job_id) == JobState.RUNNING
        assert len(rig.engine.started) == 1
        rig.engine.succeed(rig.running()[0])
        await rig.settle_down()
        assert await rig.state(job_id) == JobState.SUCCEEDED
