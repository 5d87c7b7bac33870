"""What the client answers with: frozen values, times as aware datetimes (UTC), durations in seconds, sizes in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from ingest_client.errors import IngestClientError, JobError
from ingest_client.inputs import Blob
from ingest_client.specs import JobSpec


class JobState(IntEnum):
    """Where a job stands; numbers and meaning as in job.proto."""

    UNSPECIFIED = 0
    SCHEDULED = 1
    QUEUED = 2
    RUNNING = 3
    CANCELLING = 4
    SUCCEEDED = 5
    FAILED = 6
    CANCELLED = 7
    EXPIRED = 8

    @property
    def terminal(self) -> bool:
        """Whether the job has ended for good."""
        return self >= JobState.SUCCEEDED


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of one item.

    Attributes:
        job_id: "" if the item was refused.
        created: False if the job was there before (`use_existing`, `dedupe_key`).
        error: why it was refused; None if it was accepted.
    """

    job_id: str
    created: bool
    error: IngestClientError | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What `submit` accepted.

    Attributes:
        batch_id: of all calls together.
        results: one per item, in the order of the items.
        joined: the batch id was given by the caller, so the batch may hold jobs of other submits.
    """

    batch_id: str
    results: tuple[SubmitResult, ...]
    joined: bool = False

    @property
    def whole(self) -> bool:
        """Whether the batch holds exactly these jobs: none of another submit, none that was there before elsewhere."""
        return not self.joined and all(result.created for result in self.results if result.error is None)

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Ids of the accepted jobs, in order."""
        return tuple(result.job_id for result in self.results if result.error is None)

    @property
    def refused(self) -> tuple[tuple[int, IngestClientError], ...]:
        """Index and error of each item that was refused."""
        return tuple((index, result.error) for index, result in enumerate(self.results) if result.error is not None)

    def raise_for_refused(self) -> None:
        """Raise the error of the first refused item, if there is one. The others stay accepted."""
        for result in self.results:
            if result.error is not None:
                raise result.error.copy()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running attempt has come, in the handler's own units; `total_units` is 0 while unknown."""

    completed_units: int
    total_units: int
    unit: str
    message: str


@dataclass(frozen=True, slots=True)
class Output:
    """A job's output: either the bytes or, where they are many, a reference to them.

    Attributes:
        media_type: RFC 6838.
        name: file name for people; never trust it as a path.
        metadata: from the handler.
        data: the bytes; None if they are in `blob`.
        blob: where they are; None if they are in `data`.
    """

    media_type: str
    name: str
    metadata: Mapping[str, str]
    data: bytes | None
    blob: Blob | None

    @property
    def size_bytes(self) -> int:
        """Length of the output."""
        return len(self.data) if self.data is not None else self.blob.size_bytes if self.blob else 0


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One change of one job, or its state in a snapshot.

    Attributes:
        job_id: the job.
        state: after the change.
        revision: grows with every change; 0 for progress.
        attempt: number of the attempt that runs or ran last.
        time: when it changed.
        progress: of a running job.
        error: why it failed, expired, was cancelled or is retried.
        output: if asked for.
        snapshot: the present state, not a change.
        batch_id: its batch.
    """

    job_id: str
    state: JobState
    revision: int
    attempt: int
    time: datetime | None
    progress: Progress | None
    error: JobError | None
    output: Output | None
    snapshot: bool
    batch_id: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a job. `outcome` is None while it runs and after a success; `end_time` is None while it runs."""

    attempt: int
    worker: str
    start_time: datetime | None
    end_time: datetime | None
    outcome: JobError | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the server knows it; see `ingest.v1.Job` for each field. `attempts`, `spec` and `output` only in a full view."""

    job_id: str
    batch_id: str
    tenant: str
    queue: str
    state: JobState
    attempt: int
    crash_count: int
    progress: Progress | None
    error: JobError | None
    create_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    expire_time: datetime | None
    scheduled_time: datetime | None
    revision: int
    parent_job_id: str
    retried_from: str
    labels: Mapping[str, str]
    priority: int
    attempts: tuple[Attempt, ...] = ()
    spec: JobSpec | None = None
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of one job of a cancel, retry or delete.

    Attributes:
        job_id: the job asked for.
        state: afterwards; UNSPECIFIED if it is unknown or was deleted.
        error: why not; None if it was done.
        new_job_id: of a retry.
    """

    job_id: str
    state: JobState
    error: IngestClientError | None = None
    new_job_id: str = ""


@dataclass(frozen=True, slots=True)
class CountGroup:
    """Number of jobs that share a state, queue and label value; what was not grouped by is None."""

    count: int
    state: JobState | None = None
    queue: str | None = None
    label_value: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Groups, the largest first, and the number of all jobs counted."""

    total: int
    groups: tuple[CountGroup, ...]


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Selects jobs: all given conditions must hold.

    Attributes:
        states: any of these.
        queues: any of these.
        labels: all of these.
        batch_id: of this batch.
        create_time_from: accepted at or after; aware.
        create_time_before: accepted before; aware.
        parent_job_id: parts of this job, while they are there; parts are left out otherwise.
    """

    states: tuple[JobState, ...] = ()
    queues: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    batch_id: str = ""
    create_time_from: datetime | None = None
    create_time_before: datetime | None = None
    parent_job_id: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue; counts are those of the caller's tenant, 0 of a maximum means no limit."""

    name: str
    weight: int
    running_max: int
    start_rate_per_second: float
    paused: bool
    queued_count: int
    scheduled_count: int
    running_count: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the server; see `ingest.v1.Limits`."""

    message_bytes_max: int
    submit_items_max: int
    fetch_items_max: int
    inline_bytes_max: int
    blob_bytes_max: int
    result_bytes_max: int
    response_bytes_max: int
    wait_seconds_max: float
    blob_ttl_seconds: float
    result_ttl_seconds: float
    event_ttl_seconds: float
    cancel_grace_seconds: float
    priority_ageing_seconds: float


@dataclass(frozen=True, slots=True)
class HandlerInfo:
    """A handler; `options_schema` is a JSON schema (2020-12), empty `media_types` means any."""

    name: str
    description: str
    options_schema: Mapping[str, Any]
    media_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine and the number of its workers."""

    name: str
    workers: int


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the server is."""

    version: str
    limits: Limits
    handlers: tuple[HandlerInfo, ...]
    engines: tuple[EngineInfo, ...]
    tasks: tuple[str, ...]
    uri_schemes: tuple[str, ...]
    callbacks: bool
    tenant: str
    embedding_models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LatencyQuantiles:
    """Quantiles over the last minute, in seconds, and the number of jobs they were taken from."""

    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
    count: int


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """A worker process of the server."""

    name: str
    pid: int
    ended_count: int
    running_count: int
    start_time: datetime | None


@dataclass(frozen=True, slots=True)
class Stats:
    """What the server does now; counts are those of the whole server."""

    queued_count: int
    scheduled_count: int
    running_count: int
    submit_rate_per_second: float
    end_rate_per_second: float
    wait_latency: LatencyQuantiles
    run_latency: LatencyQuantiles
    workers: tuple[WorkerStats, ...]
    watch_count: int
    worker_crash_count: int
    uptime_seconds: float
    ended_counts: Mapping[str, int]
    store: Mapping[str, Any]
