"""What every engine promises: it runs attempts and says how each ended, or that it was lost.

An engine is thin. It decides nothing about retries, order or limits over several jobs: that is the scheduler's. It may lose
anything: what it does not report, the lease brings back.

Hot rows are plain tuples, named by the aliases below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

AttemptRow: TypeAlias = tuple[int, int, bytes, int, bytes, bytes, int, int, int]
"""(seq, lease, job_id: 16 bytes, attempt: from 1, spec, payload, timeout_us: longest run from the moment the handler is entered,
deadline_us: wall time at which the job expires, 0 for never, crash_count: how often the job has killed its worker)

`(seq, lease)` names the attempt everywhere. `spec` is a serialized `ingest.v1.JobSpec` without the input's content; `payload` is
b"i" + the inline input bytes, b"b" + 32 bytes sha256 of a blob + its size as 8 bytes little-endian, b"u" + the URI of an input
that the worker fetches, or b"" for empty input. Those of parts and of merges have a head before that: see
`handlers.part_orders`."""


class OutcomeCode(IntEnum):
    """How an attempt ended."""

    SUCCEEDED = 0
    FAILED = 1
    """The handler raised, returned rubbish, or reached a limit: `failure` says which."""
    TIMED_OUT = 2
    """It ran longer than `timeout_us`."""
    CANCELLED = 3
    """It ended because it was asked to."""
    CRASHED = 4
    """It was in the handler's hands when the worker died: `failure` names the signal or exit code."""
    LOST = 5
    """It was never entered, or the engine was stopped before it ended. It counts for nothing."""
    EXPIRED = 6
    """The job's deadline came while it ran."""
    DIVIDED = 7
    """It did not end: the handler wants the job done in parts. `output` is a `handlers.part_orders.SplitOrder`; the attempt is no
    longer the engine's until it is started again, under the same lease, to merge."""


Outcome: TypeAlias = tuple[int, int, int, bytes, bytes, bytes, bytes, str, int, int]
"""(seq, lease, OutcomeCode, output, failure: `Failure.to_bytes()` or b"", progress, blob sha256 of the output: 32 bytes or b"",
worker, start_us: 0 if never entered, end_us)

`output` is a serialized `ingest.v1.Payload`; one above the inline limit holds a blob reference to bytes the engine has put into
the blob store, fsynced."""

ProgressRow: TypeAlias = tuple[int, int, bytes]
"""(seq, lease, progress: a serialized `ingest.v1.Progress`)"""


@dataclass(frozen=True, slots=True)
class HandlerDescription:
    """What a loaded handler says of itself. `options_schema`: JSON schema (2020-12) as JSON text; `media_types` empty: any."""

    name: str
    description: str
    options_schema: str
    media_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerDescription:
    """A worker now. `start_us` in wall time."""

    name: str
    pid: int
    ended_count: int
    running_count: int
    start_us: int


@dataclass(frozen=True, slots=True)
class EngineListener:
    """Who is told. All are called in the event loop, must return soon and must not raise.

    Attributes:
        on_outcomes: attempts that ended. Each attempt handed to `start` is reported exactly once, unless the engine loses it.
        on_progress: newest progress of running attempts, at most ten times a second each.
        on_capacity: `capacity()` may have grown.
    """

    on_outcomes: Callable[[Sequence[Outcome]], None]
    on_progress: Callable[[Sequence[ProgressRow]], None]
    on_capacity: Callable[[], None]


class Engine(ABC):
    """Runs attempts."""

    name: str

    @abstractmethod
    async def open(self, listener: EngineListener) -> None:
        """Start, load the handlers. Returns when attempts can be started. Raises InvalidRequest if a handler module cannot be
        loaded, with the module and the cause."""

    @abstractmethod
    async def close(self, *, grace_seconds: float) -> None:
        """Stop taking attempts; let those that run end within `grace_seconds`, then end them by force and report them LOST. No
        process, file or task is left. Returns when all outcomes have been reported. Called again with a smaller grace, while
        the first call waits: hurries it."""

    @abstractmethod
    def handlers(self) -> Sequence[HandlerDescription]:
        """Loaded handlers by name. Fixed after `open`, until `reload`."""

    @abstractmethod
    def workers(self) -> Sequence[WorkerDescription]:
        """Workers now, by name."""

    @abstractmethod
    def crash_count(self) -> int:
        """Workers that died unasked since `open`."""

    @abstractmethod
    def capacity(self) -> int:
        """How many attempts `start` would put to work now without hoarding: idle workers, times how many attempts of the present
        kind a worker gets through in the few milliseconds that a round trip costs. 0 when all are busy."""

    @abstractmethod
    def start(self, attempts: Sequence[AttemptRow]) -> None:
        """Run these. More than `capacity` are taken too, and wait inside."""

    @abstractmethod
    def holds(self, seq: int, lease: int) -> bool:
        """Whether an attempt waits or runs here, or its outcome is still to be reported. What `start` was given and this denies
        is lost without a word: the scheduler hands it back."""

    @abstractmethod
    def cancel(self, seq: int, lease: int) -> None:
        """Ask an attempt to stop: the flag at once, an interrupt after the grace time, then an end by force. Its outcome is
        CANCELLED, unless it ended by itself before. Unknown attempts are ignored."""

    @abstractmethod
    async def resize(self, workers: int) -> None:
        """Change the number of workers while running. Those too many end when their present attempts have ended."""
