"""Submit: what is refused, repeated, cut, uploaded; and that memory stays bounded."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import job_pb2
from ingest_client import Blob, Client, Input, JobSpec, echo, errors, extract
from ingest_client._submit import Chunker
from tests.fakes.job_service import FakeServer, status_of


async def test_refused_item_hinders_no_other(server: FakeServer, client: Client) -> None:
    """Its error stands at its place."""
    batch = await client.submit([JobSpec(b"a"), JobSpec(b"b", queue="nowhere"), JobSpec(b"c")])
    assert [result.error is None for result in batch.results] == [True, False, True]
    ((index, error),) = batch.refused
    assert (index, type(error), error.metadata) == (1, errors.NotFound, {"queue": "nowhere"})
    assert len(batch.job_ids) == 2
    with pytest.raises(errors.NotFound):
        batch.raise_for_refused()


async def test_file_that_is_missing_is_refused_at_its_place(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """Nobody else suffers, and the path is named."""
    good = tmp_path / "good.txt"
    good.write_text("hello")
    batch = await client.submit([tmp_path / "missing.pdf", good, tmp_path])
    assert [type(result.error) for result in batch.results] == [errors.InputUnreadable, type(None), errors.InputUnreadable]
    assert "missing.pdf" in str(batch.results[0].error)
    spec = server.specs[batch.job_ids[0]]
    assert (spec.input.data, spec.input.name, spec.input.media_type) == (b"hello", "good.txt", "text/plain")


async def test_lost_answer_creates_no_second_job(server: FakeServer, client: Client) -> None:
    """The repeat carries the same request_id and gets the first answer."""
    server.faults.lose_answers["SubmitJobs"] = 1
    batch = await client.submit([JobSpec(b"once")])
    assert server.calls["SubmitJobs"] == 2
    assert list(server.jobs) == list(batch.job_ids)


async def test_error_in_the_middle_tells_what_was_accepted(server: FakeServer, client: Client) -> None:
    """So that the rest can be submitted later."""
    async with Client(channel=client._settings, submit_calls_max=1) as one_by_one:
        jobs = [JobSpec(b"x") for _ in range(15)]
        await one_by_one.info()
        server.faults.calls["SubmitJobs"].append(status_of(14, "SHUTTING_DOWN"))

        async def refuse_the_second() -> AsyncIterator[JobSpec]:
            for index, job in enumerate(jobs):
                if index == 12:
                    await server.until(lambda: len(server.jobs) == 10)
                    server.faults.calls["SubmitJobs"].append(status_of(16, "UNAUTHENTICATED", "token expired"))
                yield job

        with pytest.raises(errors.Denied) as caught:
            await one_by_one.submit(refuse_the_second())
    assert caught.value.accepted is not None
    assert caught.value.accepted.job_ids == tuple(server.jobs)
    assert len(server.jobs) == 10


async def test_jobs_are_cut_by_count_and_share_a_batch(server: FakeServer, client: Client) -> None:
    """10 a call is the fake's limit; order of results is order of items."""
    batch = await client.submit(str(n).encode() for n in range(25))
    assert sorted(server.submit_sizes) == [5, 10, 10]
    assert {job.batch_id for job in server.jobs.values()} == {batch.batch_id}
    assert [server.specs[job_id].input.data for job_id in batch.job_ids] == [str(n).encode() for n in range(25)]


async def test_jobs_are_cut_by_bytes(server: FakeServer, client: Client) -> None:
    """No request exceeds the server's message limit."""
    server.info.limits.submit_items_max = 1000
    server.info.limits.inline_bytes_max = 30_000
    await client.submit([bytes(25_000)] * 5)
    assert sum(server.submit_sizes) == 5
    sizes = [r.ByteSize() for r in server.requests if type(r).__name__ == "SubmitJobsRequest"]
    assert max(sizes) <= server.info.limits.message_bytes_max


