"""For the client's tests: the fake server, and a client whose waits are recorded instead of waited for."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator

import pytest

from ingest_client import ChannelSettings, Client, RetryLimits, WatchSettings
from tests.conftest import child_processes, open_files
from tests.fakes.job_service import FakeServer


@pytest.fixture(autouse=True)
def _no_process_or_file_left() -> Iterator[None]:
    """In place of the check of that name for all tests: sockets and pollers of gRPC's core are closed by its own threads, some
    time later. Files and processes must be gone."""
    files, children = open_files(), child_processes()
    yield
    gc.collect()
    left = [target for number, target in open_files().items() if files.get(number) != target and target.startswith("/")]
    assert not left, f"the test left files open: {left}"
    assert child_processes().keys() <= children.keys()


class Waits:
    """A `sleep` that only takes turns of the loop, and remembers how long it was asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    """A running fake server."""
    fake = FakeServer()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def waits() -> Waits:
    """What the client waited between attempts."""
    return Waits()


@pytest.fixture
def settings(server: FakeServer, waits: Waits) -> ChannelSettings:
    """Settings of a client that does not sleep; half of every backoff ceiling is drawn."""
    return ChannelSettings(
        server.address,
        retry=RetryLimits(attempts_max=4, backoff_seconds=0.1),
        sleep=waits,
        random=lambda: 0.5,
        timeout_seconds=30.0,
    )


@pytest.fixture
async def client(settings: ChannelSettings) -> AsyncIterator[Client]:
    """An open client of the fake server."""
    async with Client(channel=settings, watch=WatchSettings(retry=RetryLimits(attempts_max=20))) as opened:
        yield opened
