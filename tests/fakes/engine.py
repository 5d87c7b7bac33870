"""An engine whose attempts end when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Failure
from ingest_server.engines.interface import (
    AttemptRow,
    Engine,
    EngineListener,
    HandlerDescription,
    OutcomeCode,
    WorkerDescription,
)


class FakeEngine(Engine):
    """Holds attempts until `end`, `fail` or `crash` is called.

    Args:
        clock: for the times of outcomes.
        slots: attempts it takes at once.
    """

    name = "fake"

    def __init__(self, clock: Clock, *, slots: int = 4) -> None:
        self._clock = clock
        self.slots = slots
        self.running: dict[int, AttemptRow] = {}
        self.cancelled: list[tuple[int, int]] = []
        self.started: list[AttemptRow] = []
        self._entered_us: dict[int, int] = {}
        self._listener: EngineListener | None = None
        self._arrivals = asyncio.Condition()

    async def open(self, listener: EngineListener) -> None:
        """Begin to take attempts."""
        self._listener = listener

    async def close(self, *, grace_seconds: float) -> None:
        """Report all that is left as LOST."""
        for seq in list(self.running):
            self.report(seq, OutcomeCode.LOST)

    def handlers(self) -> Sequence[HandlerDescription]:
        """One handler that takes anything."""
        return [HandlerDescription("echo", "Answers its input.", '{"type":"object"}', ())]

    def workers(self) -> Sequence[WorkerDescription]:
        """One per slot."""
        return [WorkerDescription(f"fake/{number}", number + 1, 0, 0, 0) for number in range(self.slots)]

    def crash_count(self) -> int:
        """It never crashes by itself."""
        return 0

    def capacity(self) -> int:
        """Free slots."""
        return self.slots - len(self.running)

    def start(self, attempts: Sequence[AttemptRow]) -> None:
        """Hold them."""
        for attempt in attempts:
            self.running[attempt[0]] = attempt
            self._entered_us[attempt[0]] = self._clock.now_us()
            self.started.append(attempt)

    def holds(self, seq: int, lease: int) -> bool:
        """Whether it is held."""
        return seq in self.running and self.running[seq][1] == lease

    def cancel(self, seq: int, lease: int) -> None:
        """Remember that it was asked."""
        self.cancelled.append((seq, lease))

    async def resize(self, workers: int) -> None:
        """Change the number of slots."""
        self.slots = workers

    # ---- what tests say

    def report(self, seq: int, code: OutcomeCode, *, output: bytes = b"", failure: Failure | None = None) -> None:
        """Let an attempt end now."""
        attempt = self.running.pop(seq)
        assert self._listener is not None
        now_us = self._clock.now_us()
        start_us = 0 if code == OutcomeCode.LOST else self._entered_us[seq]
        failed = failure.to_bytes() if failure else b""
        self._listener.on_outcomes([(seq, attempt[1], int(code), output, failed, b"", b"", "fake/0", start_us, now_us)])
        self._listener.on_capacity()

    def succeed(self, seq: int, output: bytes = b"done") -> None:
        """Let it return."""
        self.report(seq, OutcomeCode.SUCCEEDED, output=output)

    def fail(self, seq: int, *, retryable: bool = True, reason: str = "HANDLER_ERROR") -> None:
        """Let it raise."""
        self.report(seq, OutcomeCode.FAILED, failure=Failure(Code.UNKNOWN, reason, "it broke", retryable=retryable))

    def crash(self, seq: int) -> None:
        """Let its worker be killed."""
        failure = Failure(Code.ABORTED, "WORKER_CRASHED", "killed by SIGSEGV", {"signal": "SIGSEGV"})
        self.report(seq, OutcomeCode.CRASHED, failure=failure)
