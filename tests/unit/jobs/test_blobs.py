"""Blobs: who sees which, and uploads that go wrong."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest_server.domain.caller import Caller
from ingest_server.domain.errors import Exhausted, IngestError, InvalidRequest, NotFound, Reason
from ingest_server.jobs.blobs import BlobLimits, Blobs, UploadChunk
from ingest_server.store.blobs.files import FileBlobStore
from ingest_server.store.memory import MemoryStore
from ingest_server.store.records import SubmitBatch
from tests.fakes.clock import FakeClock
from tests.fakes.scheduler_rig import POLICY, TENANT

ME, OTHER = Caller(TENANT), Caller("other")
DATA = b"0123456789" * 100
DIGEST = hashlib.sha256(DATA).digest()
LIMITS = BlobLimits(blob_bytes_max=10_000, uploads_max=2, ttl_seconds=3_600.0, idle_seconds=60.0)


class Rig:
    """The use cases over a folder and a store in memory."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.files = FileBlobStore(folder)
        self.store = MemoryStore(ageing_us=1)
        self.blobs = Blobs(self.files, self.store, self.clock, LIMITS)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A fresh one."""
    rig = Rig(tmp_path)
    await rig.store.open(rig.clock.now_us())
    yield rig
    await rig.store.close()
    rig.files.close()


async def pieces(*chunks: UploadChunk) -> AsyncIterator[UploadChunk]:
    """An upload."""
    for chunk in chunks:
        yield chunk


def whole(data: bytes = DATA) -> UploadChunk:
    """All of it in one piece."""
    return UploadChunk(hashlib.sha256(data).digest(), 0, data, True)


async def test_what_one_tenant_uploaded_does_not_exist_for_another(rig: Rig) -> None:
    await rig.blobs.upload(ME, pieces(whole()))
    assert await rig.blobs.find(ME, [DIGEST]) == [True]
    assert await rig.blobs.find_missing(OTHER, [DIGEST]) == [True]
    with pytest.raises(NotFound):
        await rig.blobs.stat(OTHER, DIGEST)
    with pytest.raises(NotFound):
        await rig.blobs.download(OTHER, DIGEST, 0, 0)


async def test_a_blob_that_only_a_job_refers_to_is_seen_by_its_tenant(rig: Rig) -> None:
    digest = await rig.files.put("somebody", DATA)
    batch = SubmitBatch(TENANT, b"", b"", b"", False, [POLICY], [(0, b"", b"b" + digest, "", digest)])
    await rig.store.submit(batch, rig.clock.now_us())
    assert await rig.blobs.find(ME, [digest]) == [True]
    assert await rig.blobs.find(OTHER, [digest]) == [False]


async def test_a_broken_upload_goes_on_where_it_stopped(rig: Rig) -> None:
    with pytest.raises(InvalidRequest, match="400 bytes"):
        await rig.blobs.upload(ME, pieces(UploadChunk(DIGEST, 0, DATA[:400], False)))
    assert (await rig.blobs.stat(ME, DIGEST)).committed_bytes == 400
    with pytest.raises(IngestError) as caught:
        await rig.blobs.upload(ME, pieces(whole()))
    assert caught.value.reason == Reason.BLOB_OFFSET_MISMATCH
    assert caught.value.metadata == {"committed_bytes": "400"}
    rest = UploadChunk(DIGEST, 400, DATA[400:], True)
    assert await rig.blobs.upload(ME, pieces(rest)) == (DIGEST, len(DATA), True)


async def test_to_send_what_is_there_answers_at_once(rig: Rig) -> None:
    await rig.blobs.upload(ME, pieces(whole()))
    assert await rig.blobs.upload(ME, pieces(replace(whole(), data=b"", finish=False))) == (DIGEST, len(DATA), False)


async def test_a_blob_above_the_limit_is_refused_with_both_numbers(rig: Rig) -> None:
    with pytest.raises(InvalidRequest, match="10,000") as caught:
        await rig.blobs.upload(ME, pieces(whole(b"x" * 10_001)))
    assert caught.value.reason == Reason.TOO_LARGE


async def test_a_sender_that_falls_silent_is_given_up_and_nothing_that_came_is_lost(rig: Rig) -> None:
    silent: asyncio.Event = asyncio.Event()

    async def sender() -> AsyncIterator[UploadChunk]:
        yield UploadChunk(DIGEST, 0, DATA[:300], False)
        await silent.wait()
        yield UploadChunk(DIGEST, 300, DATA[300:], True)

    upload = asyncio.ensure_future(rig.blobs.upload(ME, sender()))
    await rig.clock.wait_for_sleepers(1)
    await rig.clock.advance(60.0)
    with pytest.raises(IngestError, match="300 bytes") as caught:
        await upload
    assert caught.value.reason == Reason.DEADLINE_EXCEEDED
    assert (await rig.blobs.stat(ME, DIGEST)).committed_bytes == 300


async def test_no_more_uploads_are_taken_than_allowed(rig: Rig) -> None:
    gate = asyncio.Event()

    async def slow(data: bytes) -> AsyncIterator[UploadChunk]:
        await gate.wait()
        yield whole(data)

    running = [asyncio.ensure_future(rig.blobs.upload(ME, slow(bytes([number])))) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Exhausted) as caught:
        await rig.blobs.upload(ME, pieces(whole()))
    assert caught.value.retry_after_seconds
    gate.set()
    await asyncio.gather(*running)
    assert (await rig.blobs.upload(ME, pieces(whole())))[2]


@pytest.mark.parametrize(
    ("offset", "limit", "expected"), [(0, 0, DATA), (995, 0, DATA[995:]), (10, 5, DATA[10:15]), (1_000, 0, b"")]
)
async def test_a_range_is_sent_as_asked(rig: Rig, offset: int, limit: int, expected: bytes) -> None:
    await rig.blobs.upload(ME, pieces(whole()))
    download = await rig.blobs.download(ME, DIGEST, offset, limit)
    assert download.size_bytes == len(DATA)
    received = [piece async for piece in download.pieces]
    assert b"".join(data for _, data in received) == expected


async def test_a_range_behind_the_end_is_refused_with_the_size(rig: Rig) -> None:
    await rig.blobs.upload(ME, pieces(whole()))
    with pytest.raises(IngestError) as caught:
        await rig.blobs.download(ME, DIGEST, 1_001, 0)
    assert caught.value.metadata == {"size_bytes": "1000"}
