"""A job as one writes it: frozen, with defaults, and encoded once for all the times it is submitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from google.protobuf import duration_pb2

from ingest.v1 import job_pb2
from ingest_client.inputs import Blob, Input, InputLike, as_input
from ingest_client.task import Task, extract

# Encoding costs about as much as copying so many bytes a few times over; longer ones are not worth holding twice.
_KEPT_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a failed job is tried again; 0 and None mean the server's defaults. Waits in seconds."""

    max_attempts: int = 0
    initial_backoff_seconds: float | None = None
    max_backoff_seconds: float | None = None
    backoff_multiplier: float = 0.0
    non_retryable_reasons: tuple[str, ...] = ()
    max_crashes: int = 0


@dataclass(frozen=True, slots=True)
class Callback:
    """An HTTP POST on state changes; `events` are state names as in job.proto, none means the terminal ones."""

    url: str
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class JobSpec:
    """One unit of work. Fields left alone take the server's defaults; see `ingest.v1.JobSpec` for limits.

    Attributes:
        input: bytes, a path, a URI that the server fetches, or an `Input`.
        tasks: one, or several in order; none means `extract()`. Kept as a tuple.
        queue: "" means "default".
        labels: to filter by.
        priority: 0 (last) … 9 (first); None means 5.
        job_id: a UUID of your own, or "".
        use_existing: answer with the job that has `job_id` already instead of refusing.
        fairness_key, concurrency_key: whom it shares workers with, and what it must not run beside.
        start_time: not before this moment (aware). Not together with `start_delay_seconds`.
        start_delay_seconds: not before so long after it was accepted.
        attempt_timeout_seconds, total_timeout_seconds: for one attempt, and from acceptance to the end.
        retry_policy: for failed attempts.
        dedupe_key, dedupe_window_seconds: answer with the earlier job of that key.
        result_ttl_seconds: how long the ended job is kept.
        callbacks: HTTP calls on state changes, where the server offers them.
    """

    input: InputLike = b""
    tasks: Task | Sequence[Task] = ()
    queue: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    priority: int | None = None
    job_id: str = ""
    use_existing: bool = False
    fairness_key: str = ""
    concurrency_key: str = ""
    start_time: datetime | None = None
    start_delay_seconds: float | None = None
    attempt_timeout_seconds: float | None = None
    total_timeout_seconds: float | None = None
    retry_policy: RetryPolicy | None = None
    dedupe_key: str = ""
    dedupe_window_seconds: float | None = None
    result_ttl_seconds: float | None = None
    callbacks: tuple[Callback, ...] = ()
    _shape: bytes | None = field(default=None, init=False, repr=False)
    _item: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.start_time is not None and self.start_delay_seconds is not None:
            raise ValueError("a job has a start_time or a start_delay_seconds, not both")
        if self.start_time is not None and self.start_time.tzinfo is None:
            raise ValueError(f"start_time {self.start_time} has no time zone; add tzinfo")
        tasks = (self.tasks,) if isinstance(self.tasks, Task) else tuple(self.tasks)
        object.__setattr__(self, "tasks", tasks)
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))

    def with_input(self, value: InputLike) -> JobSpec:
        """The same job for another input. The encoded policy is shared, so this is the cheap way to make many."""
        copy = object.__new__(JobSpec)
        for name in _FIELD_NAMES:  # ten times as fast as dataclasses.replace, which runs every check again
            object.__setattr__(copy, name, getattr(self, name))
        object.__setattr__(copy, "_shape", self.shape())
        object.__setattr__(copy, "_item", None)
        object.__setattr__(copy, "input", value)
        return copy

    def shape(self) -> bytes:
        """The serialized message without its input; made once, shared with the copies of `with_input`."""
        if self._shape is None:
            object.__setattr__(self, "_shape", self._message().SerializeToString())
        return self._shape or b""

    @property
    def item(self) -> bytes | None:
        """The whole job as `keep_item` left it; None if it has to be encoded."""
        return self._item

    def keep_item(self, encoded: bytes) -> None:
        """Keep the encoded job for the next time, if it can never differ: short bytes, not a file or an `Input`."""
        if type(self.input) is bytes and len(encoded) <= _KEPT_BYTES_MAX:
            object.__setattr__(self, "_item", encoded)

    def to_proto(self) -> job_pb2.JobSpec:
        """The whole message. A file is named, not read: `Client.submit` is what sends its bytes."""
        message = job_pb2.JobSpec.FromString(self.shape())
        given = as_input(self.input)
        message.input.CopyFrom(given.header())
        if given.data is not None:
            message.input.data = given.data
        return message

    def _steps(self) -> Sequence[Task]:
        return ((self.tasks,) if isinstance(self.tasks, Task) else self.tasks) or (extract(),)

    def _message(self) -> job_pb2.JobSpec:
        message = job_pb2.JobSpec(
            job_id=self.job_id,
            queue=self.queue,
            tasks=[task.to_proto() for task in self._steps()],
            labels=self.labels,
            fairness_key=self.fairness_key,
            concurrency_key=self.concurrency_key,
            dedupe_key=self.dedupe_key,
            callbacks=[job_pb2.Callback(url=each.url, events=each.events) for each in self.callbacks],
        )
        if self.use_existing:
            message.conflict_policy = job_pb2.CONFLICT_POLICY_USE_EXISTING
        if self.priority is not None:
            message.priority = self.priority
        if self.start_time is not None:
            message.start_time.FromDatetime(self.start_time)
        if self.retry_policy is not None:
            message.retry_policy.CopyFrom(_retry_policy(self.retry_policy))
        for target, seconds in (
            ("start_delay", self.start_delay_seconds),
            ("attempt_timeout", self.attempt_timeout_seconds),
            ("total_timeout", self.total_timeout_seconds),
            ("dedupe_window", self.dedupe_window_seconds),
            ("result_ttl", self.result_ttl_seconds),
        ):
            if seconds is not None:
                getattr(message, target).CopyFrom(duration(seconds))
        return message


