"""Handlers that misbehave in every way: a clear error on their own job, and nobody else is disturbed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ingest_client import Client, JobResult, JobSpec, JobState, RetryPolicy, custom, echo
from tests.acceptance.server.conftest import StartServer, let_go
from tests.hostile.test_server_killed import progress_of

ONE_ATTEMPT = RetryPolicy(max_attempts=1)


async def run_beside_others(client: Client, spec: JobSpec) -> JobResult:
    """Run the job in the midst of others, all of which must succeed at their first attempt."""
    neighbours = await client.submit([JobSpec(b"good", echo())] * 40)
    result = await client.run(spec, timeout_seconds=60)
    for each in await client.wait(neighbours):
        assert each.succeeded
    full = [await client.get(job_id) for job_id in neighbours.job_ids]
    assert {(job.attempt, job.crash_count) for job in full} == {(1, 0)}
    return result


def task(name: str, **options: Any) -> JobSpec:
    return JobSpec(tasks=custom(name, **options), retry_policy=ONE_ATTEMPT)


@pytest.mark.parametrize(
    ("name", "value", "reason", "said"),
    [
        ("fail", "value", "HANDLER_ERROR", "bad x"),
        ("fail", "known", "PAGE_TORN", "page 3 is torn"),
        ("fail", "exit", "HANDLER_ERROR", "SystemExit"),
        ("fail", "interrupt", "HANDLER_ERROR", "KeyboardInterrupt"),
        ("fail", "recursion", "HANDLER_ERROR", "recursion"),
        ("fail", "unprintable", "HANDLER_ERROR", "Unprintable"),
        ("fail", "group", "HANDLER_ERROR", "several"),
        ("give", "rubbish", "INVALID_RESULT", "object"),
        ("give", "surrogate", "INVALID_RESULT", "Unicode"),
        ("give", "class", "INVALID_RESULT", ""),
    ],
)
async def test_raises_or_returns_rubbish(client: Client, name: str, value: str, reason: str, said: str) -> None:
    result = await run_beside_others(client, task(name, value=value))
    assert result.state is JobState.FAILED
    assert result.error is not None
    assert result.error.reason == reason
    assert said in result.error.message
    assert len(result.error.message) < 10_000


@pytest.mark.parametrize(
    ("value", "key", "found"),
    [("_exit", "exit_code", "7"), ("exit0", "exit_code", "0"), ("segfault", "signal", "SIGSEGV"), ("kill", "signal", "SIGKILL")],
)
async def test_kills_its_worker_until_it_is_poison(client: Client, value: str, key: str, found: str) -> None:
    before = await client.stats()
    result = await run_beside_others(client, JobSpec(tasks=custom("die", value=value)))
    assert result.state is JobState.FAILED
    assert result.error is not None
    assert result.error.reason == "POISON_JOB"
    assert result.error.metadata[key] == found
    job = await client.get(result.job_id, full=True)
    assert job.crash_count == 3
    after = await client.stats()
    assert after.worker_crash_count == before.worker_crash_count + 3
    async with asyncio.timeout(10):
        while len((await client.stats()).workers) < 2:  # each turn is a call: the server goes on meanwhile
            pass


async def test_many_poison_jobs_at_once(client: Client) -> None:
    """Both workers die again and again; whoever shares a frame with a poison job is not blamed for it."""
    mixed = await client.submit(
        [JobSpec(b"die", custom("obey"), retry_policy=RetryPolicy(max_crashes=2)), *[JobSpec(b"x", custom("obey"))] * 20] * 5
    )
    results = await client.wait(mixed, timeout_seconds=60)
    for index, result in enumerate(results):
        wanted = JobState.FAILED if index % 21 == 0 else JobState.SUCCEEDED
        assert result.state is wanted, result
    good = [await client.get(result.job_id) for result in results if result.succeeded]
    assert max(job.crash_count for job in good) == 0


async def test_hangs_beyond_its_time(client: Client) -> None:
    for name in ("deaf", "stubborn", "await-forever"):
        spec = JobSpec(tasks=custom(name), attempt_timeout_seconds=0.2, retry_policy=ONE_ATTEMPT)
        result = await run_beside_others(client, spec)
        assert result.state is JobState.FAILED
        assert result.error is not None
        assert result.error.reason == "ATTEMPT_TIMEOUT", result.error
        assert "0.2" in result.error.message


@pytest.mark.parametrize("name", ["polite", "deaf", "stubborn", "spin-stubborn-told", "await-forever", "await-stubborn"])
async def test_cancel_reaches_everything_that_runs(client: Client, name: str) -> None:
    handle = await client.submit_one(JobSpec(tasks=custom(name)))
    await progress_of(client, handle.job_id)
    answer = await handle.cancel("enough")
    assert answer.error is None
    assert answer.state is JobState.CANCELLING
    (result,) = await client.wait([handle.job_id], timeout_seconds=30)
    assert result.state is JobState.CANCELLED
    assert result.error is not None
    assert result.error.reason == "CANCELLED_BY_CALLER"
    assert result.error.metadata["reason"] == "enough"
    assert (await client.run(JobSpec(b"x", echo()))).succeeded


async def test_handler_that_ends_before_the_cancel_reaches_it(client: Client) -> None:
    handle = await client.submit_one(JobSpec(tasks=custom("ends-by-itself")))
    await progress_of(client, handle.job_id)
    await handle.cancel()
    assert await (await handle.result()).read() == b"finished"


async def test_prints_megabytes(client: Client) -> None:
    result = await run_beside_others(client, task("shout"))
    assert await result.read() == b"said"


async def test_changes_what_belongs_to_all(client: Client) -> None:
    assert (await run_beside_others(client, task("mischief"))).succeeded
    seen = [await (await client.run(task("describe"))).json() for _ in range(4)]
    assert {(each["umask"]) for each in seen} <= {0o022, 0o002, 0o077}
    assert all(each["same"] for each in seen)


async def test_speaks_out_of_turn_to_the_server(client: Client) -> None:
    for words in ("00000000", "ffffffffffffffff", "0000000100000000"):
        spec = JobSpec(tasks=custom("speak", value=words), attempt_timeout_seconds=1.0, retry_policy=ONE_ATTEMPT)
        result = await run_beside_others(client, spec)
        assert result.state is JobState.FAILED
        assert result.error is not None
        assert result.error.reason in {"POISON_JOB", "ATTEMPT_TIMEOUT"}, result.error


async def test_memory_and_processor_limits(start_server: StartServer) -> None:
    server = start_server("--attempt-memory-bytes-max", str(256 << 20), "--attempt-cpu-seconds-max", "1")
    async with Client(server.address) as client:
        eaten = await run_beside_others(client, task("eat", value=1 << 30))
        assert eaten.error is not None
        assert (eaten.error.reason, eaten.error.metadata["limit_bytes"]) == ("MEMORY_LIMIT", str(256 << 20))
        burnt = await run_beside_others(client, task("spin"))
        assert burnt.error is not None
        assert (burnt.error.reason, burnt.error.metadata["limit_seconds"]) == ("CPU_LIMIT", "1")
        enough = await client.run(task("eat", value=16 << 20))
        assert enough.succeeded


async def test_result_too_large(start_server: StartServer) -> None:
    server = start_server("--result-bytes-max", str(1 << 20))
    async with Client(server.address) as client:
        result = await run_beside_others(client, task("size", value=(1 << 20) + 1))
        assert result.error is not None
        assert result.error.reason == "RESULT_TOO_LARGE"
        assert (await client.run(task("size", value=1 << 20))).succeeded


async def test_one_hung_job_leaves_the_other_worker_free(client: Client, fifo: Path) -> None:
    handle = await client.submit_one(JobSpec(str(fifo).encode(), custom("wait")))
    await progress_of(client, handle.job_id)
    others = await client.submit([JobSpec(b"x", echo())] * 500)
    assert all(result.succeeded for result in await client.wait(others, timeout_seconds=30))
    assert (await handle.job()).state is JobState.RUNNING
    await let_go(fifo)
    assert (await handle.result()).succeeded


async def test_all_workers_hung_and_cancelled(client: Client) -> None:
    stuck = await client.submit([JobSpec(tasks=custom("stubborn"))] * 2)
    await asyncio.gather(*(progress_of(client, job_id) for job_id in stuck.job_ids))
    waiting = await client.submit([JobSpec(b"x", echo())] * 20)
    answers = await client.cancel(stuck)
    assert [answer.error for answer in answers] == [None, None]
    assert all(result.succeeded for result in await client.wait(waiting, timeout_seconds=30))
