"""What became of each file, and whether that is what was promised: a result or a clear failure, within the limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from ingest.v1 import document_pb2
from ingest_client import Job, JobResult, JobState
from scripts.hostile_set.hostile_file import HostileFile

CLEAR = frozenset(
    {
        "DOCUMENT_MALFORMED",
        "DOCUMENT_ENCRYPTED",
        "MEDIA_TYPE_NOT_SUPPORTED",
        "ATTEMPT_TIMEOUT",
        "CPU_LIMIT",
        "MEMORY_LIMIT",
        "RESULT_TOO_LARGE",
        "POISON_JOB",
    }
)
"""Reasons that say what is wrong with a document, or which limit it broke."""
UNFORESEEN = "HANDLER_ERROR"
"""An exception that no reader expected: a failure with its cause, and worth a look."""
LATE_SECONDS = 3.0
"""By which an attempt may be longer than its timeout and the two steps of a cancel: a machine that does much else."""

SLOW_KEPT = 10
"""Files told by name for their time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server was given, and every job is held to."""

    attempt_timeout_seconds: float
    cancel_grace_seconds: float
    attempt_memory_bytes_max: int
    result_bytes_max: int
    crashes_max: int = 3

    @property
    def attempt_seconds_max(self) -> float:
        """Longest attempt that is within its limits."""
        return self.attempt_timeout_seconds + 2 * self.cancel_grace_seconds + LATE_SECONDS


@dataclass(slots=True)
class Row:
    """A group of files.

    Attributes:
        group: its name.
        files: sent.
        succeeded: gave a result.
        failed: reason → how many.
        crashes: of workers, by these files.
        slowest_seconds: the longest attempt.
        slow: the `SLOW_KEPT` longest attempts, and whose they were.
        peak_bytes: the largest process of the engine while the group ran.
        witnesses: ordinary jobs among them.
        seconds: from the first submit to the last end.
        faults: what was not as promised, in words.
        unforeseen: files that ended in an exception that no reader expected: identity and message.
        crashed: files that made a worker crash.
    """

    group: str
    files: int = 0
    succeeded: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    crashes: int = 0
    slowest_seconds: float = 0.0
    peak_bytes: int = 0
    witnesses: int = 0
    seconds: float = 0.0
    slow: list[tuple[float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unforeseen: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def count_ended(self, file: HostileFile, job: Job, limits: Limits) -> None:
        """Take up how a file's job ended."""
        self.files += 1
        if job.state is JobState.SUCCEEDED:
            self.succeeded += 1
        else:
            self._count_failure(file, job)
        if job.crash_count:
            self.crashes += job.crash_count
            self.crashed.append(file.identity)
        if job.crash_count > limits.crashes_max or len(job.attempts) > limits.crashes_max:
            self.faults.append(f"{file.identity}: {len(job.attempts)} attempts, {job.crash_count} crashes")
        for attempt in job.attempts:
            if attempt.end_time is None:
                self.faults.append(f"{file.identity}: attempt {attempt.attempt} has no end")
                continue
            if attempt.start_time is None:
                continue  # its worker ended before it could tell that it had begun
            seconds = (attempt.end_time - attempt.start_time).total_seconds()
            self.slowest_seconds = max(self.slowest_seconds, seconds)
            self.slow = sorted([*self.slow, (round(seconds, 2), file.identity)], reverse=True)[:SLOW_KEPT]
            if seconds > limits.attempt_seconds_max:
                self.faults.append(
                    f"{file.identity}: an attempt of {seconds:.1f} s; {limits.attempt_seconds_max:g} s is the most"
                )

    def _count_failure(self, file: HostileFile, job: Job) -> None:
        reason = job.error.reason if job.error else ""
        self.failed[reason] = self.failed.get(reason, 0) + 1
        if job.state is not JobState.FAILED:
            self.faults.append(f"{file.identity}: ended {job.state.name}")
        elif job.error is None or not job.error.message.strip():
            self.faults.append(f"{file.identity}: failed without a word ({reason})")
        elif reason == UNFORESEEN:
            trace = job.error.metadata.get("traceback", "").strip().splitlines()
            where = next((line.strip() for line in reversed(trace) if line.strip().startswith("File ")), "")
            self.unforeseen.append(f"{file.identity}: {job.error.message[:300]} ({where})")
        elif reason not in CLEAR:
            self.faults.append(f"{file.identity}: {reason}: {job.error.message[:300]}")

    def check_result(self, file: HostileFile, result: JobResult, data: bytes, secret: bytes, limits: Limits) -> None:
        """Hold a result against what was promised of it."""
        if len(data) > limits.result_bytes_max:
            self.faults.append(f"{file.identity}: a result of {len(data)} bytes; {limits.result_bytes_max} is the most")
        if secret in data:
            self.faults.append(f"{file.identity}: the result holds a line of a file of the server")
        try:
            document = document_pb2.Document.FromString(data)
        except DecodeError as error:
            self.faults.append(f"{file.identity}: the result of job {result.job_id} is no document: {error}")
            return
        if not document.media_type:
            self.faults.append(f"{file.identity}: the result does not say what was read")
