"""Coalescing: shared calls, one stream, every waiter answered, whatever goes wrong."""

from __future__ import annotations

import asyncio

import pytest

from ingest.v1 import job_pb2
from ingest_client import ChannelSettings, Client, CoalesceSettings, JobSpec, JobState, RetryLimits, WatchSettings, echo, errors
from tests.fakes.job_service import FakeServer, status_of

SPEC = JobSpec(tasks=echo())
TAKEN = "11111111-1111-4111-8111-111111111111"


async def test_each_caller_gets_its_own_result_over_shared_calls(server: FakeServer, client: Client) -> None:
    """200 at once: a handful of calls, one stream, no mix-up."""
    server.info.limits.submit_items_max = 1000
    await client.info()
    results = await asyncio.gather(*(client.run(SPEC.with_input(str(n).encode())) for n in range(200)))
    assert [await result.read() for result in results] == [str(n).encode() for n in range(200)]
    assert server.calls["SubmitJobs"] <= 3
    assert server.calls["WatchJobs"] == 1


async def test_call_under_way_gathers_company(server: FakeServer, client: Client) -> None:
    """The first goes alone at once; those that come while it is away go together."""
    await client.run(b"warm")
    server.gate = asyncio.Event()
    before = server.calls["SubmitJobs"]
    first = asyncio.create_task(client.run(b"first"))
    await server.until(lambda: server.calls["SubmitJobs"] == before + 1)
    later = [asyncio.create_task(client.run(b"later")) for _ in range(8)]
    await server.until(lambda: server.calls["SubmitJobs"] == before + 2)
    server.gate.set()
    await asyncio.gather(first, *later)
    assert server.submit_sizes[-2:] == [1, 8]


async def test_refused_item_fails_only_its_caller(server: FakeServer, client: Client) -> None:
    """Neighbours in the same call do not notice."""
    good, bad = await asyncio.gather(client.run(b"good"), client.run(JobSpec(b"bad", queue="nowhere")), return_exceptions=True)
    assert isinstance(bad, errors.NotFound)
    assert not isinstance(good, BaseException)
    assert good.succeeded


async def test_failed_call_fails_each_waiter_with_its_own_copy(server: FakeServer, client: Client) -> None:
    """One exception object raised in many tasks would collect their tracebacks."""
    await client.info()
    server.faults.calls["SubmitJobs"].append(status_of(16, "UNAUTHENTICATED", "token expired"))
    failed = await asyncio.gather(client.run(b"a"), client.run(b"b"), client.submit_one(b"c"), return_exceptions=True)
    assert [type(each) for each in failed] == [errors.Denied] * 3
    assert len({id(each) for each in failed}) == 3


async def test_lost_answer_is_repeated_without_doubles(server: FakeServer, client: Client) -> None:
    """The events come before the repeated answer, and are kept for it."""
    server.faults.lose_answers["SubmitJobs"] = 1
    results = await asyncio.gather(*(client.run(b"x") for _ in range(5)))
    assert {result.job_id for result in results} == set(server.jobs)
    assert len(server.jobs) == 5


@pytest.mark.parametrize("after", [1, 2, 5])
async def test_broken_stream_loses_no_result(server: FakeServer, client: Client, after: int) -> None:
    """Cut again and again while results come."""
    server.faults.cut_watch_after = after
    results = await asyncio.gather(*(client.run(SPEC.with_input(str(n).encode())) for n in range(30)))
    assert [await result.read() for result in results] == [str(n).encode() for n in range(30)]


async def test_expired_token_of_the_session_is_mended_by_a_snapshot(server: FakeServer, client: Client) -> None:
    """The stream was away for longer than events are kept."""
    server.auto_finish = False
    waiting = asyncio.create_task(client.run(b"x"))
    await server.until(lambda: len(server.jobs) == 1 and server.calls["WatchJobs"] == 1)
    await server.stop()
    (job_id,) = server.jobs
    await server.change(job_id, job_pb2.JOB_STATE_SUCCEEDED, b"done")
    server.oldest_position = 100
    object.__setattr__(client._settings, "sleep", _connected(server, client))
    assert await (await waiting).read() == b"done"


def _connected(server: FakeServer, client: Client) -> object:
    async def sleep(seconds: float) -> None:
        if server._server is None:
            await server.start()
        await client._entered().channel.connected()

    return sleep


async def test_handle_waits_for_the_end_and_raises_for_failure(server: FakeServer, client: Client) -> None:
    """Accepted first; the job's own status comes with the exception."""
    server.auto_finish = False
    handle = await client.submit_one(b"x")
    waiters = [asyncio.create_task(handle.result()) for _ in range(3)]
    await server.until(lambda: server.calls["WatchJobs"] == 1)
    await server.change(handle.job_id, job_pb2.JOB_STATE_FAILED, error=status_of(2, "HANDLER_ERROR", "boom", exception="E"))
    failures = await asyncio.gather(*waiters, return_exceptions=True)
    assert [type(each) for each in failures] == [errors.JobFailed] * 3
    failed = failures[0]
    assert isinstance(failed, errors.JobFailed)
    assert (failed.state, failed.reason, failed.error.metadata) == (JobState.FAILED, "HANDLER_ERROR", {"exception": "E"})


async def test_handle_asked_after_the_end_still_knows(server: FakeServer, client: Client) -> None:
    """The stream begins late; its snapshot tells."""
    handle = await client.submit_one(b"x")
    assert server.calls["WatchJobs"] == 0, "who wants no result pays for no stream"
    assert await (await handle.result()).read() == b"x"
    assert await (await handle.result()).read() == b"x"


