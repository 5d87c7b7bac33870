"""Watches the processes of the engine through /proc: what memory each takes beyond what it began with, and which are left."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

INTERVAL_SECONDS = 0.02
"""Between two looks; one takes about a millisecond for two workers and what they have started."""
MARK = "INGEST_HOSTILE_ROUND"
"""Environment variable that all processes of a round have from birth, also those that outlive their parents."""
_PAGES_OF = (b"RssAnon:", b"RssShmem:")


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that a process was seen with.

    Attributes:
        bytes: anonymous and shared memory in RAM.
        above_bytes: how far that was above what the process was entitled to; at most 0 is well.
        who: its command, for people.
    """

    bytes: int = 0
    above_bytes: int = -(1 << 62)
    who: str = ""


class EngineWatch:
    """Looks at workers and all that they start, every `INTERVAL_SECONDS`, in a thread of its own.

    What an attempt adds is limited by the kernel (RLIMIT_DATA) from the data segment its worker has when the attempt begins. So a
    process is entitled to the data segment that its worker was first seen with, the limit of an attempt, and `slack_bytes`.

    Args:
        zygote_pid: whose children are the workers.
        attempt_bytes_max: limit of an attempt.
        slack_bytes: by which a worker may grow from attempt to attempt.
    """

    def __init__(self, zygote_pid: int, attempt_bytes_max: int, slack_bytes: int) -> None:
        self._zygote_pid = zygote_pid
        self._allowed_bytes = attempt_bytes_max + slack_bytes
        self._begun: dict[int, int] = {}
        self._peak = self._worst = Peak()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="engine-watch", daemon=True)

    def __enter__(self) -> EngineWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def take(self) -> tuple[Peak, Peak]:
        """The largest process since the last call, and the one that was nearest to its limit or farthest beyond."""
        with self._lock:
            found = self._peak, self._worst
            self._peak = self._worst = Peak()
            return found

    def look(self) -> None:
        """Look once. The thread does nothing else."""
        for worker in children_of(self._zygote_pid):
            status = _status(worker)
            if not status:
                continue
            begun = self._begun.setdefault(worker, _field(status, b"VmData:"))
            self._see(worker, status, begun)
            for pid in descendants_of(worker):
                self._see(pid, _status(pid), begun)

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            self.look()

    def _see(self, pid: int, status: bytes, begun_bytes: int) -> None:
        held = sum(_field(status, name) for name in _PAGES_OF)
        above = held - begun_bytes - self._allowed_bytes
        with self._lock:
            if held > self._peak.bytes:
                self._peak = Peak(held, above, _command(pid))
            if held and above > self._worst.above_bytes:
                self._worst = Peak(held, above, _command(pid))


def children_of(pid: int) -> list[int]:
    """Children of a process; none if it has ended."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        return found
    return found


def descendants_of(pid: int) -> list[int]:
    """Children, and theirs, and so on."""
    found = children_of(pid)
    for child in found:
        found += children_of(child)
    return found


def marked(mark: str) -> dict[int, str]:
    """Processes that were born into the round of this mark: pid and command."""
    wanted = f"{MARK}={mark}".encode()
    found: dict[int, str] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                environment = Path(f"/proc/{name}/environ").read_bytes()
            except OSError:
                continue  # it has ended, or is somebody else's
            if wanted in environment.split(b"\0"):
                found[int(name)] = _command(int(name))
    return found


def _status(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _field(status: bytes, name: bytes) -> int:
    """A field in bytes; 0 where it is missing."""
    at = status.find(name)
    return int(status[at + len(name) : status.index(b"\n", at)].split()[0]) * 1_024 if at >= 0 else 0


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "ended"
    return b" ".join(words)[:80].decode(errors="replace")