async def test_huge_iterable_is_drawn_only_as_calls_return(server: FakeServer, client: Client) -> None:
    """Held back at the gate, the client takes the window and no more."""
    server.gate = asyncio.Event()
    drawn = 0

    def endless() -> Iterator[bytes]:
        nonlocal drawn
        while True:
            drawn += 1
            yield b"x"

    stream = client.submit_stream(endless())
    first = asyncio.ensure_future(anext(stream))
    await server.until(lambda: server.calls["SubmitJobs"] == 4)
    for _ in range(100):
        await asyncio.sleep(0)
    assert drawn <= 4 * 10 + 11  # four calls of ten, one chunk waiting, one item beyond it
    server.gate.set()
    assert (await first).created
    await stream.aclose()


async def test_all_or_nothing_must_fit_one_call(server: FakeServer, client: Client) -> None:
    """Refused before anything is sent."""
    with pytest.raises(errors.InvalidRequest, match="all_or_nothing"):
        await client.submit([b"x"] * 11, all_or_nothing=True)
    assert server.calls["SubmitJobs"] == 0
    assert len((await client.submit([b"x"] * 10, all_or_nothing=True)).job_ids) == 10


async def test_large_inputs_go_as_blobs_once(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """From a file and from memory; equal bytes are uploaded once."""
    data = bytes(range(256)) * 100
    path = tmp_path / "large.bin"
    path.write_bytes(data)
    batch = await client.submit([path, data, JobSpec(data, tasks=echo()), b"small"])
    batch.raise_for_refused()
    assert server.calls["UploadBlob"] == 1
    assert [server.input_of(job_id) for job_id in batch.job_ids] == [data, data, data, b"small"]
    assert server.specs[batch.job_ids[0]].input.name == "large.bin"
    await client.submit([path])
    assert server.calls["UploadBlob"] == 1


async def test_plain_messages_are_taken_and_large_ones_split(server: FakeServer, client: Client) -> None:
    """A proto JobSpec goes as it is; its bytes become a blob where they are too many."""
    small = job_pb2.JobSpec(tasks=[extract().to_proto()], input=job_pb2.Payload(data=b"x", name="n"))
    large = job_pb2.JobSpec(tasks=[extract().to_proto()], input=job_pb2.Payload(data=bytes(9000), name="big"))
    batch = await client.submit([small, large])
    assert server.specs[batch.job_ids[0]] == small
    sent = server.specs[batch.job_ids[1]]
    assert (sent.input.name, sent.input.blob.size_bytes) == ("big", 9000)
    assert large.input.data == bytes(9000), "the caller's message is left alone"


async def test_upload_goes_on_where_it_broke(server: FakeServer, client: Client) -> None:
    """No byte is sent twice that arrived."""
    data = bytes(3 * 512 * 1024 + 7)
    server.blobs.break_after_pieces = 2
    batch = await client.submit([data])
    assert server.input_of(batch.job_ids[0]) == data
    assert server.blobs.received_bytes == len(data)
    assert server.calls["UploadBlob"] == 2


async def test_damaged_upload_is_sent_again_once(server: FakeServer, client: Client) -> None:
    """DATA_LOSS with bytes that did not change here."""
    server.blobs.alter_upload = True
    data = bytes(9000)
    batch = await client.submit([data])
    assert server.input_of(batch.job_ids[0]) == data


async def test_file_that_changes_while_it_is_sent_is_refused(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """Neither version is submitted under the digest of the other."""
    path = tmp_path / "log.txt"
    path.write_bytes(b"a" * 9000)
    blob = Blob(hashlib.sha256(b"b" * 9000).hexdigest(), 9000)
    with pytest.raises(errors.InputUnreadable, match="changed while"):
        await client.blobs.upload(path, blob)


async def test_empty_iterable_makes_no_call(server: FakeServer, client: Client) -> None:
    """And no batch on the server."""
    assert (await client.submit([])).results == ()
    assert server.calls["SubmitJobs"] == 0


async def test_one_job_alone_is_one_job(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """Bytes and text are iterable, but nobody means their letters."""
    path = tmp_path / "a.txt"
    path.write_text("a")
    assert len((await client.submit(b"abc")).job_ids) == 1
    assert len((await client.submit(str(path))).job_ids) == 1
    assert len((await client.submit(Input.text("abc"))).job_ids) == 1


async def test_what_is_no_job_is_a_type_error(client: Client) -> None:
    """A mistake in the program, not a refused item."""
    with pytest.raises(TypeError, match="not int"):
        await client.submit([1])  # type: ignore[list-item]


def test_spec_refuses_contradictions() -> None:
    """Two starts, two sources, a time without a zone."""
    from datetime import UTC, datetime

    with pytest.raises(ValueError, match="not both"):
        JobSpec(start_time=datetime.now(UTC), start_delay_seconds=1)
    with pytest.raises(ValueError, match="time zone"):
        JobSpec(start_time=datetime(2030, 1, 1))
    with pytest.raises(ValueError, match="one source"):
        Input(data=b"", uri="https://example.org")


async def test_kept_encoding_is_never_another_job(server: FakeServer, client: Client) -> None:
    """A spec that is run again is not encoded again; its copies for other inputs and policies are."""
    spec = JobSpec(b"1", labels={"a": "b"})
    ids = [(await client.run(job)).job_id for job in (spec, spec, spec.with_input(b"2"), dataclasses.replace(spec, priority=9))]
    assert spec.item is not None
    sent = [server.specs[job_id] for job_id in ids]
    assert [(each.input.data, each.priority) for each in sent] == [(b"1", 0), (b"1", 0), (b"2", 0), (b"1", 9)]
    assert all(dict(each.labels) == {"a": "b"} for each in sent)


async def test_spec_arrives_as_written(server: FakeServer, client: Client) -> None:
    """Encoded by hand here, parsed by protobuf there; with_input shares everything but the input."""
    spec = JobSpec(Input(media_type="a/b", name="n" * 200, metadata={"k": "v"}, data=b"1" * 200), priority=0, labels={"l": "m"})
    batch = await client.submit([spec, spec.with_input(b"2"), JobSpec()])
    first, second, third = (server.specs[job_id] for job_id in batch.job_ids)
    assert first == spec.to_proto()
    assert second == JobSpec(b"2", priority=0, labels={"l": "m"}).to_proto()
    assert third.tasks[0].WhichOneof("kind") == "extract"


async def test_jobs_do_not_wait_for_the_uploads_of_later_ones(client: Client, tmp_path: Path) -> None:
    """A call ends before the upload that would be too much; small inputs join any call."""
    limits = dataclasses.replace((await client.info()).limits, inline_bytes_max=1_000)
    chunker = Chunker(limits, upload_bytes_max=10_000)
    chunks = []
    for number, size in enumerate([500, 9_000, 600, 2_000, 50_000, 700]):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(bytes(size))
        if full := chunker.add(path):
            chunks.append(len(full))
    chunks.append(len(chunker.rest()))
    assert chunks == [3, 1, 2]


async def test_a_reference_is_sent_and_nothing_is_read(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """A `str` that is a URI, an `Input`, and a spec; a path stays a path."""
    (tmp_path / "a.txt").write_text("hello")
    uri = "https://files.example/" + "a" * 2_000
    jobs: list[Any] = [uri, Input(uri="file:///srv/in/a.pdf", name="b.pdf"), JobSpec("s3://scans/in/a"), str(tmp_path / "a.txt")]
    batch = await client.submit(jobs)
    sent = [server.specs[job_id].input for job_id in batch.job_ids]
    assert [each.uri for each in sent] == [uri, "file:///srv/in/a.pdf", "s3://scans/in/a", ""]
    assert [each.name for each in sent] == ["", "b.pdf", "", "a.txt"]
    assert sent[3].data == b"hello"
