"""Watches: nothing lost and nothing twice, whatever breaks."""

from __future__ import annotations

import asyncio

import pytest

from ingest.v1 import job_pb2
from ingest_client import ChannelSettings, Client, JobSpec, JobState, RetryLimits, WatchSettings, errors
from tests.fakes.job_service import FakeServer, status_of
from tests.unit.client.conftest import Waits

RUNNING = job_pb2.JOB_STATE_RUNNING
SUCCEEDED = job_pb2.JOB_STATE_SUCCEEDED


async def _three_jobs(server: FakeServer, client: Client) -> tuple[str, ...]:
    server.auto_finish = False
    return (await client.submit([JobSpec(b"a"), JobSpec(b"b"), JobSpec(b"c")])).job_ids


@pytest.mark.parametrize("after", [1, 2, 3])
async def test_cuts_lose_and_double_nothing(server: FakeServer, client: Client, after: int) -> None:
    """The stream breaks every `after` messages; snapshot and changes still come once each, in order."""
    ids = await _three_jobs(server, client)
    server.faults.cut_watch_after = after
    watch = client.watch(ids, stop_when_done=True)
    seen: list[tuple[str, JobState]] = []

    async def read() -> None:
        async for event in watch:
            seen.append((event.job_id, event.state))

    reader = asyncio.create_task(read())
    await server.until(lambda: server.calls["WatchJobs"] > 0)
    for state in (RUNNING, SUCCEEDED):
        for job_id in ids:
            await server.change(job_id, state, b"out")
    await reader
    changes = [pair for pair in seen if pair[1] is not JobState.QUEUED]
    assert changes == [(job_id, state) for state in (JobState.RUNNING, JobState.SUCCEEDED) for job_id in ids]
    assert server.calls["WatchJobs"] > 1


async def test_polite_close_is_followed_at_once(server: FakeServer, client: Client) -> None:
    """`close` is no failure: the next stream begins with its token."""
    ids = await _three_jobs(server, client)
    server.faults.close_watch_after = 1
    watch = client.watch(ids, stop_when_done=True, terminal_only=True)
    for job_id in ids:
        await server.change(job_id, SUCCEEDED)
    assert [event.job_id async for event in watch] == list(ids)


async def test_restart_of_the_server_is_ridden_out(server: FakeServer, settings: ChannelSettings) -> None:
    """The token of the old process is good in the new one."""
    client = Client(channel=settings)

    async def back(seconds: float) -> None:
        if server._server is None:
            await server.start()
        await client._entered().channel.connected()

    object.__setattr__(settings, "sleep", back)
    async with client:
        ids = await _three_jobs(server, client)
        async with client.watch(ids, stop_when_done=True) as watch:
            assert [(await anext(watch)).state for _ in ids] == [JobState.QUEUED] * 3
            await server.stop()
            for job_id in ids:
                await server.change(job_id, SUCCEEDED)
            assert [(e.job_id, e.state) async for e in watch] == [(job_id, JobState.SUCCEEDED) for job_id in ids]


async def test_expired_token_is_raised(server: FakeServer, client: Client) -> None:
    """Nobody is told that all was seen when it was not."""
    ids = await _three_jobs(server, client)
    server.oldest_position = 2
    with pytest.raises(errors.ResumeTokenExpired) as caught:
        await anext(client.watch(ids, resume_token="1"))
    assert "oldest_resume_token" in caught.value.metadata


async def test_expired_token_begins_anew_where_that_was_asked_for(server: FakeServer, client: Client) -> None:
    """With a snapshot."""
    ids = await _three_jobs(server, client)
    server.oldest_position = 2
    async with client.watch(ids, resume_token="1", snapshot_on_expired=True) as watch:
        events = [await anext(watch) for _ in ids]
    assert [(event.job_id, event.snapshot) for event in events] == [(job_id, True) for job_id in ids]


async def test_token_in_mid_message_repeats_rather_than_loses(server: FakeServer, client: Client) -> None:
    """The snapshot is one message: after its first event the token is still the one before it."""
    ids = await _three_jobs(server, client)
    async with client.watch(ids) as watch:
        assert watch.resume_token == ""
        await anext(watch)
        assert watch.resume_token == ""
        await anext(watch)
        await anext(watch)
        assert watch.resume_token == str(len(server.log))


async def test_hopeless_watch_is_refused(server: FakeServer, client: Client, waits: Waits) -> None:
    """An unknown job is no reason to knock again."""
    with pytest.raises(errors.NotFound):
        await anext(client.watch(["00000000-0000-0000-0000-000000000000"]))
    assert waits.seconds == []


async def test_reconnects_are_bounded(server: FakeServer, settings: ChannelSettings) -> None:
    """Without a message between them."""
    async with Client(channel=settings, watch=WatchSettings(retry=RetryLimits(attempts_max=3))) as client:
        ids = await _three_jobs(server, client)
        server.faults.calls["WatchJobs"].extend([status_of(14, "SHUTTING_DOWN")] * 9)
        with pytest.raises(errors.Unavailable):
            await anext(client.watch(ids))
    assert server.calls["WatchJobs"] == 3


async def test_silent_connection_is_given_up(server: FakeServer, settings: ChannelSettings) -> None:
    """No heartbeat for too long: connect anew, and all is told."""
    server.faults.silent_watch = True

    async def speak_again(seconds: float) -> None:
        server.faults.silent_watch = False

    object.__setattr__(settings, "sleep", speak_again)
    async with Client(channel=settings, watch=WatchSettings(heartbeat_seconds=0.1, silence_factor=0.2)) as client:
        ids = await _three_jobs(server, client)
        async with client.watch(ids) as watch:
            assert (await anext(watch)).job_id == ids[0]
    assert server.calls["WatchJobs"] == 2


async def test_cancelled_reader_leaves_nothing_open(server: FakeServer, client: Client) -> None:
    """The task ends; the check for leftovers of every test proves it."""
    ids = await _three_jobs(server, client)
    watch = client.watch(ids)
    for _ in ids:
        await anext(watch)
    reader = asyncio.create_task(watch.__anext__())
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_closing_ends_a_waiting_reader(server: FakeServer, client: Client) -> None:
    """Closed by another task: the iteration ends, it is not cancelled."""
    ids = await _three_jobs(server, client)
    watch = client.watch(ids)

    async def read() -> int:
        return len([event async for event in watch])

    reader = asyncio.create_task(read())
    await server.until(lambda: server.calls["WatchJobs"] == 1)
    await watch.aclose()
    assert await reader <= 3


async def test_batches_come_whole(server: FakeServer, client: Client) -> None:
    """The snapshot as one tuple, its token with it."""
    ids = await _three_jobs(server, client)
    async with client.watch(ids) as watch:
        async for events in watch.batches():
            assert [event.job_id for event in events] == list(ids)
            assert watch.resume_token
            break


async def test_nothing_is_not_everything(client: Client) -> None:
    """An empty list of ids must not become a watch of the whole tenant."""
    with pytest.raises(ValueError, match="no job"):
        client.watch([])
