"""An engine whose workers live and die as a history says, and that checks what it is given to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Failure
from ingest_server.engines.interface import (
    AttemptRow,
    Engine,
    EngineListener,
    HandlerDescription,
    Outcome,
    OutcomeCode,
    WorkerDescription,
)
from ingest_server.handlers import part_orders
from ingest_server.handlers.part_orders import PartHead, PartOrder, SplitOrder
from tests.simulation.model import Model

Key = tuple[int, int]
"""(row number, lease): an attempt."""

PART_SPEC = b"part"


@dataclass(slots=True)
class Run:
    """An attempt that is held, or was.

    Attributes:
        row: as it was started.
        number: of this run; growing.
        asked_to_stop: a cancel came.
    """

    row: AttemptRow
    number: int
    entered_us: int
    asked_to_stop: bool = False

    @property
    def key(self) -> Key:
        """Names the attempt."""
        return self.row[0], self.row[1]

    @property
    def payload_kind(self) -> bytes:
        """b"p" of a part, b"m" of a merge, else of a whole job."""
        return self.row[5][:1]


class SimulatedEngine(Engine):
    """Holds attempts until the history ends them.

    Args:
        clock: for times of outcomes.
        model: is told of all that begins and ends.
        slots: attempts at once.
        count: gives the numbers of runs.
    """

    name = "simulated"

    def __init__(self, clock: Clock, model: Model, slots: int, count: Callable[[], int]) -> None:
        self._clock = clock
        self._model = model
        self._slots = slots
        self._count = count
        self.runs: dict[Key, Run] = {}
        self.reported: list[Outcome] = []
        self._listener: EngineListener | None = None
        self.dead = False

    async def open(self, listener: EngineListener) -> None:
        """Begin."""
        self._listener = listener

    async def close(self, *, grace_seconds: float) -> None:
        """What is left is lost."""
        for run in list(self.runs.values()):
            self.end(run, OutcomeCode.LOST)

    def handlers(self) -> Sequence[HandlerDescription]:
        """One."""
        return [HandlerDescription("any", "Whatever the history says.", '{"type":"object"}', ())]

    def workers(self) -> Sequence[WorkerDescription]:
        """None to be seen."""
        return []

    def crash_count(self) -> int:
        """Not counted."""
        return 0

    def capacity(self) -> int:
        """Free slots."""
        return self._slots - len(self.runs)

    def holds(self, seq: int, lease: int) -> bool:
        """See `Engine.holds`."""
        return (seq, lease) in self.runs

    def start(self, attempts: Sequence[AttemptRow]) -> None:
        """Hold them."""
        for row in attempts:
            run = Run(row, self._count(), self._clock.now_us())
            if run.key in self.runs:
                self._model.broken(f"attempt {run.key} was started while it runs")
            self.runs[run.key] = run
            head = part_orders.read_merge(row[5])[0] if run.payload_kind == part_orders.MERGE else None
            self._model.run_began(row, run.number, head, round(self._clock.monotonic() * 1e6))

    def cancel(self, seq: int, lease: int) -> None:
        """Note it: a worker stops in its own time."""
        run = self.runs.get((seq, lease))
        if run is not None:
            run.asked_to_stop = True

    async def resize(self, workers: int) -> None:
        """Change the slots."""
        self._slots = workers

    # ---- what the history does

    def end(self, run: Run, code: OutcomeCode, *, failure: Failure | None = None, output: bytes = b"", told: bool = True) -> None:
        """End a run. Not `told`: nobody ever hears of it."""
        if self.runs.pop(run.key, None) is None or self.dead:
            return
        if not told:
            self._model.run_ended(run.key, None)
            if self._listener is not None:
                self._listener.on_capacity()
            return
        start_us = 0 if code == OutcomeCode.LOST else run.entered_us
        failed = failure.to_bytes() if failure is not None else b""
        outcome = (*run.key, int(code), output, failed, b"", b"", "simulated/0", start_us, self._clock.now_us())
        self._model.run_ended(run.key, int(code))
        self._report(outcome)

    def succeed(self, run: Run) -> None:
        """Let it return what the model expects of this run."""
        self.end(run, OutcomeCode.SUCCEEDED, output=self._model.output_of(run.row, run.number))

    def fail(self, run: Run, *, retryable: bool) -> None:
        """Let it raise."""
        self.end(run, OutcomeCode.FAILED, failure=Failure(Code.UNKNOWN, "HANDLER_ERROR", "it broke", retryable=retryable))

    def crash(self, run: Run) -> None:
        """Kill its worker."""
        self.end(run, OutcomeCode.CRASHED, failure=Failure(Code.ABORTED, "WORKER_CRASHED", "killed", {"signal": "SIGKILL"}))

    def divide(self, run: Run, parts: int) -> None:
        """Let it answer with parts."""
        depth = part_orders.read_part(run.row[5])[0].depth if run.payload_kind == part_orders.PART else 0
        orders = [PartOrder(part_orders.part_payload(PartHead(b"%d" % index, depth + 1)), None, b"", 1) for index in range(parts)]
        self._model.divided(run.row, parts)
        self.end(run, OutcomeCode.DIVIDED, output=part_orders.encode_order(SplitOrder(PART_SPEC, orders, "part", b"state")))

    def repeat_report(self, index: int) -> None:
        """Tell the same outcome again, as a faulty link would."""
        if self.reported and not self.dead:
            self._report(self.reported[index % len(self.reported)], keep=False)

    @staticmethod
    def may_divide(run: Run) -> bool:
        """Whether a run may be divided: whole jobs, and parts of the first level."""
        if run.payload_kind == part_orders.PART:
            return part_orders.read_part(run.row[5])[0].depth < 2
        return run.payload_kind != part_orders.MERGE

    def _report(self, outcome: Outcome, *, keep: bool = True) -> None:
        if self._listener is None:
            return
        if keep:
            self.reported = [*self.reported[-7:], outcome]
        self._listener.on_outcomes([outcome])
        self._listener.on_capacity()
