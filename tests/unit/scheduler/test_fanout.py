"""Jobs in parts: from the division of a job to its merge, told in virtual seconds."""

from __future__ import annotations

import pytest

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Failure
from ingest_server.domain.ids import part_id
from ingest_server.domain.job import JobState
from ingest_server.domain.retry import RetryPolicy
from ingest_server.engines.interface import OutcomeCode
from ingest_server.handlers import part_orders
from ingest_server.handlers.part_orders import MergeHead, PartHead, PartOrder, SplitOrder
from ingest_server.store.records import ANY_PARTS, JobQuery, QueueRow
from tests.fakes.scheduler_rig import SECOND, TENANT, Rig, scheduler_rig

HEAD = part_orders.part_payload(PartHead(b"{}", 1))


def order_of(*units: int) -> bytes:
    """A division into parts of so many units."""
    return part_orders.encode_order(
        SplitOrder(b"part spec", [PartOrder(HEAD, None, b"", each) for each in units], "page", b"state")
    )


def divide(rig: Rig, seq: int, *units: int) -> None:
    """Let the handler of an attempt answer with parts."""
    rig.engine.report(seq, OutcomeCode.DIVIDED, output=order_of(*units))


def merge_of(rig: Rig, seq: int) -> MergeHead:
    """What the merge that runs was given."""
    payload = rig.engine.running[seq][5]
    assert payload[:1] == part_orders.MERGE
    head, rest = part_orders.read_merge(payload)
    assert rest == b"ipayload", "the input of the job comes with it"
    return head


async def parts_left(rig: Rig) -> int:
    """Parts in the store, of any job."""
    page = await rig.store.jobs(JobQuery("", part_of=ANY_PARTS), limit=100, now_us=rig.clock.now_us())
    return len(page.rows)


async def test_a_division_that_cannot_be_read_fails_the_job() -> None:
    async with scheduler_rig() as rig:
        (job_id,) = await rig.submit()
        rig.engine.report(rig.running()[0], OutcomeCode.DIVIDED, output=b"\xc1 rubbish")
        await rig.settle_down()
        row = await rig.row(job_id)
        assert (row.state, Failure.from_bytes(row.failure).reason) == (JobState.FAILED, "INVALID_RESULT")


async def test_parts_run_and_are_merged_in_order_and_are_gone_with_the_end_of_their_job() -> None:
    async with scheduler_rig(slots=2) as rig:
        (job_id,) = await rig.submit()
        seq = rig.running()[0]
        divide(rig, seq, 32, 32, 6)
        await rig.settle_down()
        first, second = rig.running()
        assert seq not in rig.running(), "a job in parts holds no worker"
        assert await rig.state(job_id) is JobState.RUNNING
        rig.engine.succeed(second, b"two")
        await rig.settle_down()
        rig.engine.succeed(first, b"one")
        await rig.settle_down()
        (third,) = rig.running()
        rig.engine.succeed(third, b"three")
        await rig.settle_down()
        assert rig.running() == [seq]
        head = merge_of(rig, seq)
        assert [(end.output, end.failure, end.units) for end in head.ends] == [
            (b"one", b"", 32),
            (b"two", b"", 32),
            (b"three", b"", 6),
        ]
        assert head.state == b"state"
        rig.engine.succeed(seq, b"whole")
        await rig.settle_down()
        row = await rig.row(job_id)
        assert (row.state, row.attempt, row.output) == (JobState.SUCCEEDED, 1, b"")  # BASIC rows carry no output
        assert await parts_left(rig) == 0


async def test_a_part_is_tried_again_alone_and_its_failure_is_told_to_the_merge() -> None:
    async with scheduler_rig(slots=2, retry=RetryPolicy(max_attempts=2, initial_backoff_us=SECOND)) as rig:
        await rig.submit()
        seq = rig.running()[0]
        divide(rig, seq, 1, 1)
        await rig.settle_down()
        first, second = rig.running()
        rig.engine.succeed(first, b"one")
        rig.engine.fail(second)
        await rig.settle_down()
        assert rig.running() == []
        await rig.advance(1.5)
        assert rig.running() == [second], "only the part that failed"
        rig.engine.fail(second, reason="PAGE_BURNT")
        await rig.settle_down()
        ends = merge_of(rig, seq).ends
        assert ends[0].output == b"one"
        assert Failure.from_bytes(ends[1].failure).reason == "PAGE_BURNT"


async def test_a_cancelled_job_takes_its_parts_with_it() -> None:
    async with scheduler_rig(slots=1) as rig:
        (job_id,) = await rig.submit()
        seq = rig.running()[0]
        divide(rig, seq, 1, 1, 1)
        await rig.settle_down()
        (running,) = rig.running()
        (answer,) = await rig.store.cancel(JobQuery(TENANT, job_ids=(job_id,)), b"", 1, rig.clock.now_us())
        rig.scheduler.cancel(answer.seq, answer.lease)
        await rig.settle_down()
        assert await rig.state(job_id) is JobState.CANCELLED, "it holds no worker, so it ends at once"
        assert [seq for seq, _ in rig.engine.cancelled] == [running]
        assert await parts_left(rig) == 1
        rig.engine.report(running, OutcomeCode.CANCELLED)
        await rig.settle_down()
        assert await parts_left(rig) == 0


