"""What travels to and from a job store: the rows, and the words for them. What the store does with them: `interface.py`.

Hot rows are plain tuples: at 100,000 jobs a second an object per job is what one cannot afford. Their columns are named by the
aliases below, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from ingest_server.domain.job import JobState

# --------------------------------------------------------------------------------------------------------------------- submit


CallbackTarget: TypeAlias = tuple[str, str, int]
"""(url, host: what bounds and fairness go by, mask of the states told of: bit `1 << JobState`)"""


@dataclass(frozen=True, slots=True)
class JobPolicy:
    """All that jobs of one submit have in common. One object serves every job with equal values: writers may rely on identity
    being rarer than equality, readers on neither.

    Attributes:
        tenant, queue, fairness_key: the group.
        concurrency_key: at most one job per tenant, queue and key is leased at a time; "" means no such limit.
        priority: 0 (last) … 9 (first).
        labels: sorted pairs.
        start_us: not leased before; 0 means at once. Later than `now_us`: the job begins SCHEDULED.
        deadline_us: EXPIRED when it has not ended by then; 0 means never.
        result_ttl_us: kept so long after its end.
        use_existing: a taken `job_id` answers with the job that has it, instead of a conflict.
        dedupe_window_us: how long a dedupe key stays taken.
        spec: what the engine needs to run it; opaque.
        callbacks: whom to tell of its states, at most `outbox.TARGETS_MAX`; see `outbox.py`.
        part_of: 16-byte id of the job they are parts of; b"" for jobs of their own right. A part belongs to no batch (number 0),
            and only a query that names its id or `part_of` finds it. All policies of a submit have the same.
        line_us: they stand in line as if they had been accepted then; 0: when they are. So parts keep the place of their job.
    """

    tenant: str
    queue: str
    fairness_key: str
    concurrency_key: str
    priority: int
    labels: tuple[tuple[str, str], ...]
    start_us: int
    deadline_us: int
    result_ttl_us: int
    use_existing: bool
    dedupe_window_us: int
    spec: bytes
    callbacks: tuple[CallbackTarget, ...] = ()
    part_of: bytes = b""
    line_us: int = 0


NewJob: TypeAlias = tuple[int, bytes, bytes, str, bytes]
"""(index into `SubmitBatch.policies`, job_id: 16 bytes or b"" for a fresh UUIDv7, payload, dedupe_key or "",
blob sha256: 32 bytes that the job refers to, or b"")"""


@dataclass(frozen=True, slots=True)
class SubmitBatch:
    """Jobs to accept, all of one tenant.

    Attributes:
        tenant: their owner.
        request_id: 16 bytes that make the submit repeatable, or b"".
        request_digest: of the request's content; tells a repeat from a reuse of the id. b"" without request_id.
        batch_id: 16 bytes; joined or made. b"": a new batch with a fresh UUIDv7.
        all_or_nothing: accept no job if one conflicts.
        policies: see `NewJob`.
        jobs: in the order of the call.
        grant: lease at once up to so many of these jobs, in order, that are new, QUEUED and have no concurrency key. 0: none.
        grant_lease_us: how long such a lease lasts.
        retried_from: parallel to `jobs`: 16-byte ids of the jobs these were made from; empty if none were.
        refused: index → `SubmitCode` of items that are not to be accepted; they are part of the answer, and of a stored one.
    """

    tenant: str
    request_id: bytes
    request_digest: bytes
    batch_id: bytes
    all_or_nothing: bool
    policies: Sequence[JobPolicy]
    jobs: Sequence[NewJob]
    grant: int = 0
    grant_lease_us: int = 0
    retried_from: Sequence[bytes] = ()
    refused: Mapping[int, int] = field(default_factory=dict)


class SubmitCode(IntEnum):
    """What became of one item."""

    CREATED = 0
    EXISTING = 1
    CONFLICT = 2
    REFUSED = 3
    """All-or-nothing: nothing wrong with this item, another was refused."""
    QUEUE_NOT_FOUND = 4
    """There is no queue of that name. Found before the store is asked."""
    BLOB_NOT_FOUND = 5
    """The input refers to a blob that is not there for this tenant. Found before the store is asked."""


@dataclass(frozen=True, slots=True)
class SubmitAnswer:
    """What became of a submit.

    Attributes:
        batch_id: 16 bytes.
        job_ids: one per item, in order: the new id, or the one that was there.
        codes: one `SubmitCode` per item; empty means all CREATED.
        repeated: this is the stored answer of an earlier call with the same request_id.
        lease: number of the lease made by `grant`; 0 if none.
        leased: (index of the item, row number) of the leased items, in order.
        groups: numbers of the groups of `SubmitBatch.policies`, parallel to them. Empty without a lease.
    """

    batch_id: bytes
    job_ids: Sequence[bytes]
    codes: Sequence[int]
    repeated: bool
    lease: int
    leased: Sequence[tuple[int, int]]
    groups: Sequence[int] = ()


# ---------------------------------------------------------------------------------------------------------------------- lease

LeasedJob: TypeAlias = tuple[int, bytes, int, bytes, bytes, int, int, int, int]
"""(seq, job_id, group, spec, payload, attempt: number of this attempt from 1, crash_count, deadline_us, create_us)"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A fresh lease: its number, and its jobs in the order in which they were chosen. No job: number 0."""

    number: int
    jobs: Sequence[LeasedJob]


