"""The gate's lock: the law of a reader-writer lock, and that its cost does not come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ingest_server.wire.interceptors.reader_lock import Holders, ManyReadersLock


def test_holders_are_a_multiset() -> None:
    holders = Holders()
    first: Any = (object(), 1)
    second: Any = (object(), 1)
    holders.append(first)
    holders.append(first)
    assert first in holders
    assert second not in holders
    assert len(holders) == 2
    holders.remove(first)
    assert first in holders
    holders.remove(first)
    assert first not in holders
    with pytest.raises(ValueError):
        holders.remove(first)


async def test_the_lock_searches_no_list() -> None:
    lock = ManyReadersLock(fast=True)
    core: Any = lock.reader._lock
    assert isinstance(core._owning, Holders)
    async with lock.reader:
        assert len(core._owning) == 1
    assert len(core._owning) == 0


async def test_a_writer_waits_for_readers_and_readers_for_it() -> None:
    lock = ManyReadersLock(fast=True)
    order: list[str] = []
    release = asyncio.Event()

    async def read(name: str) -> None:
        async with lock.reader:
            order.append(name)
            await release.wait()

    async def write() -> None:
        async with lock.writer:
            order.append("writer")

    readers = [asyncio.create_task(read(f"early {number}")) for number in range(3)]
    await asyncio.sleep(0)
    writer = asyncio.create_task(write())
    await asyncio.sleep(0)
    late = asyncio.create_task(read("late"))
    await asyncio.sleep(0)
    assert order == ["early 0", "early 1", "early 2"]
    release.set()
    await asyncio.gather(*readers, writer, late)
    assert order[3:] == ["writer", "late"]


async def test_a_reader_cancelled_while_it_waits_leaves_the_lock_free() -> None:
    lock = ManyReadersLock(fast=True)
    async with lock.writer:

        async def read() -> None:
            async with lock.reader:
                raise AssertionError("must not get in")

        waiting = asyncio.create_task(read())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5), lock.writer:
        pass