async def test_a_queue_that_runs_one_job_at_a_time_runs_the_parts_one_by_one() -> None:
    queue = QueueRow("single", 1, 1, 0.0, False)
    async with scheduler_rig(slots=4, queues=(queue,)) as rig:
        (job_id,) = await rig.submit(queue="single", concurrency_key="only")
        seq = rig.running()[0]
        divide(rig, seq, 1, 1)
        for _ in range(2):
            await rig.settle_down()
            (part,) = rig.running()
            rig.engine.succeed(part)
        await rig.settle_down()
        rig.engine.succeed(seq)
        await rig.settle_down()
        assert await rig.state(job_id) is JobState.SUCCEEDED
        (after,) = await rig.submit(queue="single", concurrency_key="only")
        assert await rig.state(after) is JobState.RUNNING, "the slot of the queue and the key are free again"


async def test_progress_of_parts_is_that_of_their_job() -> None:
    async with scheduler_rig(slots=2) as rig:
        await rig.submit()
        seq = rig.running()[0]
        divide(rig, seq, 32, 32)
        await rig.settle_down()
        first, second = rig.running()
        lease = rig.engine.running[first][1]
        told = part_orders.progress(8, 16, "page")
        assert rig.engine._listener is not None
        rig.engine._listener.on_progress([(first, lease, told)])
        newest = job_pb2.Progress.FromString(rig.hub.progress_of(seq))
        assert (newest.completed_units, newest.total_units, newest.unit) == (16, 64, "page")
        rig.engine.succeed(second)
        await rig.settle_down()
        assert job_pb2.Progress.FromString(rig.hub.progress_of(seq)).completed_units == 48


async def test_a_crash_of_the_merge_runs_no_part_again() -> None:
    async with scheduler_rig(slots=2) as rig:
        (job_id,) = await rig.submit()
        seq = rig.running()[0]
        divide(rig, seq, 1, 1)
        await rig.settle_down()
        for part in rig.running():
            rig.engine.succeed(part, b"done")
        await rig.settle_down()
        rig.engine.crash(seq)
        await rig.advance(1)
        assert rig.running() == [seq]
        assert rig.engine.running[seq][8] == 1, "the handler is told of the crash"
        divide(rig, seq, 1, 1)
        await rig.settle_down()
        assert [end.output for end in merge_of(rig, seq).ends] == [b"done", b"done"]
        rig.engine.succeed(seq)
        await rig.settle_down()
        assert await rig.state(job_id) is JobState.SUCCEEDED
        assert await parts_left(rig) == 0


async def test_an_attempt_after_a_failure_runs_all_parts_again() -> None:
    async with scheduler_rig(slots=2) as rig:
        (job_id,) = await rig.submit()
        seq = rig.running()[0]
        divide(rig, seq, 1)
        await rig.settle_down()
        rig.engine.succeed(rig.running()[0])
        await rig.settle_down()
        rig.engine.fail(seq)
        await rig.advance(11)
        divide(rig, seq, 1)
        await rig.settle_down()
        (part,) = rig.running()
        assert rig.engine.running[part][2] == part_id(job_id, 2, 0, HEAD)
        rig.engine.succeed(part)
        await rig.settle_down()
        rig.engine.succeed(seq)
        await rig.settle_down()
        assert await parts_left(rig) == 0, "those of the first attempt too"


async def test_parts_of_parts_are_merged_from_the_inside_out() -> None:
    async with scheduler_rig(slots=2) as rig:
        (job_id,) = await rig.submit()
        seq = rig.running()[0]
        divide(rig, seq, 2)
        await rig.settle_down()
        (part,) = rig.running()
        divide(rig, part, 1, 1)
        await rig.settle_down()
        for inner in rig.running():
            rig.engine.succeed(inner, b"inner")
        await rig.settle_down()
        assert rig.running() == [part]
        rig.engine.succeed(part, b"outer")
        await rig.settle_down()
        assert [end.output for end in merge_of(rig, seq).ends] == [b"outer"]
        rig.engine.succeed(seq)
        await rig.settle_down()
        assert (await rig.state(job_id), await parts_left(rig)) == (JobState.SUCCEEDED, 0)


async def test_the_deadline_of_a_job_is_that_of_its_parts() -> None:
    async with scheduler_rig(slots=1) as rig:
        deadline = rig.clock.now_us() + 10 * SECOND
        await rig.submit(deadline_us=deadline)
        seq = rig.running()[0]
        divide(rig, seq, 1, 1)
        await rig.settle_down()
        (part,) = rig.running()
        assert rig.engine.running[part][7] == deadline
        await rig.advance(11)
        rig.engine.report(part, OutcomeCode.EXPIRED)
        await rig.advance(1)
        assert rig.running() == [seq]
        assert rig.engine.running[seq][7] == deadline, "the engine ends it at once"


@pytest.mark.parametrize("when", ["waiting", "merging"])
async def test_a_drain_hands_the_job_back_unused(when: str) -> None:
    async with scheduler_rig(slots=2) as rig:
        (job_id,) = await rig.submit()
        seq = rig.running()[0]
        divide(rig, seq, 1)
        await rig.settle_down()
        if when == "merging":
            rig.engine.succeed(rig.running()[0])
            await rig.settle_down()
        await rig.scheduler.drain(0.0)
        row = await rig.row(job_id)
        assert (row.state, row.attempt) == (JobState.QUEUED, 0)


async def test_what_a_server_before_has_left_is_swept_up_at_the_start() -> None:
    async with scheduler_rig(slots=1) as rig:
        (job_id,) = await rig.submit()
        divide(rig, rig.running()[0], 1, 1)
        await rig.settle_down()
        await rig.scheduler.drain(0.0)
        assert await parts_left(rig) == 2
        await rig.store.cancel(JobQuery(TENANT, job_ids=(job_id,)), b"", 1, rig.clock.now_us())
        await rig.scheduler._fanout.sweep.recover()
        await rig.settle_down()
        assert await parts_left(rig) == 0
