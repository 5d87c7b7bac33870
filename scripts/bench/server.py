"""The server as a process of its own, on a free port and a temporary data folder, and what it costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that listens.

    Attributes:
        address: HOST:PORT.
        pid: of its main process.
        ready_seconds: from the start of the process to its ready line.
        data_dir: its folder.
        rest_url: where REST is served; "" where it is off.
    """

    address: str
    pid: int
    ready_seconds: float
    data_dir: Path
    rest_url: str = ""

    def shim(self) -> psutil.Process:
        """The process that serves REST."""
        return next(process for process in self.processes() if ".rest." in " ".join(process.cmdline()))

    def processes(self) -> list[psutil.Process]:
        """Its main process and all below."""
        main = psutil.Process(self.pid)
        return [main, *main.children(recursive=True)]

    def roles(self) -> list[tuple[str, int]]:
        """What each process is for ("server", "store", "shim", "zygote", "workers"), and its pid."""
        return [(_role(process, self.pid), process.pid) for process in self.processes()]

    def pss_bytes(self) -> int:
        """Proportional set size of all its processes: shared pages counted once in all."""
        return sum(process.memory_full_info().pss for process in self.processes())

    def cpu_seconds(self) -> dict[str, float]:
        """Processor seconds by process: "server", "store", "shim", "zygote", "workers"."""
        seconds: dict[str, float] = {}
        for process in self.processes():
            times = process.cpu_times()
            role = _role(process, self.pid)
            seconds[role] = seconds.get(role, 0.0) + times.user + times.system
        return seconds


def _role(process: psutil.Process, main_pid: int) -> str:
    if process.pid == main_pid:
        return "server"
    command = " ".join(process.cmdline())
    if ".store." in command:
        return "store"
    if ".rest." in command:
        return "shim"
    return "zygote" if process.ppid() == main_pid else "workers"


@contextmanager
def server(
    *arguments: str,
    data_dir: Path | None = None,
    environment: dict[str, str] | None = None,
    log: Path | None = None,
    stop: int = signal.SIGTERM,
) -> Iterator[RunningServer]:
    """Start `ingest-server` and end it afterwards.

    Args:
        arguments: more flags.
        data_dir: keep data here; None: a temporary folder.
        environment: more variables.
        log: file for what it writes to stderr; None: one that is removed.
        stop: signal that ends it.

    Raises:
        RuntimeError: it did not get ready, with what it wrote.
    """
    with tempfile.TemporaryDirectory(prefix="ingest-bench-") as folder:
        place = data_dir or Path(folder) / "data"
        log = log or Path(folder) / "log"
        command = [sys.executable, "-m", "ingest_server", "--listen", "127.0.0.1:0", "--data-dir", str(place), *arguments]
        begin = time.perf_counter()
        with log.open("wb") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **(environment or {})}
            )
        try:
            address, _, rest_url = _address(process, log).partition(", REST on ")
            yield RunningServer(address, process.pid, time.perf_counter() - begin, place, rest_url)
        finally:
            process.send_signal(stop)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("listening on "):
            return line.removeprefix("listening on ").strip()
    raise RuntimeError(f"the server did not get ready:\n{log.read_text(errors='replace')[-4_000:]}")


def median(values: Sequence[float]) -> float:
    """The middle value, or the lower of the two in the middle."""
    return sorted(values)[(len(values) - 1) // 2]
