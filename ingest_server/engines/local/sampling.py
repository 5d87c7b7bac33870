"""Reads memory and processor time of busy workers now and then, and ends those whose attempt is past its limit.

The worker limits itself first (`child_limits`). This is for what that cannot see or stop: shared memory, native code that never
comes back to the interpreter, async attempts together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ingest_server.engines.interface import OutcomeCode
from ingest_server.engines.local import failures
from ingest_server.engines.local.frames import Key
from ingest_server.engines.local.limits import LocalEngineLimits
from ingest_server.engines.local.processes import cpu_seconds, private_bytes
from ingest_server.engines.local.worker_link import WorkerLink

CPU_GRACE_SECONDS = 2.0
"""How long past the limit the worker may be: RLIMIT_CPU counts whole seconds, and the attempt gets one to give way."""


class Sampler:
    """See the module.

    Args:
        limits: of an attempt.
        workers: answers the workers there are.
        kill: has a worker killed.
    """

    def __init__(
        self, limits: LocalEngineLimits, workers: Callable[[], Iterable[WorkerLink]], kill: Callable[[WorkerLink], None]
    ) -> None:
        self._limits = limits
        self._workers = workers
        self._kill = kill
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Sample from now on, if anything is limited."""
        if self._limits.attempt_memory_bytes_max or self._limits.attempt_cpu_seconds_max:
            self._timer = self._loop.call_later(self._limits.sample_interval_seconds, self._sample)

    def stop(self) -> None:
        """Sample no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sample(self) -> None:
        self._timer = self._loop.call_later(self._limits.sample_interval_seconds, self._sample)
        for worker in list(self._workers()):
            if not worker.inflight:
                worker.cpu_mark = None
            elif not worker.doom and not worker.gone:
                self._look(worker, worker.page.entered())

    def _look(self, worker: WorkerLink, entered: dict[Key, int]) -> None:
        memory_max, cpu_max = self._limits.attempt_memory_bytes_max, self._limits.attempt_cpu_seconds_max
        if not entered:
            return
        if memory_max and private_bytes(worker.pid) - worker.base_bytes > memory_max:
            for key in entered:
                worker.doom[key] = (OutcomeCode.FAILED, failures.memory_limit(memory_max))
        sync_key = next((key for key in entered if key not in worker.async_keys), None)
        if cpu_max and sync_key is not None:
            used_seconds = cpu_seconds(worker.pid)
            if worker.cpu_mark is None or worker.cpu_mark[0] != sync_key:
                worker.cpu_mark = (sync_key, used_seconds)
            elif used_seconds - worker.cpu_mark[1] > cpu_max + CPU_GRACE_SECONDS:
                worker.doom[sync_key] = (OutcomeCode.FAILED, failures.cpu_limit(cpu_max))
        if worker.doom:
            self._kill(worker)
