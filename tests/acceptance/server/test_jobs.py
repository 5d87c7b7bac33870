"""The life of jobs over the wire: accepted once, run by their policy, found again, retried, deleted, forgotten."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import grpc.aio
import pytest

from ingest.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from ingest_client import Client, ErrorReason, Input, JobFilter, JobSpec, JobState, RetryPolicy, custom, echo, errors
from tests.acceptance.server.conftest import StartServer, let_go
from tests.acceptance.server.server_process import ServerProcess

ECHO = job_pb2.Task(custom=job_pb2.CustomTask(handler="echo"))


async def test_repeated_request_has_one_effect_also_after_a_restart(start_server: StartServer) -> None:
    server = start_server()
    request = job_service_pb2.SubmitJobsRequest(
        request_id=str(uuid.uuid4()), jobs=[job_pb2.JobSpec(tasks=[ECHO]), job_pb2.JobSpec(tasks=[ECHO], queue="nowhere")]
    )
    answers = []
    for restart in (False, False, True, False):
        if restart:
            assert await asyncio.to_thread(server.stop) == 0
            await asyncio.to_thread(server.start)
        async with grpc.aio.insecure_channel(server.address) as channel:
            answers.append(await job_service_pb2_grpc.JobServiceStub(channel).SubmitJobs(request))
    assert all(answer == answers[0] for answer in answers)
    async with Client(server.address) as client:
        assert (await client.count()).total == 1
    async with grpc.aio.insecure_channel(server.address) as channel:
        request.jobs[0].priority = 1
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await job_service_pb2_grpc.JobServiceStub(channel).SubmitJobs(request)
        assert failed.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_items_are_refused_one_by_one_or_all(client: Client) -> None:
    specs = [
        JobSpec(b"a", echo()),
        JobSpec(b"b", echo(), queue="nowhere"),
        JobSpec(b"c", custom("nobody")),
        JobSpec(b"d", custom("shape", width_pixels="wide")),
        JobSpec(b"e", echo(), priority=10),
        JobSpec(b"f", echo()),
    ]
    batch = await client.submit(specs)
    found = dict(batch.refused)
    assert [found[index].reason for index in sorted(found)] == [
        ErrorReason.QUEUE_NOT_FOUND,
        ErrorReason.UNKNOWN_HANDLER,
        ErrorReason.INVALID_FIELD,
        ErrorReason.INVALID_FIELD,
    ]
    assert "options" in found[3].violations[0].path
    assert "width_pixels" in found[3].violations[0].path + found[3].violations[0].description
    assert found[4].violations[0].path == "jobs[4].priority"
    assert "10" in found[4].violations[0].description
    assert all(result.succeeded for result in await client.wait(batch))
    before = (await client.count()).total
    with pytest.raises(errors.Conflict) as refused:
        await client.submit(specs, all_or_nothing=True)
    assert refused.value.reason is ErrorReason.BATCH_REFUSED
    assert {violation.path.split("]")[0] for violation in refused.value.violations} == {"jobs[2", "jobs[3", "jobs[4"}
    assert (await client.count()).total == before


async def test_client_chosen_ids_and_dedupe_keys(client: Client) -> None:
    job_id = str(uuid.uuid4())
    first = await client.submit_one(JobSpec(b"1", echo(), job_id=job_id))
    assert (first.job_id, first.created) == (job_id, True)
    with pytest.raises(errors.Conflict) as taken:
        await client.submit_one(JobSpec(b"2", echo(), job_id=job_id))
    assert taken.value.reason is ErrorReason.JOB_ID_EXISTS
    again = await client.submit_one(JobSpec(b"3", echo(), job_id=job_id, use_existing=True))
    assert (again.job_id, again.created) == (job_id, False)
    assert await (await again.result()).read() == b"1"
    spec = JobSpec(b"x", echo(), dedupe_key="one", dedupe_window_seconds=600)
    batch = await client.submit([spec, spec])
    assert [result.created for result in batch.results] == [True, False]
    assert len(set(batch.job_ids)) == 1


async def test_delayed_start_and_total_timeout(client: Client) -> None:
    batch = await client.submit(
        [JobSpec(b"x", echo(), start_delay_seconds=0.4), JobSpec(b"x", echo(), start_delay_seconds=60, total_timeout_seconds=0.3)]
    )
    assert (await client.get(batch.job_ids[0])).state is JobState.SCHEDULED
    started, expired = await client.wait(batch)
    job = await client.get(started.job_id)
    assert job.start_time is not None
    assert job.create_time is not None
    assert (job.start_time - job.create_time).total_seconds() >= 0.4
    assert expired.state is JobState.EXPIRED
    assert expired.error is not None
    assert expired.error.reason == "TOTAL_TIMEOUT"


async def test_priority_and_concurrency(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(workers=2)
    async with Client(server.address) as client:
        await client.queues.update("line", running_max=1, create=True)
        await client.queues.pause("line")
        order = tmp_path / "order"
        specs = [
            JobSpec(str(priority).encode(), custom("note", path=str(order)), queue="line", priority=priority)
            for priority in (3, 9, 0, 5, 7)
        ]
        batch = await client.submit(specs)
        assert (await client.count(JobFilter(queues=("line",)))).total == 5
        await client.queues.resume("line")
        await client.wait(batch)
        assert order.read_text().split() == ["9", "7", "5", "3", "0"]
        alone = JobSpec(tasks=custom("alone", path=str(tmp_path / "alone")), concurrency_key="k", retry_policy=RetryPolicy(1))
        assert all(result.succeeded for result in await client.wait(await client.submit([alone] * 100)))


async def test_retries_with_backoff_and_lineage(client: Client) -> None:
    result = await client.run(JobSpec(tasks=custom("flaky", times=2)))
    assert await result.json() == 3
    job = await client.get(result.job_id, full=True)
    assert [(each.attempt, each.outcome.reason if each.outcome else "") for each in job.attempts] == [
        (1, "HANDLER_ERROR"),
        (2, "HANDLER_ERROR"),
        (3, ""),
    ]
    final = RetryPolicy(max_attempts=5, non_retryable_reasons=("ConnectionError",))
    failed = await client.run(JobSpec(tasks=custom("flaky", times=2), retry_policy=final))
    assert failed.state is JobState.FAILED
    assert (await client.get(failed.job_id)).attempt == 1
    done, not_failed, unknown = await client.retry([failed.job_id, result.job_id, str(uuid.uuid4())])
    assert (await client.get(done.new_job_id)).retried_from == failed.job_id
    assert not_failed.error is not None
    assert not_failed.error.reason is ErrorReason.JOB_NOT_RETRYABLE
    assert unknown.error is not None
    assert unknown.error.reason is ErrorReason.JOB_NOT_FOUND
    assert (await client.get(failed.job_id)).state is JobState.FAILED


async def test_delete_and_retention(client: Client) -> None:
    ended = await client.run(JobSpec(b"x", echo()))
    brief = await client.run(JobSpec(b"x", echo(), result_ttl_seconds=1))
    waiting = await client.submit_one(JobSpec(b"x", echo(), start_delay_seconds=600))
    gone, live = await client.delete([ended.job_id, waiting.job_id])
    assert gone.error is None
    assert live.error is not None
    assert live.error.reason is ErrorReason.JOB_NOT_TERMINAL
    (cancelled,) = await client.cancel([waiting.job_id])
    assert cancelled.state is JobState.CANCELLED
    async with asyncio.timeout(10):
        while (await client.result(brief.job_id)).state is not JobState.UNSPECIFIED:
            pass
    for job_id in (ended.job_id, brief.job_id):
        with pytest.raises(errors.NotFound) as lost:
            await client.get(job_id)
        assert lost.value.reason is ErrorReason.JOB_NOT_FOUND
        result = await client.result(job_id)
        assert result.error is not None
        assert result.error.reason == "JOB_NOT_FOUND"


async def test_count_list_and_watch_on_without_a_gap(client: Client) -> None:
    label = {"run": uuid.uuid4().hex}
    wanted = JobFilter(labels=label)
    specs = [JobSpec(b"x", echo(), labels={**label, "colour": "red" if index % 3 else "blue"}) for index in range(30)]
    batch = await client.submit(specs)
    await client.wait(batch)
    counts = await client.count(wanted, by=("state", "label"), label_key="colour")
    assert (counts.total, [(group.count, group.label_value) for group in counts.groups]) == (30, [(20, "red"), (10, "blue")])
    listing = client.list(wanted, page_size=7)
    assert [job.job_id async for job in listing] == list(reversed(batch.job_ids))
    later = await client.submit(specs[:5])
    ended: list[str] = []
    async with client.watch(wanted, resume_token=listing.watch_token) as watch:
        async for event in watch:
            assert event.job_id in later.job_ids
            assert not event.snapshot
            if event.state.terminal:
                ended.append(event.job_id)
            if len(ended) == 5:
                break
    assert sorted(ended) == sorted(later.job_ids)


async def test_fetch_waits_for_all_or_any_and_pages_by_bytes(client: Client, server: ServerProcess, fifo: Path) -> None:
    held = await client.submit_one(JobSpec(str(fifo).encode(), custom("wait")))
    quick = await client.submit_one(JobSpec(b"x", echo(), start_delay_seconds=0.2))
    unknown = str(uuid.uuid4())
    async with grpc.aio.insecure_channel(server.address) as channel:
        jobs = job_service_pb2_grpc.JobServiceStub(channel)
        request = job_service_pb2.FetchResultsRequest(job_ids=[held.job_id, quick.job_id])
        request.wait_timeout.FromMilliseconds(20_000)
        request.wait_for = job_service_pb2.WAIT_FOR_ANY
        any_ended = await jobs.FetchResults(request)
        assert [each.state for each in any_ended.results] == [job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_SUCCEEDED]
        request.wait_for = job_service_pb2.WAIT_FOR_ALL
        request.job_ids.extend([unknown, "no-uuid"])
        waiting = asyncio.ensure_future(jobs.FetchResults(request))
        await let_go(fifo)
        answer = await waiting
        assert [each.job_id for each in answer.results] == [held.job_id, quick.job_id, unknown, "no-uuid"]
        assert [each.error.code for each in answer.results] == [0, 0, 5, 3]
    large = await client.submit([JobSpec(tasks=custom("size", value=200_000))] * 40)
    results = [result async for result in client.fetch(large)] if await client.wait(large) else []
    assert [result.job_id for result in results] == list(large.job_ids)
    assert {len(await result.read()) for result in results} == {200_000}


async def test_large_outputs_are_blobs(client: Client) -> None:
    for name in ("size", "file"):
        result = await client.run(JobSpec(tasks=custom(name, value=3 << 20)))
        assert result.output is not None
        assert result.output.blob is not None
        assert len(await result.read()) == 3 << 20


async def test_run_whose_wait_ends_first(client: Client, server: ServerProcess, fifo: Path) -> None:
    request = job_service_pb2.RunJobRequest(job=job_pb2.JobSpec(tasks=[job_pb2.Task(custom=job_pb2.CustomTask(handler="wait"))]))
    request.job.input.data = str(fifo).encode()
    request.wait_timeout.FromMilliseconds(300)
    async with grpc.aio.insecure_channel(server.address) as channel:
        job = (await job_service_pb2_grpc.JobServiceStub(channel).RunJob(request)).job
    assert job.state == job_pb2.JOB_STATE_RUNNING
    await let_go(fifo)
    (result,) = await client.wait([job.job_id])
    assert result.succeeded


async def test_queues_purge_and_refuse(client: Client) -> None:
    with pytest.raises(errors.NotFound) as unknown:
        await client.queues.update("no-such-queue", weight=2)
    assert unknown.value.reason is ErrorReason.QUEUE_NOT_FOUND
    await client.queues.update("brief", weight=3, create=True)
    await client.queues.pause("brief")
    batch = await client.submit([JobSpec(b"x", echo(), queue="brief")] * 7)
    assert await client.queues.purge("brief") == 7
    results = await client.wait(batch)
    assert {(result.state, result.error.reason if result.error else "") for result in results} == {
        (JobState.CANCELLED, "QUEUE_PURGED")
    }
    queue = next(each for each in await client.queues.list() if each.name == "brief")
    assert (queue.weight, queue.paused, queue.queued_count) == (3, True, 0)


async def test_steps_and_handler_context(client: Client) -> None:
    given = Input(media_type="text/plain", name="a.txt", metadata={"k": "v"}, data=b"straight")
    chained = await client.run(JobSpec(given, (custom("upper"), echo())))
    assert await chained.read() == b"STRAIGHT"
    seen = await (await client.run(JobSpec(given, custom("describe")))).json()
    assert seen["same"] is True
    assert (seen["media_type"], seen["name"], seen["metadata"], seen["grpc"]) == ("text/plain", "a.txt", {"k": "v"}, [])
    shared = [await (await client.run(JobSpec(tasks=custom("shared")))).json() for _ in range(4)]
    assert {each["sum"] for each in shared} == {8 * 1024 * 1024}


async def test_async_handlers_run_side_by_side(client: Client, tmp_path: Path) -> None:
    batch = await client.submit([JobSpec(tasks=custom("await-noop"))] * 200)
    assert [await result.text() for result in await client.wait(batch)] == list(batch.job_ids)


async def test_progress_is_told_to_watchers(client: Client, fifo: Path) -> None:
    handle = await client.submit_one(JobSpec(str(fifo).encode(), custom("wait")))
    async with client.watch([handle.job_id]) as watch:
        async for event in watch:
            if event.progress is not None:
                assert (event.state, event.progress.completed_units) == (JobState.RUNNING, 1)
                break
    await let_go(fifo)
    await handle.result()
    result = await client.run(JobSpec(tasks=custom("report")))
    progress = (await client.get(result.job_id)).progress
    assert progress is not None
    assert (progress.completed_units, progress.total_units, progress.unit) == (10_000, 10_000, "page")
    assert progress.message == "page 10000"


async def test_options_schema_is_told(client: Client) -> None:
    shape = next(each for each in (await client.info()).handlers if each.name == "shape")
    assert shape.media_types == ("image/png",)
    assert shape.options_schema["required"] == ["width_pixels"]
    assert shape.options_schema["properties"]["mode"]["enum"] == ["fill", "fit"]
    result = await client.run(JobSpec(tasks=custom("shape", width_pixels=3, mode="fill", names=["a"])))
    assert await result.json() == {"width_pixels": 3, "mode": "fill", "names": ["a"]}