async def test_timeout_gives_up_the_wait_not_the_job(server: FakeServer, client: Client) -> None:
    """And another wait may follow."""
    server.auto_finish = False
    handle = await client.submit_one(b"x")
    with pytest.raises(errors.DeadlineExceeded):
        await handle.result(timeout_seconds=0.01)
    assert server.calls["CancelJobs"] == 0
    await server.change(handle.job_id, job_pb2.JOB_STATE_SUCCEEDED, b"late")
    assert await (await handle.result()).read() == b"late"


async def test_cancelled_waiter_disturbs_nobody(server: FakeServer, client: Client) -> None:
    """Neither its neighbours nor the stream."""
    server.auto_finish = False
    tasks = [asyncio.create_task(client.run(b"x")) for _ in range(3)]
    await server.until(lambda: len(server.jobs) == 3)
    tasks[1].cancel()
    for job_id in list(server.jobs):
        await server.change(job_id, job_pb2.JOB_STATE_SUCCEEDED)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert not isinstance(results[0], BaseException)
    assert not isinstance(results[2], BaseException)


async def test_job_that_was_there_before_is_awaited_by_id(server: FakeServer, client: Client) -> None:
    """It belongs to another batch, so the session's stream will never tell of it."""
    server.auto_finish = False
    await client.submit([JobSpec(b"old", job_id=TAKEN)])
    spec = JobSpec(b"new", job_id=TAKEN, use_existing=True)
    tasks = [asyncio.create_task(client.run(spec)) for _ in range(3)]
    await server.until(lambda: server.calls["FetchResults"] >= 1)
    await server.change(TAKEN, job_pb2.JOB_STATE_SUCCEEDED, b"old")
    assert [await result.read() for result in await asyncio.gather(*tasks)] == [b"old"] * 3


async def test_sessions_rotate_and_old_ones_end(server: FakeServer, settings: ChannelSettings) -> None:
    """No batch grows without bound, no stream stays without need."""
    coalesce = CoalesceSettings(session_jobs_max=10)
    async with Client(channel=settings, coalesce=coalesce) as client:
        for _ in range(6):
            await asyncio.gather(*(client.run(b"x") for _ in range(7)))
        parts = client._parts
        assert parts is not None
        assert all(session.ended for session in parts.coalescer._retired[:-1])
    batches: dict[str, int] = {}
    for job in server.jobs.values():
        batches[job.batch_id] = batches.get(job.batch_id, 0) + 1
    assert len(server.jobs) == 42
    assert max(batches.values()) <= 10


async def test_stragglers_of_old_sessions_are_asked_for_by_id(server: FakeServer, settings: ChannelSettings) -> None:
    """Streams are bounded, however long single jobs take."""
    coalesce = CoalesceSettings(session_jobs_max=1, sessions_max=2)
    async with Client(channel=settings, coalesce=coalesce) as client:
        server.auto_finish = False
        tasks = []
        for count in range(1, 6):
            tasks.append(asyncio.create_task(client.run(b"x")))
            await server.until(lambda count=count: len(server.jobs) == count)  # type: ignore[misc]
        await server.until(lambda: server.calls["FetchResults"] >= 1)
        for job_id in list(server.jobs):
            await server.change(job_id, job_pb2.JOB_STATE_SUCCEEDED, job_id.encode())
        results = await asyncio.gather(*tasks)
    assert [await result.read() for result in results] == [job_id.encode() for job_id in server.jobs]


async def test_watch_that_fails_for_good_fails_its_waiters_and_the_next_session_works(
    server: FakeServer, settings: ChannelSettings
) -> None:
    """Nobody hangs."""
    async with Client(channel=settings, watch=WatchSettings(retry=RetryLimits(attempts_max=1))) as client:
        await client.info()
        server.faults.calls["WatchJobs"].append(status_of(7, "PERMISSION_DENIED", "no watching"))
        server.auto_finish = False
        with pytest.raises(errors.Denied):
            await client.run(b"x")
        server.auto_finish = True
        assert (await client.run(b"y")).succeeded


async def test_close_answers_whoever_waits(server: FakeServer, client: Client) -> None:
    """ClientClosed, for those not yet sent, those on the way, and those that wait for an end."""
    server.auto_finish = False
    running = asyncio.create_task(client.run(b"running"))
    await server.until(lambda: len(server.jobs) == 1)
    server.gate = asyncio.Event()
    sent = asyncio.create_task(client.run(b"sent"))
    await server.until(lambda: server.calls["SubmitJobs"] == 2)
    queued = asyncio.create_task(client.run(b"queued"))
    await asyncio.sleep(0)
    await client.close()
    outcomes = await asyncio.gather(running, sent, queued, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [errors.ClientClosed] * 3
    with pytest.raises(errors.ClientClosed):
        await client.run(b"after")
    server.gate.set()


async def test_large_input_of_a_single_run_goes_as_a_blob(server: FakeServer, client: Client) -> None:
    """And its large output comes back as one, downloaded when read."""
    data = bytes(range(256)) * 40
    result = await client.run(data)
    assert result.output is not None
    assert result.output.data is None
    assert await result.read() == data
    assert server.calls["UploadBlob"] == 1


async def test_callers_beyond_the_bound_are_held_back(server: FakeServer, settings: ChannelSettings) -> None:
    """The line of submits that wait does not grow without bound; all get through in the end."""
    async with Client(channel=settings, coalesce=CoalesceSettings(pending_max=5, calls_max=1)) as client:
        await client.info()
        server.gate = asyncio.Event()
        tasks = [asyncio.create_task(client.submit_one(b"x")) for _ in range(40)]
        await server.until(lambda: server.calls["SubmitJobs"] == 1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert client._parts is not None
        assert len(client._parts.coalescer._pending) <= 5
        server.gate.set()
        assert len({handle.job_id for handle in await asyncio.gather(*tasks)}) == 40
