"""The law of the blob store, on files."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ingest_server.domain.errors import Code, Conflict, Exhausted, IngestError, NotFound, Reason
from ingest_server.store.blobs.files import FileBlobStore

DATA = b"some bytes" * 1_000
DIGEST = hashlib.sha256(DATA).digest()
LONG_AGO_NS = 10**18
FAR_FUTURE_US = 10**16


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileBlobStore]:
    """A fresh store."""
    store = FileBlobStore(tmp_path)
    yield store
    store.close()


def age(directory: Path) -> None:
    """Make every file look old."""
    for path in directory.rglob("*"):
        if path.is_file():
            os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


async def nothing(digests: Sequence[bytes]) -> Sequence[bool]:
    """No job refers to anything."""
    return [False] * len(digests)


async def everything(digests: Sequence[bytes]) -> Sequence[bool]:
    """Jobs refer to all."""
    return [True] * len(digests)


async def sweep_all(store: FileBlobStore) -> int:
    """Sweep until the walk is over."""
    return sum([await store.sweep(LONG_AGO_NS // 1_000 + 1, nothing, 1_000) for _ in range(3)])


@pytest.mark.parametrize("data", [b"", b"x", DATA, b"\x00" * 3_000_000])
async def test_what_was_put_is_read_back(store: FileBlobStore, data: bytes) -> None:
    digest = await store.put("acme", data)
    assert digest == hashlib.sha256(data).digest()
    assert await store.read(digest, 0, len(data) + 1) == data
    info = await store.info("acme", digest)
    assert info is not None
    assert (info.size_bytes, info.committed_bytes, info.complete) == (len(data), len(data), True)


async def test_a_range_is_read_and_is_shorter_only_at_the_end(store: FileBlobStore) -> None:
    digest = await store.put("acme", b"0123456789")
    assert await store.read(digest, 3, 4) == b"3456"
    assert await store.read(digest, 8, 10) == b"89"
    assert await store.read(digest, 10, 1) == b""


async def test_an_unknown_blob_is_not_found(store: FileBlobStore) -> None:
    assert await store.info("acme", DIGEST) is None
    assert list(await store.there([DIGEST])) == [False]
    with pytest.raises(NotFound) as caught:
        await store.read(DIGEST, 0, 1)
    assert caught.value.reason is Reason.BLOB_NOT_FOUND


async def test_a_tenant_has_only_what_it_uploaded(store: FileBlobStore) -> None:
    digest = await store.put("acme", DATA)
    assert list(await store.uploaded_by("acme", [digest, bytes(32)])) == [True, False]
    assert list(await store.uploaded_by("other", [digest])) == [False]
    await store.claim("other", digest)
    assert list(await store.uploaded_by("other", [digest])) == [True]


@pytest.mark.parametrize("tenant", ["../../etc", "a/b", "ü" * 200, "\n", "."])
def test_no_name_of_a_tenant_can_be_a_path(tmp_path: Path, tenant: str) -> None:
    store = FileBlobStore(tmp_path / "outer" / "blobs")
    digest = asyncio.run(store.put(tenant, DATA))
    assert list(asyncio.run(store.uploaded_by(tenant, [digest]))) == [True]
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["outer"]
    assert [path.name for path in (tmp_path / "outer").iterdir()] == ["blobs"]
    (claim,) = [path for path in (tmp_path / "outer" / "blobs" / "claims").rglob("*") if path.is_file()]
    assert claim.name == digest.hex()


async def test_an_upload_becomes_visible_when_it_is_finished(store: FileBlobStore) -> None:
    async with await store.upload("acme", DIGEST) as upload:
        await upload.write(DATA[:4_000])
        await upload.write(DATA[4_000:])
        assert list(await store.there([DIGEST])) == [False]
        assert await upload.finish() == len(DATA)
    assert await store.read(DIGEST, 0, len(DATA)) == DATA


async def test_an_upload_goes_on_where_it_was_left_also_after_a_restart(store: FileBlobStore, tmp_path: Path) -> None:
    async with await store.upload("acme", DIGEST) as upload:
        await upload.write(DATA[:4_000])
    info = await store.info("acme", DIGEST)
    assert info is not None
    assert (info.size_bytes, info.committed_bytes, info.complete) == (0, 4_000, False)
    again = FileBlobStore(tmp_path)
    async with await again.upload("acme", DIGEST) as upload:
        assert upload.committed_bytes == 4_000
        await upload.write(DATA[4_000:])
        await upload.finish()
    assert await again.read(DIGEST, 0, len(DATA)) == DATA
    again.close()


async def test_bytes_of_another_digest_are_discarded(store: FileBlobStore) -> None:
    async with await store.upload("acme", DIGEST) as upload:
        await upload.write(b"wrong")
        with pytest.raises(IngestError) as caught:
            await upload.finish()
    assert (caught.value.reason, caught.value.code) == (Reason.BLOB_DIGEST_MISMATCH, Code.DATA_LOSS)
    assert await store.info("acme", DIGEST) is None
    async with await store.upload("acme", DIGEST) as upload:
        assert upload.committed_bytes == 0


async def test_a_second_upload_of_a_digest_is_busy_until_the_first_ends(store: FileBlobStore) -> None:
    async with await store.upload("acme", DIGEST) as upload:
        await upload.write(DATA)
        with pytest.raises(Conflict) as caught:
            await store.upload("acme", DIGEST)
        assert caught.value.reason is Reason.BLOB_UPLOAD_BUSY
    async with await store.upload("acme", DIGEST) as upload:
        assert upload.committed_bytes == len(DATA)


async def test_a_full_disk_refuses_and_leaves_nothing_behind(tmp_path: Path) -> None:
    store = FileBlobStore(tmp_path, free_bytes_min=1 << 60)
    with pytest.raises(Exhausted) as caught:
        await store.put("acme", DATA)
    assert caught.value.reason is Reason.STORAGE_FULL
    assert caught.value.retry_after_seconds is not None
    assert list(await store.there([DIGEST])) == [False]
    assert list(await store.uploaded_by("acme", [DIGEST])) == [False]
    store.close()


async def test_a_piece_of_which_only_a_part_fits_is_not_kept(store: FileBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) > 1_000:
            return real(descriptor, data[:1_000])
        raise OSError(errno.ENOSPC, "No space left on device")

    async with await store.upload("acme", DIGEST) as upload:
        await upload.write(DATA[:4_000])
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(Exhausted):
            await upload.write(DATA[4_000:6_000])
        monkeypatch.undo()
        assert upload.committed_bytes == 4_000
        await upload.write(DATA[4_000:])
        assert await upload.finish() == len(DATA)
    assert await store.read(DIGEST, 0, len(DATA)) == DATA


async def test_a_sweep_removes_what_is_old_unclaimed_and_unused(store: FileBlobStore, tmp_path: Path) -> None:
    await store.put("acme", DATA)
    async with await store.upload("acme", bytes(32)) as upload:
        await upload.write(b"unfinished")
    assert await sweep_all(store) == 0
    age(tmp_path)
    assert await sweep_all(store) == 1
    assert list(await store.there([DIGEST])) == [False]
    assert await store.info("acme", bytes(32)) is None


async def test_a_sweep_spares_what_a_job_refers_to(store: FileBlobStore, tmp_path: Path) -> None:
    await store.put("acme", DATA)
    age(tmp_path)
    assert await store.sweep(FAR_FUTURE_US, everything, 1_000) == 0
    assert list(await store.there([DIGEST])) == [True]


async def test_a_blob_that_was_asked_for_is_kept_for_its_full_time(store: FileBlobStore, tmp_path: Path) -> None:
    await store.put("acme", DATA)
    age(tmp_path)
    assert list(await store.uploaded_by("acme", [DIGEST])) == [True]
    assert await sweep_all(store) == 0
    assert list(await store.uploaded_by("acme", [DIGEST])) == [True]


async def test_a_blob_put_again_during_a_sweep_stays(store: FileBlobStore, tmp_path: Path) -> None:
    await store.put("acme", DATA)
    age(tmp_path)

    async def put_meanwhile(digests: Sequence[bytes]) -> Sequence[bool]:
        await store.put("acme", DATA)
        return [False] * len(digests)

    assert sum([await store.sweep(LONG_AGO_NS // 1_000 + 1, put_meanwhile, 1_000) for _ in range(2)]) == 0
    assert await store.read(DIGEST, 0, len(DATA)) == DATA


async def test_tenants_cannot_block_or_spoil_each_others_uploads(store: FileBlobStore) -> None:
    async with await store.upload("mallory", DIGEST) as spoiled:
        await spoiled.write(b"not what was announced")
        async with await store.upload("acme", DIGEST) as upload:
            assert upload.committed_bytes == 0
            await upload.write(DATA)
            assert await upload.finish() == len(DATA)
    assert await store.read(DIGEST, 0, len(DATA)) == DATA


async def test_a_blob_that_is_wanted_while_it_is_swept_stays(store: FileBlobStore) -> None:
    digest = await store.put("acme", DATA)

    async def wanted_meanwhile(digests: Sequence[bytes]) -> Sequence[bool]:
        assert await store.uploaded_by("acme", digests) == [True] * len(digests)
        return [False] * len(digests)

    os.utime(store.files.path_of(digest), ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert await store.sweep(LONG_AGO_NS // 1_000 + 1, wanted_meanwhile, 1_000) == 0
    assert await store.there([digest]) == [True]
