"""The server dies without a word, again and again: nothing acknowledged is lost or ends twice, no watcher misses a thing."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest

from ingest_client import Batch, Client, JobSpec, JobState, RetryLimits, WatchSettings, custom, echo
from tests.acceptance.server.conftest import StartServer, let_go
from tests.acceptance.server.server_process import ServerProcess
from tests.hostile.observer import Observer

CALLS = 40
JOBS_PER_CALL = 25
PATIENT = RetryLimits(attempts_max=400, backoff_seconds=0.02, backoff_seconds_max=0.1)
QUICK_WATCH = WatchSettings(heartbeat_seconds=1.0, retry=PATIENT)


def client_of(server: ServerProcess) -> Client:
    """A client that rides out restarts without long waits."""
    return Client(server.address, retry=PATIENT, watch=QUICK_WATCH)


async def submit_all(client: Client, tally: Path, acknowledged: list[str]) -> None:
    """Submit call after call; note what was acknowledged."""
    spec = JobSpec(tasks=custom("tally", path=str(tally)))
    for _ in range(CALLS):
        batch: Batch = await client.submit([spec] * JOBS_PER_CALL)
        assert not batch.refused
        acknowledged.extend(batch.job_ids)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_under_load(seed: int, start_server: StartServer, tmp_path: Path) -> None:
    chance = random.Random(seed)
    server = start_server(listen=f"unix:{tmp_path}/socket")
    tally, acknowledged = tmp_path / "tally", list[str]()
    async with client_of(server) as client:
        observer = Observer(client)
        submitting = asyncio.create_task(submit_all(client, tally, acknowledged))
        kills: list[int] = []
        for _ in range(3):
            await observer.until_ended(len(observer.ended) + chance.randrange(20, 250))
            await asyncio.to_thread(server.kill)
            kills.append(len(observer.seen))
            await asyncio.to_thread(server.start)
        await submitting
        await observer.until_all_ended(acknowledged)
        await observer.close()
        assert len(set(acknowledged)) == len(acknowledged) == CALLS * JOBS_PER_CALL
        # A call that was on disk but not yet answered when the server died was sent again: it must not have made jobs twice.
        assert set(observer.ended) == set(acknowledged)
        assert set(observer.ended.values()) == {JobState.SUCCEEDED}
        counts = Counter(tally.read_text().split())
        assert counts.keys() == set(acknowledged), "a job ended without having run, or one that nobody knows ran"
        await check_tokens(client, observer, chance)


async def check_tokens(client: Client, observer: Observer, chance: random.Random) -> None:
    """Any token of the past continues with exactly what followed it."""
    for seen_count, token in chance.sample(observer.tokens[:-1], 5):
        wanted = observer.seen[seen_count:]
        again: list[tuple[str, int, JobState]] = []
        async with client.watch(resume_token=token) as watch:
            async for events in watch.batches():
                again += [(event.job_id, event.revision, event.state) for event in events if event.revision]
                if len(again) >= len(wanted):
                    break
        assert again == wanted


async def test_no_kill_no_duplicate(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    async with client_of(server) as client:
        spec = JobSpec(tasks=custom("tally", path=str(tmp_path / "tally")))
        batch = await client.submit([spec] * 3_000)
        results = await client.wait(batch)
        assert all(result.succeeded for result in results)
    counts = Counter((tmp_path / "tally").read_text().split())
    assert counts == Counter(batch.job_ids)


async def test_delayed_and_waiting_jobs_survive(start_server: StartServer, tmp_path: Path, fifo: Path) -> None:
    server = start_server(listen=f"unix:{tmp_path}/socket", workers=1)
    async with client_of(server) as client:
        specs = [
            JobSpec(str(fifo).encode(), custom("wait")),
            JobSpec(tasks=echo(), priority=9),
            JobSpec(tasks=echo(), start_delay_seconds=0.5),
        ]
        batch = await client.submit(specs)
        await progress_of(client, batch.job_ids[0])
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await let_go(fifo)
        assert [result.state for result in await client.wait(batch)] == [JobState.SUCCEEDED] * 3


async def progress_of(client: Client, job_id: str) -> None:
    """Wait until the job's handler runs and has said so."""
    async with client.watch([job_id]) as watch:
        async for event in watch:
            if event.progress is not None and event.state is JobState.RUNNING:
                return


@pytest.mark.parametrize("victim", ["zygote", "worker"])
async def test_a_part_is_killed_and_replaced(victim: str, start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    async with client_of(server) as client:
        worker = psutil.Process((await client.stats()).workers[0].pid)
        process = worker if victim == "worker" else worker.parent()
        assert process is not None
        process.send_signal(signal.SIGKILL)
        batch = await client.submit([JobSpec(b"x", echo())] * 200)
        assert all(result.succeeded for result in await client.wait(batch))
    assert server.stop() == 0


async def test_the_store_is_killed(start_server: StartServer, tmp_path: Path) -> None:
    """The server cannot promise anything any more, so it ends, and says why; a new one has everything."""
    server = start_server(listen=f"unix:{tmp_path}/socket")
    async with client_of(server) as client:
        batch = await client.submit([JobSpec(b"x", echo())] * 100)
        store = next(each for each in server.processes() if ".store." in " ".join(each.cmdline()))
        server.remember()
        store.kill()
        status = await asyncio.to_thread(server.wait)
        assert status == 1, server.log
        assert "ended unasked" in server.log
        await asyncio.to_thread(server.start)
        assert all(result.succeeded for result in await client.wait(batch))
