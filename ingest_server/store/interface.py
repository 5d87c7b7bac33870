"""What every job store promises: the verbs, their conditions, order and atomicity.

**Words.** A *row number* is the store's own number of a job (`seq`), growing with acceptance and never used again; a `job_id` is
the 16 bytes of its UUID. A *group* is the line a waiting job stands in: tenant, queue and fairness key. A *lease* is the right
to run a set of jobs until a time; its number is the fencing token: larger for every later lease. A *position* is a number of the
event log.

**RUNNING is a lease.** A store keeps no mark "running" apart from the lease itself: a job is RUNNING if and only if an unfinished
lease holds it. So no job can be RUNNING without a lease, whatever dies when.

**Writes** (`submit` … `purge`) are atomic each, durable (fsync) when they return, and serialised: there is one order of all
writes, and the event log is that order. Concurrent calls are committed in groups; a caller that is cancelled while it waits does
not undo its write. Every write reports what it changed to the listeners (`subscribe`), in the order of the log, *before* its
caller gets the answer.

**Reads** see everything that was committed before they were called.

**Bytes.** `spec`, `payload`, `output`, `failure`, `history` and `progress` are opaque: kept and given back, never parsed.
`history` is in the form of `ingest_server.store.history`.

**Time.** `now_us` is an argument everywhere, microseconds since the Unix epoch (UTC). No store reads a clock.

**Errors.** `NotFound`, `Conflict` and `Exhausted` as named at each verb; `Exhausted` (STORAGE_FULL) from any write when the disk
is full; `Unavailable` (STORE_UNAVAILABLE) from any verb when the store is gone or was closed: then it is unknown whether a write
took effect. After a failed write the store is unchanged.

What travels to and from it is in `records.py`. Deliveries of callbacks have verbs and words of their own: `outbox.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from ingest_server.domain.job import JobState
from ingest_server.store.outbox import Outbox
from ingest_server.store.records import (
    ActionAnswer,
    Detail,
    Event,
    GroupKey,
    JobPage,
    JobQuery,
    Lease,
    Listener,
    QueueRow,
    Settlement,
    SubmitAnswer,
    SubmitBatch,
)


@dataclass(frozen=True, slots=True)
class StoreCapabilities:
    """How this store differs from others. Declared, never guessed.

    Attributes:
        name: of the engine.
        durable: survives the end of the process.
        shared: several servers may use one at a time.
    """

    name: str
    durable: bool
    shared: bool


class JobStore(Outbox):
    """Jobs, leases, events, queue settings, and deliveries of callbacks. See the module for what holds of all verbs."""

    capabilities: StoreCapabilities

    # ---- life

    @abstractmethod
    async def open(self, now_us: int) -> None:
        """Check the store, bring its schema up to date, and end all leases of servers before (their jobs become QUEUED again
        with nothing counted; CANCELLING ones become CANCELLED). Queue "default" exists afterwards.

        Raises Unavailable if it is damaged, newer than this program, or in use by another server; the message says what to do.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish the writes that are under way, release everything. Later calls raise Unavailable. Closing twice is harmless."""

    @abstractmethod
    def subscribe(self, listener: Listener) -> None:
        """Call `listener` after every commit from now on. Before `open`: it also hears what `open` changed."""

    # ---- writes

    @abstractmethod
    async def submit(self, batch: SubmitBatch, now_us: int) -> SubmitAnswer:
        """Accept jobs. Row numbers follow the order of the items. Without items it only makes the batch, if it is new; `purge`
        forgets an empty batch a day after it was made.

        A dedupe key that is taken (same tenant and queue, job accepted less than the window ago, not deleted) answers EXISTING,
        before `job_id` is looked at; so does the same key twice in one batch. A taken `job_id` (by any tenant: an id of another
        tenant is a conflict, never EXISTING) answers EXISTING or CONFLICT.

        A `request_id` used within the last 24 hours by the tenant gets the stored answer, without a lease.

        Raises:
            Conflict: REQUEST_ID_REUSED when the digest differs.
            NotFound: QUEUE_NOT_FOUND; nothing is accepted.
        """

    @abstractmethod
    async def lease(self, wanted: Sequence[tuple[int, int]], until_us: int, now_us: int) -> Lease:
        """Take jobs to run: for each (group, count) up to `count`, in the order given.

        Eligible is a job that is QUEUED (a SCHEDULED one whose time has come is not, until `promote`), whose deadline is not
        past, and whose concurrency key no leased job has. Within a group: by `create_us - priority * ageing`, then row number:
        a job of higher priority goes first unless the other has waited `ageing` longer per step; `ageing` is given to the
        store when it is made. All jobs taken are of one new lease that ends at `until_us`.
        A store may let a job past its deadline hold up those behind it with the same concurrency key until `reap` ends it.
        """

    @abstractmethod
    async def heartbeat(self, leases: Sequence[int], until_us: int, now_us: int) -> Sequence[int]:
        """Let these leases end at `until_us` instead. Answers those that exist no more: their attempts are lost."""

    @abstractmethod
    def settle(self, settlements: Sequence[Settlement], now_us: int) -> Awaitable[Sequence[int]]:
        """Conclude attempts. Answers the indexes of the settlements that were refused, ascending. The store may begin before the
        answer is awaited, and raises nothing before.

        Refused, and without any effect, is one whose job is not held by that very lease: a late worker changes nothing.
        SUCCEEDED, FAILED, CANCELLED, EXPIRED end the job. RETRY and CRASHED_RETRY make it SCHEDULED until `due_us` (QUEUED if
        that is not later than now), HANDED_BACK makes it QUEUED; if the job is CANCELLING these three make it CANCELLED
        instead. The attempt is appended to the history, except for HANDED_BACK.
        """

    @abstractmethod
    async def cancel(self, query: JobQuery, failure: bytes, limit: int, now_us: int) -> Sequence[ActionAnswer]:
        """Ask jobs to end: SCHEDULED and QUEUED become CANCELLED with `failure`, RUNNING becomes CANCELLING (keeps `failure` for
        the case that the settlement says CANCELLED without one). For `job_ids` one answer per id, in order; otherwise at most
        `limit` live jobs that are not CANCELLING already, by row number, one answer each."""

    @abstractmethod
    async def delete(self, query: JobQuery, limit: int, now_us: int) -> Sequence[ActionAnswer]:
        """Forget terminal jobs. For `job_ids` one answer per id, in order; otherwise at most `limit` terminal jobs, by row
        number, one answer each. Makes no event."""

    @abstractmethod
    async def promote(self, limit: int, now_us: int) -> int:
        """Make up to `limit` SCHEDULED jobs whose time has come QUEUED, the longest due first. Answers how many."""

    @abstractmethod
    async def reap(self, limit: int, now_us: int, failure: bytes) -> tuple[int, int]:
        """End what is overdue, up to `limit` of each: leases past their end (their jobs become QUEUED, nothing counted;
        CANCELLING ones CANCELLED); live jobs without a lease whose deadline is past (EXPIRED, with `failure`). Answers how
        many jobs of each."""

    @abstractmethod
    async def purge(self, limit: int, now_us: int, events_before_us: int) -> int:
        """Forget up to `limit` ended jobs whose retention is over, dedupe keys and request ids whose time is over, empty
        batches and groups, and events older than `events_before_us`. Answers the number of jobs. Makes no event."""

    @abstractmethod
    async def put_queue(self, queue: QueueRow, now_us: int) -> None:
        """Make or change a queue's settings."""

    # ---- reads

    @abstractmethod
    async def queues(self) -> Sequence[QueueRow]:
        """All queues by name."""

    @abstractmethod
    async def groups(self) -> dict[int, tuple[GroupKey, int]]:
        """All groups: number → (key, number of jobs that can be leased now)."""

    @abstractmethod
    async def jobs(
        self,
        query: JobQuery,
        *,
        limit: int,
        from_seq: int = 0,
        newest_first: bool = False,
        detail: Detail = Detail.BASIC,
        bytes_max: int = 0,
        now_us: int,
    ) -> JobPage:
        """Read jobs. With `job_ids`: the known ones, in the order asked; `next_seq` is then the index of the first id that was
        not looked at because of `bytes_max`, or 0. Otherwise by row number, ascending or descending, from `from_seq` on
        (included; 0: from the end it begins at).

        `detail` says which opaque bytes are filled. `bytes_max` stops the page before their sum exceeds it (0: no such stop;
        the first row always fits). A page may stop early, with `next_seq` set, when it has looked at 50,000 jobs. Jobs past
        their retention do not exist any more.
        """

    @abstractmethod
    async def count(
        self, query: JobQuery, *, now_us: int, by_state: bool = False, by_queue: bool = False, by_label: str = ""
    ) -> dict[tuple[JobState | None, str, str], int]:
        """Count jobs by the chosen columns; those not chosen are None or "" in the key. `by_label` names the label's key; "" for
        not chosen."""

    @abstractmethod
    async def batch(self, tenant: str, batch_id: bytes) -> int:
        """Number of a batch, 0 if the tenant has none of that id."""

    @abstractmethod
    async def batch_ids(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Ids of batches, 16 bytes, by number; those that are forgotten are left out."""

    @abstractmethod
    async def events_after(self, position: int, limit: int) -> Sequence[Event]:
        """Events with a greater position, in order, at most `limit` (rounded up to whole commits). Empty: nothing newer."""

    @abstractmethod
    async def span(self) -> tuple[int, int]:
        """(oldest position after which events are complete, newest position). A token below the first is too old."""

    @abstractmethod
    async def blobs_in_use(self, digests: Sequence[bytes], tenant: str = "") -> Sequence[bool]:
        """For each sha256 (32 bytes): does any job (of `tenant`, if given) refer to it?"""

    @abstractmethod
    async def statistics(self) -> dict[str, float]:
        """Figures for people: size in bytes, rows, commits, rows per commit, ….  Names end in their unit."""
