"""The real server and the real client: one server for the tests of a module that do it no harm, own ones for the others."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_client import Client
from tests.acceptance.server.server_process import ServerProcess
from tests.conftest import child_processes, open_files

LAST_TASKS_SECONDS_MAX = 10.0
StartServer = Callable[..., ServerProcess]


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


@pytest.fixture
async def _tasks_watched() -> AsyncIterator[None]:
    """In place of the check of that name for all tests: a call that was cancelled ends when gRPC's core has said so."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=LAST_TASKS_SECONDS_MAX)
    assert not left, f"the test left tasks behind: {left}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with two workers that all tests of a module share. Retries come soon."""
    started = ServerProcess(
        tmp_path_factory.mktemp("server"),
        flags=["--retry-backoff-initial-seconds", "0.01", "--cancel-grace-seconds", "0.2", "--metrics-listen", "127.0.0.1:0"],
    )
    try:
        yield started.start()
        assert started.stop() == 0, started.log
    finally:
        started.close()


@pytest.fixture
def start_server(tmp_path: Path, _no_process_or_file_left: None) -> Iterator[StartServer]:
    """Starts servers of one's own; each in a folder of its name, and ended at the end whatever happens."""
    servers: list[ServerProcess] = []

    def start(*flags: str, name: str = "server", **given: Any) -> ServerProcess:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        servers.append(ServerProcess(folder, flags=flags, **given))
        return servers[-1].start()

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    """A client of the shared server."""
    async with Client(server.address) as opened:
        yield opened


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A named pipe on which a handler waits until the test lets it go."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


async def let_go(fifo: Path) -> None:
    """Let one handler that waits on `fifo`, or is about to, go on: opening for writing waits for its reader."""
    await asyncio.to_thread(lambda: fifo.open("wb").close())
