"""Results: paging, waiting, downloads that break or are damaged, and ends in the order they come."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ingest.v1 import document_pb2, job_pb2
from ingest_client import Client, JobResult, JobSpec, JobState, Output, errors
from ingest_client.document import DOCUMENT_MEDIA_TYPE
from ingest_client.errors import JobError, JobFailed
from ingest_client.rendering import plain_text
from tests.fakes.job_service import FakeServer, status_of

LARGE = bytes(range(256)) * 40


async def test_fetch_walks_windows_and_pages_in_order(server: FakeServer, client: Client) -> None:
    """25 ids in windows of 10 and pages of 4; unknown and unfinished ones are answers."""
    batch = await client.submit([str(n).encode() for n in range(24)])
    server.auto_finish = False
    unfinished = (await client.submit([b"later"])).job_ids[0]
    ids = [*batch.job_ids, unfinished, "00000000-0000-0000-0000-000000000000"]
    results = [result async for result in client.fetch(ids, page_size=4)]
    assert [result.job_id for result in results] == ids
    assert [await result.read() for result in results[:24]] == [str(n).encode() for n in range(24)]
    assert results[24].state is JobState.QUEUED
    with pytest.raises(ValueError, match="has not ended"):
        await results[24].read()
    with pytest.raises(JobFailed, match="no job"):
        results[25].raise_for_state()


async def test_fetch_of_nothing_asks_nothing(server: FakeServer, client: Client) -> None:
    """No ids is not "all"."""
    assert [result async for result in client.fetch([])] == []
    assert await client.wait([]) == ()
    assert [result async for result in client.as_completed([])] == []
    assert server.calls["FetchResults"] + server.calls["WatchJobs"] == 0


async def test_wait_returns_when_the_last_has_ended(server: FakeServer, client: Client) -> None:
    """In the order of the items."""
    server.auto_finish = False
    batch = await client.submit([b"a", b"b"])
    waiting = asyncio.create_task(client.wait(batch))
    await server.until(lambda: server.calls["FetchResults"] == 1)
    await server.change(batch.job_ids[1], job_pb2.JOB_STATE_SUCCEEDED, b"B")
    assert not waiting.done()
    await server.change(batch.job_ids[0], job_pb2.JOB_STATE_FAILED, error=status_of(2, "HANDLER_ERROR", "boom"))
    first, second = await waiting
    assert (first.state, await second.read()) == (JobState.FAILED, b"B")


async def test_wait_gives_up_in_time(server: FakeServer, client: Client) -> None:
    """And cancels nothing."""
    server.auto_finish = False
    batch = await client.submit([b"a"])
    with pytest.raises(errors.DeadlineExceeded, match="1 of 1"):
        await client.wait(batch, timeout_seconds=0.01)
    assert server.calls["CancelJobs"] == 0


@pytest.mark.parametrize("cut", [None, 1, 2])
async def test_as_completed_tells_each_end_once(server: FakeServer, client: Client, cut: int | None) -> None:
    """Over several streams, cut or not; 25 ids are three windows."""
    server.auto_finish = False
    ids = (await client.submit([b"x"] * 25)).job_ids
    server.faults.cut_watch_after = cut
    ended: list[str] = []

    async def collect() -> None:
        async for result in client.as_completed(ids):
            ended.append(result.job_id)

    collector = asyncio.create_task(collect())
    await server.until(lambda: server.calls["WatchJobs"] >= 3)
    for job_id in reversed(ids):
        await server.change(job_id, job_pb2.JOB_STATE_SUCCEEDED)
    await collector
    assert sorted(ended) == sorted(ids)


async def test_as_completed_raises_for_an_unknown_job(server: FakeServer, client: Client) -> None:
    """Also from the third of several streams."""
    ids = (await client.submit([b"x"] * 20)).job_ids
    with pytest.raises(errors.NotFound):
        async for _ in client.as_completed([*ids, "00000000-0000-0000-0000-000000000000"]):
            pass


async def test_joined_batch_is_followed_by_its_own_jobs(server: FakeServer, client: Client) -> None:
    """A batch that others joined must not keep us waiting for theirs."""
    name = "22222222-2222-4222-8222-222222222222"
    server.auto_finish = False
    await client.submit([b"theirs"], batch_id=name)
    server.auto_finish = True
    ours = await client.submit([b"ours"], batch_id=name)
    assert [result.job_id async for result in client.as_completed(ours)] == list(ours.job_ids)


async def test_broken_download_goes_on_at_its_offset(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """In memory and into a file."""
    result = await client.run(LARGE)
    server.blobs.break_download_after_pieces = 3
    assert await result.read() == LARGE
    server.blobs.break_download_after_pieces = 5
    path = await result.save(tmp_path / "new" / "out.bin")
    assert path.read_bytes() == LARGE
    offsets = [r.offset_bytes for r in server.requests if type(r).__name__ == "DownloadBlobRequest"]
    assert offsets == [0, 3000, 0, 5000]


async def test_damaged_download_leaves_no_file(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """Digest mismatch: the old content stays, no piece lies about."""
    result = await client.run(LARGE)
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    server.blobs.alter_download = True
    with pytest.raises(errors.BlobCorrupt, match="digest"):
        await result.save(target)
    assert os.listdir(tmp_path) == ["out.bin"]
    assert target.read_bytes() == b"old"


async def test_blob_that_is_gone_is_not_found(server: FakeServer, client: Client) -> None:
    """After its retention."""
    result = await client.run(LARGE)
    server.blobs.complete.clear()
    with pytest.raises(errors.NotFound):
        await result.read()


def test_failed_result_raises_its_own_status() -> None:
    """What the job said, and which job."""
    result = JobResult("j", JobState.EXPIRED, None, JobError(4, "TOTAL_TIMEOUT", "too late", {"limit": "1s"}))
    with pytest.raises(JobFailed) as caught:
        result.raise_for_state()
    assert (caught.value.job_id, caught.value.state, caught.value.reason_name) == ("j", JobState.EXPIRED, "TOTAL_TIMEOUT")


async def test_output_is_read_as_what_it_is() -> None:
    """Document, JSON, text; and refused as what it is not."""
    document = document_pb2.Document(title="t")
    document.elements.add().text.text = "Hello"
    table = document.elements.add().table
    table.cells.add(row=0, column=0, text="a", row_span=1, column_span=2)
    table.cells.add(row=1, column=1, text="b\nc")
    document.elements.add().image.alt_text = "a cat"

    def output(media_type: str, data: bytes) -> JobResult:
        return JobResult("j", JobState.SUCCEEDED, Output(media_type, "", {}, data, None))

    made = output(DOCUMENT_MEDIA_TYPE, document.SerializeToString())
    assert (await made.document()).title == "t"
    assert await made.text() == plain_text(document) == "Hello\n\na\n\tb c\n\na cat"
    assert await made.markdown() == "Hello\n\n|  |  |\n| --- | --- |\n| a |  |\n|  | b<br>c |\n\n[image: a cat]"
    assert "<p>Hello</p>" in await made.html()
    assert (await made.json())["title"] == "t"
    with pytest.raises(ValueError, match="docx"):
        await made.render("docx")
    with pytest.raises(ValueError, match="text/plain"):
        await output("text/plain", b"x").markdown()
    assert await output("application/json", b'{"a": 1}').json() == {"a": 1}
    with pytest.raises(ValueError, match="text/plain"):
        await output("text/plain", b"x").document()
    with pytest.raises(ValueError, match="decode"):
        await output("text/plain", b"\xff").text()


async def test_steering_answers_item_by_item(server: FakeServer, client: Client) -> None:
    """Cancel, retry, delete over more ids than one call may name."""
    server.auto_finish = False
    ids = (await client.submit([b"x"] * 12)).job_ids
    answers = await client.cancel([*ids, "unknown"], reason="enough")
    assert [answer.job_id for answer in answers] == [*ids, "unknown"]
    assert [type(answer.error) for answer in answers[11:]] == [type(None), errors.NotFound]
    retried = await client.retry(ids)
    assert all(server.jobs[answer.new_job_id].state == job_pb2.JOB_STATE_QUEUED for answer in retried)
    assert all(answer.error is None for answer in await client.delete(ids))
    keys = [r.request_id for r in server.requests if type(r).__name__ == "RetryJobsRequest"]
    assert len(set(keys)) == 2
    assert all(keys)


async def test_list_goes_over_into_a_watch_without_a_gap(server: FakeServer, client: Client) -> None:
    """What happens while one pages is told by the watch."""
    server.auto_finish = False
    ids = (await client.submit([b"x"] * 6)).job_ids
    listing = client.list(page_size=2)
    assert listing.watch_token == ""
    assert (await anext(listing)).state is JobState.QUEUED
    await server.change(ids[0], job_pb2.JOB_STATE_SUCCEEDED)
    assert len([job async for job in listing]) == 5
    async with client.watch(resume_token=listing.watch_token) as watch:
        event = await anext(watch)
    assert (event.job_id, event.state, event.snapshot) == (ids[0], JobState.SUCCEEDED, False)


async def test_looking_around(server: FakeServer, client: Client) -> None:
    """Get, list over pages, count, info, stats, queues."""
    batch = await client.submit([JobSpec(b"x", labels={"a": "b"})] * 23)
    job = await client.get(batch.job_ids[0])
    assert (job.state, dict(job.labels)) == (JobState.SUCCEEDED, {"a": "b"})
    assert [job.job_id async for job in client.list(page_size=5)] == list(reversed(batch.job_ids))
    counts = await client.count(by=["state"])
    assert (counts.total, counts.groups[0].state, counts.groups[0].count) == (23, JobState.SUCCEEDED, 23)
    assert (await client.info()).handlers[0].name == "echo"
    assert (await client.stats()).ended_counts == {"SUCCEEDED": 7}
    assert (await client.queues.pause("default")).paused
    assert (await client.queues.update("default", running_max=3)).running_max == 3
    assert [queue.running_max for queue in await client.queues.list()] == [3]
    with pytest.raises(errors.NotFound):
        await client.get("unknown")
