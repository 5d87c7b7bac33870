"""Jobs in parts through the real server: parts that die, servers that die, cancels, and a document of many pages."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from ingest_client import Client, Input, Job, JobFilter, JobSpec, JobState, RetryLimits, custom, extract, split
from tests.acceptance.server.conftest import StartServer
from tests.unit.handlers.documents.test_page_parts import manual

PATIENT = RetryLimits(attempts_max=400, backoff_seconds=0.02, backoff_seconds_max=0.1)


def pieces(folder: Path, count: int, **more: Any) -> JobSpec:
    """A job in so many parts, which write their numbers into `folder`/tally."""
    return JobSpec(Input(data=b"given"), custom("pieces", path=str(folder / "tally"), count=count, **more))


def tally(folder: Path) -> Counter[int]:
    """How often each part ran to its end."""
    path = folder / "tally"
    return Counter(map(int, path.read_text().split())) if path.exists() else Counter()


async def parts_of(client: Client, job_id: str) -> list[Job]:
    """The parts of a job that are there."""
    return [job async for job in client.list(JobFilter(parent_job_id=job_id))]


async def until_ended(client: Client, job_id: str, count: int) -> None:
    """Wait until so many parts of a job have ended."""
    async with asyncio.timeout(30):
        while sum(job.state.terminal for job in await parts_of(client, job_id)) < count:
            pass  # each look is a call


async def until_gone(client: Client, job_id: str) -> None:
    """Wait until nothing is left of the parts of a job that has ended: they go at once, but after its end was told."""
    async with asyncio.timeout(30):
        while await parts_of(client, job_id):
            pass  # each look is a call


async def test_parts_share_the_input_and_are_merged_in_order(client: Client, tmp_path: Path) -> None:
    (result,) = await client.wait(await client.submit([pieces(tmp_path, 25)]))
    answer = json.loads(await result.read())
    assert answer == {"state": "told before", "results": [f"{number}:given" for number in range(25)], "input": "given"}
    assert tally(tmp_path) == Counter(range(25))
    job = await client.get(result.job_id)
    assert job.progress is not None
    assert (job.attempt, job.progress.completed_units, job.progress.unit) == (1, 25, "piece")
    await until_gone(client, result.job_id)


def winding(folder: Path, length: int) -> str:
    """The path of the tally, about so long."""
    return f"{folder}{'/.' * ((length - len(str(folder))) // 2)}/tally"


async def test_a_long_order_of_parts_is_no_broken_worker(client: Client, tmp_path: Path) -> None:
    """Four hundred parts of 3.5 KB each are more than any other frame may have, and 20 KB of input for each are 8 MB."""
    given = "given" * 4_000
    spec = JobSpec(Input(data=given.encode()), custom("pieces", path=winding(tmp_path, 3_500), count=400))
    before = (await client.stats()).worker_crash_count
    result = await client.run(spec)
    assert result.succeeded, result.error
    answer = json.loads(await result.read())
    assert answer["results"] == [f"{number}:{given}" for number in range(400)]
    assert (await client.stats()).worker_crash_count == before


async def test_an_order_of_parts_beyond_its_limit_is_a_failure_of_the_handler(client: Client, tmp_path: Path) -> None:
    result = await client.run(JobSpec(tasks=custom("pieces", path=winding(tmp_path, 3_500), count=5_000)))
    assert result.error is not None
    assert result.error.reason == "INVALID_RESULT"
    assert "at most 16777216" in result.error.message


async def test_a_part_that_kills_its_workers_costs_nothing_but_itself(client: Client, tmp_path: Path) -> None:
    (result,) = await client.wait(await client.submit([pieces(tmp_path, 6, deadly=(3,))]))
    answer = json.loads(await result.read())
    assert answer["results"] == ["0:given", "1:given", "2:given", "POISON_JOB", "4:given", "5:given"]
    assert set(tally(tmp_path)) == {0, 1, 2, 4, 5}  # one of them twice, if its outcome died with the worker


async def test_a_cancel_ends_the_job_and_its_parts(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    batch = await client.submit([pieces(tmp_path, 8, gate=str(gate), gated=(6, 7))])
    (job_id,) = batch.job_ids
    await until_ended(client, job_id, 6)
    assert [job.job_id async for job in client.list(JobFilter(batch_id=batch.batch_id))] == [job_id], "parts are not listed"
    await client.cancel([job_id])
    (result,) = await client.wait(batch)
    assert result.state is JobState.CANCELLED
    await until_gone(client, job_id)


async def test_a_server_that_was_killed_runs_no_part_again_that_had_ended(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(listen=f"unix:{tmp_path}/socket")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with Client(server.address, retry=PATIENT) as client:
        batch = await client.submit([pieces(tmp_path, 12, gate=str(gate), gated=(11,))])
        (job_id,) = batch.job_ids
        await until_ended(client, job_id, 11)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(gate.write_bytes, b"")
        (result,) = await client.wait(batch)
        answer = json.loads(await result.read())
        assert answer["results"] == [f"{number}:given" for number in range(12)]
        assert tally(tmp_path) == Counter(range(12))
        job = await client.get(job_id)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1), "the death of a server uses up no attempt"
        await until_gone(client, job_id)


async def test_a_document_of_many_pages_is_the_same_in_parts_as_at_once(client: Client) -> None:
    data = manual(100)
    tasks = (extract(pages_per_part=1_000), extract(pages_per_part=7), extract())
    batch = await client.submit([JobSpec(Input(data=data, name="manual.pdf"), (task, split("pages"))) for task in tasks])
    at_once, *in_parts = [await result.document() for result in await client.wait(batch)]
    assert at_once.page_count == 100
    assert in_parts == [at_once, at_once]
    jobs = [await client.get(job_id) for job_id in batch.job_ids]
    told = [job.progress for job in jobs if job.progress is not None]
    assert [(each.completed_units, each.total_units) for each in told] == [(100, 100)] * 3
