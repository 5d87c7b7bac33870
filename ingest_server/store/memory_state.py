"""What the store in memory holds: jobs, lines, lanes and the log, and the few moves that keep them consistent.

`memory.py` has the verbs. Groups keep sorted lists and lanes keep counts, so it stays usable at some 100,000 waiting jobs;
everything else is a dict or a scan.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from ingest_server.domain.ids import IdentifierSource
from ingest_server.domain.job import JobState
from ingest_server.store.records import ANY_PARTS, Changes, Detail, Event, EventDetail, GroupKey, JobPolicy, JobQuery, JobRow

Lane = tuple[str, str, str]
"""(tenant, queue, concurrency_key)"""


@dataclass(slots=True, eq=False)
class Job:
    """A job. Fields as in `JobRow`; `state` says QUEUED also while it is leased, for RUNNING is the lease."""

    seq: int
    job_id: bytes
    batch: int
    group: int
    policy: JobPolicy
    state: JobState
    create_us: int
    order: tuple[int, int]
    payload: bytes
    blobs: set[bytes]
    retried_from: bytes
    lease: int = 0
    lease_start_us: int = 0
    attempt: int = 0
    crash_count: int = 0
    revision: int = 0
    start_us: int = 0
    end_us: int = 0
    expire_us: int = 0
    due_us: int = 0
    worker: str = ""
    failure: bytes = b""
    progress: bytes = b""
    output: bytes = b""
    history: bytes = b""

    @property
    def public_state(self) -> JobState:
        """The state that everybody sees."""
        return JobState.RUNNING if self.lease and self.state is JobState.QUEUED else self.state

    @property
    def lane(self) -> Lane | None:
        """The line of its concurrency key."""
        policy = self.policy
        return (policy.tenant, policy.queue, policy.concurrency_key) if policy.concurrency_key else None

    def overdue(self, now_us: int) -> bool:
        """Whether its deadline is past."""
        return 0 < self.policy.deadline_us <= now_us

    def gone(self, now_us: int) -> bool:
        """Whether its retention is over."""
        return 0 < self.expire_us <= now_us

    def matches(self, query: JobQuery, now_us: int) -> bool:
        """Whether a query without ids means this job, but for the batch."""
        policy = self.policy
        return (
            not self.gone(now_us)
            and query.tenant in ("", policy.tenant)
            and (not query.states or self.public_state in query.states)
            and (not query.queues or policy.queue in query.queues)
            and all(label in policy.labels for label in query.labels)
            and self.create_us >= query.create_from_us
            and (not query.create_before_us or self.create_us < query.create_before_us)
            and (bool(policy.part_of) if query.part_of == ANY_PARTS else policy.part_of == query.part_of)
        )

    def row(self, batch_id: bytes, detail: Detail) -> JobRow:
        """As the interface gives it."""
        policy, leased = self.policy, bool(self.lease)
        state = self.public_state
        return JobRow(
            self.seq, self.job_id, batch_id, self.batch, self.group, policy.tenant, policy.queue, policy.fairness_key,
            policy.concurrency_key, policy.priority, tuple(sorted(policy.labels)), state, self.attempt + leased, self.crash_count,
            self.revision, self.create_us, self.lease_start_us if leased else self.start_us, self.end_us, self.expire_us,
            self.due_us, policy.deadline_us, "" if leased else self.worker, self.retried_from,
            b"" if state is JobState.RUNNING else self.failure, b"" if leased else self.progress,
            *((policy.spec, self.payload, self.history) if detail is Detail.FULL else (b"", b"", b"")),
            self.output if detail else b"", policy.part_of,
        )  # fmt: skip


@dataclass(slots=True)
class Group:
    """A group: how many jobs of any state it has, and the orders of its QUEUED jobs without a lease, ascending."""

    key: GroupKey
    jobs: int = 0
    waiting: list[tuple[int, int]] = field(default_factory=list)


class MemoryState:
    """All of it, with the changes of the verb that runs now.

    Attributes:
        gone: row numbers of the jobs that this verb forgot.
    """

    def __init__(self) -> None:
        self.identifiers = IdentifierSource()
        self.jobs: dict[int, Job] = {}
        self.by_id: dict[bytes, Job] = {}
        self.groups: dict[int, Group] = {}
        self.group_numbers: dict[GroupKey, int] = {}
        self.lane_waiting: dict[Lane, dict[int, int]] = {}
        self.lane_holders: dict[Lane, int] = {}
        self.leases: dict[int, tuple[int, set[int]]] = {}
        self.batches: dict[tuple[str, bytes], int] = {}
        self.batch_ids: dict[int, bytes] = {}
        self.batch_sizes: dict[int, int] = {}
        self.batches_empty: dict[int, int] = {}
        self.log: list[list[Event]] = []
        self.forgotten = 0
        self._last = {"seq": 0, "position": 0, "batch": 0, "group": 0}
        self._begin()

    def _begin(self) -> None:
        self.gone: list[int] = []
        self._events: list[Event] = []
        self._details: dict[int, EventDetail] = {}
        self._new_groups: dict[int, GroupKey] = {}
        self._ready: dict[int, int] = {}

    @property
    def events(self) -> list[Event]:
        """Events since the last commit."""
        return self._events

    def commit(self, *, queue_config: bool = False, deliveries: bool = False) -> Changes | None:
        """What changed since the last commit; None if there is nothing to tell."""
        ready = {group: change for group, change in self._ready.items() if change}
        changes = Changes(self._events, self._details, self._new_groups, ready, queue_config, deliveries)
        if self._events:
            self.log.append(self._events)
        self._begin()
        told = changes.events or changes.groups or changes.ready or queue_config or deliveries
        return changes if told else None

    def number(self, kind: str) -> int:
        """The next number of a kind."""
        self._last[kind] += 1
        return self._last[kind]

    @property
    def position(self) -> int:
        """Newest position of the log."""
        return self._last["position"]

    def emit(self, job: Job, attempt: int, now_us: int, detail: EventDetail | None = None) -> None:
        """Log the state a job has now."""
        job.revision = self.number("position")
        self._events.append((job.revision, job.seq, job.job_id, job.group, job.batch, int(job.public_state), attempt, now_us))
        if detail is not None:
            self._details[job.revision] = detail

    def group_number(self, key: GroupKey) -> int:
        """The group of that key, made if it is new."""
        number = self.group_numbers.get(key, 0)
        if not number:
            number = self.group_numbers[key] = self.number("group")
            self.groups[number] = Group(key)
            self._new_groups[number] = key
        return number

    def batch_number(self, tenant: str, batch_id: bytes) -> int:
        """The batch of that id, made if it is new."""
        number = self.batches.get((tenant, batch_id), 0)
        if not number:
            number = self.batches[tenant, batch_id] = self.number("batch")
            self.batch_ids[number] = batch_id
        return number

    def ready(self, number: int) -> int:
        """Jobs of a group that can be leased now: of a concurrency key at most one, none while another is leased."""
        group = self.groups[number]
        jobs = [self.jobs[seq] for _, seq in group.waiting]
        free = sum(job.lane is None for job in jobs)
        return free + len({job.lane for job in jobs if job.lane and job.lane not in self.lane_holders})

    def wait(self, job: Job) -> None:
        """A QUEUED job without a lease enters its line."""
        insort(self.groups[job.group].waiting, job.order)
        self._count(job, 1)

    def leave(self, job: Job) -> None:
        """It leaves its line."""
        waiting = self.groups[job.group].waiting
        del waiting[bisect_left(waiting, job.order)]
        self._count(job, -1)

    def _count(self, job: Job, by: int) -> None:
        """Change the ready count of the group; a lane counts once per group, and not at all while one of its jobs is leased."""
        lane = job.lane
        if lane is not None:
            counts = self.lane_waiting.setdefault(lane, {})
            before = bool(counts.get(job.group))
            counts[job.group] = counts.get(job.group, 0) + by
            by = 0 if lane in self.lane_holders else bool(counts[job.group]) - before
            if not counts[job.group]:
                del counts[job.group]
            if not counts:
                del self.lane_waiting[lane]
        self._ready[job.group] = self._ready.get(job.group, 0) + by

    def take(self, job: Job, lease: int, until_us: int, now_us: int) -> None:
        """Lease a waiting job."""
        self.leave(job)
        if job.lane is not None:
            self._change_lane(job.lane, -1)
            self.lane_holders[job.lane] = job.seq
        job.lease, job.lease_start_us = lease, now_us
        self.leases.setdefault(lease, (until_us, set()))[1].add(job.seq)
        self.emit(job, job.attempt + 1, now_us)

    def release(self, job: Job) -> None:
        """Take the lease off a job."""
        seqs = self.leases[job.lease][1]
        seqs.discard(job.seq)
        if not seqs:
            del self.leases[job.lease]
        job.lease = 0
        if job.lane is not None:
            del self.lane_holders[job.lane]
            self._change_lane(job.lane, 1)

    def _change_lane(self, lane: Lane, by: int) -> None:
        for group in self.lane_waiting.get(lane, ()):
            self._ready[group] = self._ready.get(group, 0) + by

    def end(self, job: Job, state: JobState, end_us: int) -> None:
        """Make a job, neither leased nor in a line, terminal."""
        job.state = state
        job.due_us = 0
        job.end_us = end_us
        job.expire_us = end_us + job.policy.result_ttl_us

    def forget(self, job: Job) -> None:
        """Remove an ended job, and its batch with the last of it."""
        self.gone.append(job.seq)
        del self.jobs[job.seq], self.by_id[job.job_id]
        self.groups[job.group].jobs -= 1
        if not job.batch:
            return
        self.batch_sizes[job.batch] -= 1
        if not self.batch_sizes[job.batch]:
            del self.batch_sizes[job.batch]
            self.forget_batch(job.batch)

    def forget_batch(self, number: int) -> None:
        """Remove a batch without jobs."""
        del self.batch_ids[number]
        self.batches = {key: other for key, other in self.batches.items() if other != number}