class Verdict(IntEnum):
    """What a settlement says about an attempt."""

    SUCCEEDED = 0
    FAILED = 1
    CANCELLED = 2
    EXPIRED = 3
    RETRY = 4
    """Failed, goes again at `due_us`; the attempt counts."""
    CRASHED_RETRY = 5
    """Killed its worker, goes again at `due_us`; the crash counts, the attempt does not."""
    HANDED_BACK = 6
    """Never started, or given up by us: goes again at once; nothing counts."""
    POISONED = 7
    """FAILED, because it killed its worker once too often: the crash counts. Kept in the history as FAILED."""


Settlement: TypeAlias = tuple[int, int, int, bytes, bytes, bytes, bytes, str, int, int, int]
"""(seq, lease, Verdict, output, failure, progress, blob sha256 of the output: 32 bytes or b"", worker, start_us: 0 if it never
started, end_us, due_us: for RETRY and CRASHED_RETRY, else 0)"""


# --------------------------------------------------------------------------------------------------------------------- events

Event: TypeAlias = tuple[int, int, bytes, int, int, int, int, int]
"""(position, seq, job_id, group, batch number, JobState after the change, attempt, time_us). Positions are consecutive."""

EventDetail: TypeAlias = tuple[bytes, bytes]
"""(output, failure): of terminal events, and the failure of a retry. Given to listeners only, never logged apart from the row."""

GroupKey: TypeAlias = tuple[str, str, str]
"""(tenant, queue, fairness_key)"""


@dataclass(frozen=True, slots=True)
class Changes:
    """What one group commit changed.

    Attributes:
        events: in the order of the log, without a gap to the commit before.
        details: position → detail, for the events that have one.
        groups: numbers of groups that are new to the listeners, with their keys.
        ready: group number → change of the number of its jobs that can be leased now.
        queue_config: the queue settings were changed by this commit: read them again.
        deliveries: deliveries of callbacks may have become due with this commit.
    """

    events: Sequence[Event]
    details: dict[int, EventDetail]
    groups: dict[int, GroupKey]
    ready: dict[int, int]
    queue_config: bool = False
    deliveries: bool = False


Listener: TypeAlias = Callable[[Changes], None]
"""Called in the event loop, must return soon and must not raise."""


# ---------------------------------------------------------------------------------------------------------------------- reads


class Detail(IntEnum):
    """Which opaque bytes of a job are read. `failure` and `progress` always are."""

    BASIC = 0
    """None of spec, payload, history, output."""
    OUTPUT = 1
    """The output."""
    FULL = 2
    """All."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the store has it. Times in microseconds, 0 for never. Opaque bytes b"" where there are none or they were not
    asked for (`Detail`)."""

    seq: int
    job_id: bytes
    batch_id: bytes
    batch: int
    group: int
    tenant: str
    queue: str
    fairness_key: str
    concurrency_key: str
    priority: int
    labels: tuple[tuple[str, str], ...]
    state: JobState
    attempt: int
    crash_count: int
    revision: int
    create_us: int
    start_us: int
    end_us: int
    expire_us: int
    due_us: int
    deadline_us: int
    worker: str
    retried_from: bytes
    failure: bytes
    progress: bytes
    spec: bytes
    payload: bytes
    history: bytes
    output: bytes
    part_of: bytes = b""


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs. All given conditions hold.

    Attributes:
        tenant: their owner; "" means any (the server's own use).
        job_ids: these, 16 bytes each; None for no condition. Excludes all others but tenant.
        batch_id: of this batch, 16 bytes, or b"".
        states, queues: any of them; empty for no condition.
        labels: all of them.
        create_from_us, create_before_us: accepted in this half-open span; 0 for no bound.
        part_of: parts of this job, 16 bytes; b"" means no parts at all, `ANY_PARTS` those of any job.
    """

    tenant: str
    job_ids: Sequence[bytes] | None = None
    batch_id: bytes = b""
    states: frozenset[JobState] = frozenset()
    queues: frozenset[str] = frozenset()
    labels: tuple[tuple[str, str], ...] = ()
    create_from_us: int = 0
    create_before_us: int = 0
    part_of: bytes = b""


ANY_PARTS = b"*"
"""`JobQuery.part_of`: the parts of all jobs."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs.

    Attributes:
        rows: the jobs.
        next_seq: hand this in as `from_seq` to go on; 0 when there are no more.
        position: of the event log, from which no change after this page is missed.
    """

    rows: Sequence[JobRow]
    next_seq: int
    position: int


@dataclass(frozen=True, slots=True)
class QueueRow:
    """Settings of a queue; 0 means no limit."""

    name: str
    weight: int
    running_max: int
    start_rate_per_second: float
    paused: bool


@dataclass(frozen=True, slots=True)
class ActionAnswer:
    """What became of one job of a cancel or delete: its state afterwards (None: unknown, or deleted now), and whether it was
    changed by this call. For a running job of a cancel, `lease` and `seq` name the attempt to stop."""

    job_id: bytes
    state: JobState | None
    changed: bool
    seq: int = 0
    lease: int = 0
