"""What the server costs in memory: idle, with a large preloaded array, and while a large document goes through."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

from ingest_client import BlockingClient, JobSpec, custom
from scripts.bench.preloaded import SIZE_VARIABLE
from scripts.bench.server import RunningServer, server

ROUNDS_MAX = 20
"""Calls until every worker must have had its turn."""


@dataclass(frozen=True, slots=True)
class Idle:
    """PSS of server, store, zygote and workers together, and the time from start to ready."""

    pss_bytes: int
    ready_seconds: float


def idle(workers: int, data_dir: Path) -> Idle:
    """Start a server, let nothing happen."""
    with server("--workers", str(workers), data_dir=data_dir) as running:
        return Idle(running.pss_bytes(), running.ready_seconds)


@dataclass(frozen=True, slots=True)
class Preloaded:
    """PSS of all processes together, and of the array they share."""

    pss_bytes: int
    array_bytes: int


def preloaded_array(workers: int, data_dir: Path, array_bytes: int) -> Preloaded:
    """PSS of all processes after every worker has read all of a preloaded array.

    Raises:
        RuntimeError: not every worker has read it.
    """
    environment = {SIZE_VARIABLE: str(array_bytes)}
    flags = ("--workers", str(workers), "--handlers", "scripts.bench.preloaded")
    with server(*flags, data_dir=data_dir, environment=environment) as running:
        readers: set[str] = set()
        with BlockingClient(running.address) as client:
            for _ in range(ROUNDS_MAX):
                specs = [JobSpec(tasks=[custom("read-array")]) for _ in range(workers * 4)]
                readers |= {result.text() for result in client.as_completed(client.submit(specs))}
                if len(readers) == workers:
                    return Preloaded(running.pss_bytes(), array_bytes)
    raise RuntimeError(f"{len(readers)} of {workers} workers have read the array")


class PeakRss(threading.Thread):
    """Samples the RSS of one process until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._stop_asked = threading.Event()
        self.first_bytes = self._process.memory_info().rss
        self.peak_bytes = self.first_bytes

    def run(self) -> None:
        """Sample a hundred times a second."""
        while not self._stop_asked.wait(0.01):
            self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)

    def stop(self) -> int:
        """End it. Answers by how many bytes the process grew at its largest."""
        self._stop_asked.set()
        self.join()
        return self.peak_bytes - self.first_bytes


def large_document(running: RunningServer, folder: Path, size_bytes: int) -> int:
    """Growth of the server's RSS while a document of `size_bytes` is uploaded, stored, run and fetched."""
    source = folder / "large.bin"
    with source.open("wb") as file:
        for number in range(size_bytes // 1_000_000):
            file.write(bytes([number % 251]) * 1_000_000)
    with BlockingClient(running.address) as client:
        client.info()
        peak = PeakRss(running.pid)
        peak.start()
        batch = client.submit([JobSpec(input=source, tasks=[custom("echo")])])
        (result,) = client.as_completed(batch)
        result.save(folder / "back.bin")
        grown = peak.stop()
    assert (folder / "back.bin").stat().st_size == source.stat().st_size
    return grown
