"""The one writer: runs all commands that wait in one transaction, and answers them together.

When the transaction fails, it is rolled back, the state in memory is read again, and each command gets a transaction of its own:
so only the guilty one is refused, and a purge that frees space succeeds on a disk on which no submit does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import apsw

from ingest_server.domain.errors import Exhausted, IngestError
from ingest_server.store.sqlite import deliveries, due, ending, faults, leasing, purging, recovery, settling, submit, wal
from ingest_server.store.sqlite.state import State
from ingest_server.store.sqlite.transaction import Transaction

Command: TypeAlias = tuple[int, str, tuple[Any, ...]]
"""(number of the call, verb, arguments)"""

Answer: TypeAlias = tuple[int, bool, Any]
"""(number of the call, whether it succeeded, the answer or a `faults.Fault`)"""

Told: TypeAlias = tuple[bytes, dict[int, tuple[bytes, bytes]], dict[int, tuple[str, str, str]], dict[int, int], bool, bool]
"""What one commit changed: (packed events, details, new groups, changes of ready counts, queues changed, deliveries due)"""

VERBS: dict[str, Callable[..., Any]] = {
    "submit": submit.submit,
    "lease": leasing.lease,
    "heartbeat": leasing.heartbeat,
    "settle": settling.settle,
    "cancel": ending.cancel,
    "delete": ending.delete,
    "promote": due.promote,
    "reap": due.reap,
    "purge": purging.purge,
    "put_queue": purging.put_queue,
    "record_deliveries": deliveries.record,
    "redeliver": deliveries.redeliver,
}

FULL_CHECKPOINT_SECONDS = 1.0
"""A full disk, to which submits keep coming: a checkpoint that fails half-way costs some 10 ms of it."""


class WriterSettings(NamedTuple):
    """Limits and places of the writer. Sizes in bytes.

    Attributes:
        directory: the data directory.
        ageing_us: a waiting job gains one step of priority with every so many microseconds.
        payload_inline_bytes_max: larger payloads and outputs stand apart from the job's row, which is rewritten at its end.
        quick_check_bytes_max: a larger file is not checked page by page after an unclean end.
        lock_wait_seconds: for an owner that is about to go.
        wal_pages_idle: checkpoint in an idle moment once the WAL has so many pages.
        wal_pages_max: checkpoint inside a commit once it has so many.
        pages_max: upper bound of the file in pages of 4 KiB; 0 for none. For quotas and tests.
    """

    directory: str
    ageing_us: int
    payload_inline_bytes_max: int
    quick_check_bytes_max: int
    lock_wait_seconds: float
    wal_pages_idle: int
    wal_pages_max: int
    pages_max: int


class Writer:
    """Owner of the data file. All methods are called from one thread."""

    def __init__(self, settings: WriterSettings) -> None:
        self.settings = settings
        self.path = Path(settings.directory) / recovery.DATABASE_NAME
        self.wal_pages = 0
        self._reuse_not_before = 0.0
        self.figures: dict[str, float] = {
            "commits_total": 0, "commands_total": 0, "events_total": 0, "commit_seconds_total": 0.0, "checkpoints_total": 0,
            "checkpoint_seconds_total": 0.0, "rollbacks_total": 0,
        }  # fmt: skip

    def open(self, now_us: int) -> Told:
        """Take the lock, check, migrate, load, end old leases. Raises IngestError."""
        try:
            self._lock = recovery.lock(Path(self.settings.directory), self.settings.lock_wait_seconds)
            self.db = recovery.connect(self.path)
            recovery.check_and_migrate(self.db, self.path, now_us, self.settings.quick_check_bytes_max)
            self.db.set_wal_hook(self._count_pages)
            if self.settings.pages_max:
                self.db.pragma("max_page_count", self.settings.pages_max)
            self.state = State(self.db, self.settings.ageing_us)
            self.db.create_scalar_function("leased", self._leased, 2)
            self.state.load()
            told = self._commit([(0, lambda tx: recovery.end_old_leases(tx, now_us))])[0]
            wal.allocate(Path(f"{self.path}-wal"), self.settings.wal_pages_max)
            return told
        except (apsw.Error, OSError) as error:
            raise faults.translate(error, str(self.path)) from error

    def execute(self, commands: Sequence[Command]) -> tuple[Told | None, list[Answer]]:
        """Carry out commands, durably. Answers what changed, and one answer per command, in order."""
        self.figures["commands_total"] += len(commands)
        work = []
        answers: list[Answer] = []
        for call, verb, arguments in commands:
            if verb in VERBS:
                work.append((call, _bind(VERBS[verb], arguments)))
            else:
                answers.append((call, True, self._look(verb)))
        if not work:
            return None, answers
        try:
            changed, results = self._commit(work)
            return changed, answers + results
        except Exception as error:
            self._roll_back()
            if not (isinstance(error, apsw.FullError) and self._reuse_log()) and len(work) == 1:
                return None, [*answers, (work[0][0], False, self._fault(error))]
        told, results = self._one_by_one(work)
        return told, answers + results

    def checkpoint(self) -> None:
        """Move the pages of the WAL into the file, so that the WAL starts anew. Readers may keep a part of it back."""
        begin = time.perf_counter()
        try:
            self.db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            return  # the pages stay in the WAL, nothing is lost, and the next moment will do
        finally:
            self.wal_pages = 0
            self.figures["checkpoints_total"] += 1
            self.figures["checkpoint_seconds_total"] += time.perf_counter() - begin

    def close(self) -> None:
        """Mark the file as closed in order, and let go of it. Where that cannot be written, the next to open it checks it."""
        with contextlib.suppress(apsw.Error):
            self.db.execute("UPDATE counters SET clean = 1 WHERE id = 1")
        self.checkpoint()
        self.db.close()

    def _commit(self, work: Sequence[tuple[int, Callable[[Transaction], Any]]]) -> tuple[Told, list[Answer]]:
        begin = time.perf_counter()
        tx = Transaction(self.db, self.state, self.settings.payload_inline_bytes_max)
        self.db.execute("BEGIN IMMEDIATE")
        results: list[Answer] = [(call, True, action(tx)) for call, action in work]
        if self.state.callback_jobs:
            deliveries.tell(tx)
        packed = tx.finish()
        self.db.execute("COMMIT")
        self.figures["commits_total"] += 1
        self.figures["events_total"] += len(tx.events)
        self.figures["commit_seconds_total"] += time.perf_counter() - begin
        ready = {group: change for group, change in tx.ready.items() if change}
        return (packed, tx.details, tx.groups, ready, tx.queue_config, tx.deliveries), results

    def _one_by_one(self, work: Sequence[tuple[int, Callable[[Transaction], Any]]]) -> tuple[Told | None, list[Answer]]:
        told: Told | None = None
        answers: list[Answer] = []
        full: faults.Fault | None = None
        for call, action in work:
            if full is not None and getattr(action, "grows", False):
                answers.append((call, False, full))
                continue
            try:
                more, results = self._commit([(call, action)])
                told = _join(told, more)
                answers += results
            except Exception as error:
                self._roll_back()
                fault = self._fault(error)
                answers.append((call, False, fault))
                if fault[0] == Exhausted.__name__:
                    full = fault
        return told, answers

    def _reuse_log(self) -> bool:
        """The disk is full. Once its pages are in the file, the log starts anew in the room it has: then settling and purging go
        on as if there were room. Answers whether that was tried; not more often than once a second."""
        now = time.monotonic()
        if now < self._reuse_not_before:
            return False
        self._reuse_not_before = now + FULL_CHECKPOINT_SECONDS
        self.checkpoint()
        return True

    def _roll_back(self) -> None:
        self.figures["rollbacks_total"] += 1
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        self.state.load()

    def _fault(self, error: Exception) -> faults.Fault:
        fault: IngestError = faults.translate(error, str(self.path))
        return faults.encode(fault)

    def _look(self, verb: str) -> Any:
        if verb == "groups":
            return {group.number: (group.key, group.ready) for group in self.state.groups.values()}
        if verb == "statistics":
            state = self.state
            return {
                **self.figures,
                "leases": len(state.leases),
                "leased_jobs": len(state.running),
                "groups": len(state.groups),
                "ready_jobs": sum(group.ready for group in state.groups.values()),
            }
        raise ValueError(f'the store process knows no command "{verb}"')

    def _leased(self, *arguments: Any) -> int:
        return arguments[0] in self.state.running

    def _count_pages(self, _: apsw.Connection, __: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK


class _Bound:
    """A verb with its arguments. `grows`: it needs room on the disk, so it is not tried again while there is none."""

    __slots__ = ("arguments", "grows", "verb")

    def __init__(self, verb: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.verb = verb
        self.arguments = arguments
        self.grows = verb is submit.submit

    def __call__(self, tx: Transaction) -> Any:
        return self.verb(tx, *self.arguments)


def _bind(verb: Callable[..., Any], arguments: tuple[Any, ...]) -> _Bound:
    return _Bound(verb, arguments)


def _join(told: Told | None, more: Told) -> Told:
    if told is None:
        return more
    ready = dict(told[3])
    for group, change in more[3].items():
        ready[group] = ready.get(group, 0) + change
    return told[0] + more[0], told[1] | more[1], told[2] | more[2], ready, told[4] or more[4], told[5] or more[5]
