"""Callbacks from end to end: a real server, a receiver in a process of its own, and both of them killed on the way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest_client import Callback, Client, Delivery, DeliveryState, JobSpec, JobState, RetryPolicy, custom, echo
from scripts.bench.callback_tally import SECRET, WAIT_SECONDS_MAX, ReceiverProcess
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import environment, run_to_end

JOBS = 200
DOUBLED_MAX = 2 * 8
"""callback_concurrent_per_host_max, for each kill: what is under way then may be told twice."""


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Iterator[ReceiverProcess]:
    """One that fails as often as the test's parameter says; never without one."""
    with ReceiverProcess(getattr(request, "param", 0.0)) as started:
        yield started


def test_without_the_http_client_the_server_tells_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "aiohttp.py").write_text("raise ImportError('not installed')")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    flags = ["--callback-hosts", "hooks.example.com", "--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]
    ended = run_to_end(*flags, PYTHONPATH=path, INGEST_CALLBACK_SECRETS=SECRET)
    assert ended.status != 0
    assert "pip install 'ingest[callbacks]'" in ended.err
    assert "Traceback" not in ended.err


async def deliveries_of(client: Client, job_id: str) -> list[Delivery]:
    return [each async for each in client.deliveries.list(job_id)]


async def until(client: Client, job_id: str, wanted: Callable[[list[Delivery]], bool]) -> list[Delivery]:
    """Its deliveries once they are as wanted: what the receiver knows, the server notes a moment later."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not wanted(found := await deliveries_of(client, job_id)):
            pass
    return found


async def ended(client: Client, job_id: str) -> list[Delivery]:
    """Its deliveries once all have ended."""
    return await until(client, job_id, lambda found: bool(found) and all(each.state.ended for each in found))


@pytest.mark.slow
@pytest.mark.parametrize("receiver", [0.5], indirect=True)
async def test_each_is_delivered_though_the_receiver_fails_and_both_are_killed(
    start_server: StartServer, receiver: ReceiverProcess
) -> None:
    server = start_server(variables=receiver.settings)
    spec = JobSpec(b"x", echo(), callbacks=(Callback(receiver.url),))
    async with Client(server.address) as client:
        batch = await client.submit([spec] * JOBS)
        assert not batch.refused
    await asyncio.to_thread(receiver.wait_for, messages=JOBS // 4)
    await asyncio.to_thread(receiver.kill)
    await asyncio.to_thread(receiver.start)
    await asyncio.to_thread(receiver.wait_for, accepted=JOBS // 2)
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(receiver.wait_for, accepted=JOBS)

    assert receiver.invalid == 0
    assert receiver.ids.keys() == set(batch.job_ids)
    assert all(len(ids) == 1 for ids in receiver.ids.values()), "a delivery has one id, however often it is tried"
    doubled = [each for each, count in receiver.accepted.items() if count > 1]
    assert len(doubled) <= DOUBLED_MAX
    async with Client(server.address) as client:
        for job_id in batch.job_ids:
            (delivery,) = await ended(client, job_id)
            assert delivery.state is DeliveryState.DELIVERED
            assert {delivery.delivery_id} == receiver.ids[job_id]
            assert delivery.attempts[-1].http_status == 204
            assert all(attempt.http_status != 204 for attempt in delivery.attempts[:-1])


async def test_states_are_told_in_order_and_a_retried_job_tells_too(start_server: StartServer, receiver: ReceiverProcess) -> None:
    server = start_server(variables=receiver.settings)
    told = Callback(receiver.url, ("JOB_STATE_QUEUED", "JOB_STATE_RUNNING", "JOB_STATE_FAILED"))
    async with Client(server.address) as client:
        assert (await client.info()).callbacks
        failing = JobSpec(b"", custom("flaky", times=9), retry_policy=RetryPolicy(max_attempts=1), callbacks=(told,))
        result = await client.run(failing)
        assert result.state is JobState.FAILED
        first = await ended(client, result.job_id)
        assert [each.event for each in first] == [JobState.QUEUED, JobState.RUNNING, JobState.FAILED]
        assert [each.state for each in first] == [DeliveryState.DELIVERED] * 3
        (again,) = await client.retry([result.job_id])
        assert (await client.wait([again.new_job_id]))[0].state is JobState.FAILED
        assert len(await ended(client, again.new_job_id)) == 3
        (resent,) = await client.deliveries.redeliver(result.job_id, [first[2].delivery_id])
        await asyncio.to_thread(receiver.wait_for, messages=7)
        assert receiver.accepted[resent] == 2


async def test_a_host_that_is_forbidden_later_is_a_failed_attempt_and_goes_when_allowed_again(
    start_server: StartServer, receiver: ReceiverProcess
) -> None:
    receiver.kill()
    server = start_server(variables=receiver.settings)
    async with Client(server.address) as client:
        batch = await client.submit([JobSpec(b"x", echo(), callbacks=(Callback(receiver.url),))])
        await client.wait(batch)
    assert await asyncio.to_thread(server.stop) == 0
    server.variables = {name: value for name, value in receiver.settings.items() if name != "INGEST_CALLBACK_HOSTS"}
    await asyncio.to_thread(server.start)
    async with Client(server.address) as client:
        assert not (await client.info()).callbacks
        (delivery,) = await until(client, batch.job_ids[0], lambda found: "allow-list" in found[0].attempts[-1].error)
        assert delivery.state is DeliveryState.PENDING
        assert "no connection" in delivery.attempts[0].error
    assert await asyncio.to_thread(server.stop) == 0
    receiver.start()
    server.variables = receiver.settings
    await asyncio.to_thread(server.start)
    async with Client(server.address) as client:
        await asyncio.to_thread(receiver.wait_for, accepted=1)
        (delivery,) = await ended(client, batch.job_ids[0])
        assert delivery.state is DeliveryState.DELIVERED