_FIELD_NAMES = tuple(each.name for each in dataclasses.fields(JobSpec))


def duration(seconds: float) -> duration_pb2.Duration:
    """Seconds as the message, to the microsecond."""
    message = duration_pb2.Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def spec_from_proto(message: job_pb2.JobSpec) -> JobSpec:
    """Read back the spec that a full view carries; its input has a name and a size, but no bytes."""
    payload = message.input
    blob = Blob(payload.blob.sha256, payload.blob.size_bytes) if payload.HasField("blob") else None
    return JobSpec(
        input=Input(payload.media_type, payload.name, dict(payload.metadata), blob=blob, uri=payload.uri),
        tasks=tuple(
            Task(each.custom.handler or each.WhichOneof("kind") or "", each.SerializeToString()) for each in message.tasks
        ),
        queue=message.queue,
        labels=dict(message.labels),
        priority=message.priority if message.HasField("priority") else None,
        job_id=message.job_id,
        use_existing=message.conflict_policy == job_pb2.CONFLICT_POLICY_USE_EXISTING,
        fairness_key=message.fairness_key,
        concurrency_key=message.concurrency_key,
        dedupe_key=message.dedupe_key,
        callbacks=tuple(_callback(each) for each in message.callbacks),
        **_times(message),
    )


def _callback(message: job_pb2.Callback) -> Callback:
    return Callback(message.url, tuple(job_pb2.JobState.Name(event) for event in message.events))


def _times(message: job_pb2.JobSpec) -> dict[str, Any]:
    """The fields of `JobSpec` that are a moment, a span or the retry policy, where the message has them."""
    found: dict[str, Any] = {}
    for source in ("start_delay", "attempt_timeout", "total_timeout", "dedupe_window", "result_ttl"):
        if message.HasField(source):
            found[f"{source}_seconds"] = getattr(message, source).ToTimedelta().total_seconds()
    if message.HasField("start_time"):
        found["start_time"] = message.start_time.ToDatetime(UTC)
    if message.HasField("retry_policy"):
        policy = message.retry_policy
        found["retry_policy"] = RetryPolicy(
            max_attempts=policy.max_attempts,
            initial_backoff_seconds=policy.initial_backoff.ToTimedelta().total_seconds(),
            max_backoff_seconds=policy.max_backoff.ToTimedelta().total_seconds(),
            backoff_multiplier=policy.backoff_multiplier,
            non_retryable_reasons=tuple(policy.non_retryable_reasons),
            max_crashes=policy.max_crashes,
        )
    return found


def _retry_policy(policy: RetryPolicy) -> job_pb2.RetryPolicy:
    message = job_pb2.RetryPolicy(
        max_attempts=policy.max_attempts,
        backoff_multiplier=policy.backoff_multiplier,
        non_retryable_reasons=policy.non_retryable_reasons,
        max_crashes=policy.max_crashes,
    )
    if policy.initial_backoff_seconds is not None:
        message.initial_backoff.CopyFrom(duration(policy.initial_backoff_seconds))
    if policy.max_backoff_seconds is not None:
        message.max_backoff.CopyFrom(duration(policy.max_backoff_seconds))
    return message
