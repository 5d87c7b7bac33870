"""For the command line's tests: the fake server in a thread, and the command in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest_client._loop_thread import LoopThread
from ingest_client.cli import main
from tests.fakes.job_service import FakeServer
from tests.unit.client.conftest import _no_process_or_file_left

__all__ = ["_no_process_or_file_left"]

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """The loop that the fake server lives on."""
    held = LoopThread.acquire()
    yield held
    held.release()


@pytest.fixture
def server(thread: LoopThread) -> Iterator[FakeServer]:
    """A fake server that answers while the command runs."""

    async def start() -> FakeServer:
        fake = FakeServer()
        await fake.start()
        return fake

    fake = thread.call(start())
    yield fake
    thread.call(fake.stop())


@pytest.fixture
def ingest(server: FakeServer, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command against the fake server, in this process."""

    def run(*arguments: str | Path) -> Ran:
        try:
            status = main([*map(str, arguments), "--server", server.address])
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    return run


@pytest.fixture
def start_ingest(server: FakeServer) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a command as a process of its own: for signals and pipes."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingest_client.cli", *map(str, arguments), "--server", server.address],
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
