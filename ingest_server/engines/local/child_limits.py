"""Memory and processor limits of one attempt, set by the worker on itself, and what a handler may have changed, put back.

Memory: RLIMIT_DATA (private writable memory, since Linux 4.7), as much above what the worker has at the entry as the attempt may
add. Mapped input files and what the zygote preloaded do not count. The allocation that goes too far fails with MemoryError.

Processor time: RLIMIT_CPU, whose soft limit sends SIGXCPU. It counts whole seconds of the whole process, so an attempt gets up
to a second more than its limit, never less.

Both are only for sync handlers: what async attempts use in one process cannot be told apart. The server samples all workers too.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import time
from _signal import getsignal  # type: ignore[import-not-found,unused-ignore]  # see Surroundings.restore_signals
from collections.abc import Callable
from typing import Any

from ingest_server.engines.local.processes import PAGE_BYTES

UNLIMITED = resource.RLIM_INFINITY
Handler = Callable[[int, Any], object]


class CpuLimitReached(BaseException):
    """Raised in the attempt by SIGXCPU. A BaseException, so that `except Exception` in a handler does not swallow it."""


class AttemptLimits:
    """Sets limits when an attempt is entered, lifts them when it has ended.

    Args:
        memory_bytes_max: 0 for no limit.
        cpu_seconds_max: 0 for no limit.
    """

    def __init__(self, memory_bytes_max: int, cpu_seconds_max: int) -> None:
        self.memory_bytes_max = memory_bytes_max
        self.cpu_seconds_max = cpu_seconds_max
        self.active = bool(memory_bytes_max or cpu_seconds_max)
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC) if memory_bytes_max else -1
        self._hard_data = resource.getrlimit(resource.RLIMIT_DATA)[1]
        self._hard_cpu = resource.getrlimit(resource.RLIMIT_CPU)[1]

    def enter(self) -> None:
        """Limit what follows."""
        if self.memory_bytes_max:
            # Field 6 of statm: pages of data and stack.
            data_bytes = int(os.pread(self._statm, 256, 0).split()[5]) * PAGE_BYTES
            resource.setrlimit(resource.RLIMIT_DATA, (data_bytes + self.memory_bytes_max, self._hard_data))
        if self.cpu_seconds_max:
            seconds = math.ceil(time.process_time()) + self.cpu_seconds_max
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, self._hard_cpu))

    def leave(self) -> None:
        """Lift the limits."""
        if self.memory_bytes_max:
            resource.setrlimit(resource.RLIMIT_DATA, (self._hard_data, self._hard_data))
        if self.cpu_seconds_max:
            resource.setrlimit(resource.RLIMIT_CPU, (self._hard_cpu, self._hard_cpu))


class Surroundings:
    """What of the process a handler can change and its neighbours would feel: directory, umask, alarm, signal handlers.

    Directory and umask are put back after every attempt (0.4 µs together); alarm and signal handlers, which cost more to look at,
    after an attempt of more than 1 ms, and before a frame.

    Args:
        signals: handlers that the worker needs; all others of the list below are at their defaults.
    """

    def __init__(self, signals: dict[int, Handler]) -> None:
        self._directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._signals: dict[int, Any] = {
            signal.SIGTERM: signal.SIG_DFL,
            signal.SIGINT: signal.SIG_IGN,
            signal.SIGHUP: signal.SIG_DFL,
            signal.SIGALRM: signal.SIG_DFL,
            signal.SIGCHLD: signal.SIG_DFL,
            signal.SIGPIPE: signal.SIG_IGN,
            signal.SIGUSR1: signal.SIG_DFL,
            signal.SIGUSR2: signal.SIG_DFL,
            **signals,
        }
        self.restore_signals()

    def restore(self) -> None:
        """Put directory and umask back."""
        os.fchdir(self._directory)
        os.umask(self._umask)

    def restore_signals(self) -> None:
        """Put alarm and signal handlers back.

        The getsignal below the one of `signal`, which makes an enumeration of each answer: 0.1 µs instead of 2 µs, ten times a
        frame. It tells defaults as plain numbers, so values are compared.
        """
        signal.alarm(0)
        for number, wanted in self._signals.items():
            if getsignal(number) != wanted:
                signal.signal(number, wanted)
