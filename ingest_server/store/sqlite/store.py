"""`SqliteStore`: the async face of the store in the server process. Writes go to the store process, reads to a few threads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

import ingest_server
from ingest_server.domain.errors import Exhausted, IngestError, Reason
from ingest_server.domain.job import JobState
from ingest_server.store.interface import JobStore, StoreCapabilities
from ingest_server.store.records import (
    ActionAnswer,
    Changes,
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
    Verdict,
)
from ingest_server.store.sqlite import faults
from ingest_server.store.sqlite.channel import Channel, gone
from ingest_server.store.sqlite.outbox import SqliteOutbox
from ingest_server.store.sqlite.reader import Reader
from ingest_server.store.sqlite.recovery import DATABASE_NAME
from ingest_server.store.sqlite.selection import Selection
from ingest_server.store.sqlite.transaction import EVENT
from ingest_server.store.sqlite.writer import Told, WriterSettings

_T = TypeVar("_T")


class SqliteStore(SqliteOutbox, JobStore):
    """Jobs in one SQLite file of a local directory, written by a process of its own.

    Args:
        directory: the data directory; made if need be. One server at a time.
        ageing_us: a waiting job gains one step of priority with every so many microseconds.
        pending_bytes_max, pending_commands_max: bound of the writes under way; see `Channel`.
        pending_reads_max: bound of the reads under way.
        retry_after_seconds: hint of a refusal beyond these bounds.
        reader_threads: reads that run at a time.
        payload_inline_bytes_max, quick_check_bytes_max, lock_wait_seconds, wal_pages_idle, wal_pages_max, pages_max: see
            `WriterSettings`.
        on_lost: called in the event loop when the store process ends unasked: nothing can be accepted any more.
    """

    capabilities = StoreCapabilities(name="sqlite", durable=True, shared=False)

    def __init__(
        self,
        directory: Path,
        *,
        ageing_us: int = 60_000_000,
        pending_bytes_max: int = 64 << 20,
        pending_commands_max: int = 4_096,
        pending_reads_max: int = 1_024,
        retry_after_seconds: float = 0.1,
        reader_threads: int = 2,
        payload_inline_bytes_max: int = 1_024,
        quick_check_bytes_max: int = 64 << 20,
        lock_wait_seconds: float = 2.0,
        wal_pages_idle: int = 1_000,
        wal_pages_max: int = 4_000,
        pages_max: int = 0,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._directory = directory
        self._settings = WriterSettings(
            str(directory), ageing_us, payload_inline_bytes_max, quick_check_bytes_max, lock_wait_seconds, wal_pages_idle,
            wal_pages_max, pages_max,
        )  # fmt: skip
        self._channel_limits: dict[str, Any] = {
            "pending_bytes_max": pending_bytes_max,
            "pending_commands_max": pending_commands_max,
            "retry_after_seconds": retry_after_seconds,
        }
        self._retry_after_seconds = retry_after_seconds
        self._pending_reads_max = pending_reads_max
        self._pending_reads = 0
        self._reader_threads = reader_threads
        self._on_lost = on_lost
        self._listeners: list[Listener] = []
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._readers: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        self._open_readers: list[Reader] = []
        self._state = "new"
        self._ended: asyncio.Future[None] | None = None

    # ---- life

    @property
    def process_id(self) -> int:
        """Of the store process; 0 before `open`."""
        return 0 if self._process is None else self._process.pid

    async def open(self, now_us: int) -> None:
        """See `JobStore.open`."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _spawn(theirs.fileno())
        ours.setblocking(False)
        self._ended = loop.create_future()
        _, self._channel = await loop.create_unix_connection(
            lambda: Channel(self._tell, self._lost, **self._channel_limits), sock=ours
        )
        self._state = "open"
        try:
            await self._call("open", (tuple(self._settings), now_us), reserve=True)
            self._executor = ThreadPoolExecutor(self._reader_threads, thread_name_prefix="store-reader")
            for _ in range(self._reader_threads):
                reader = Reader(self._directory / DATABASE_NAME)
                self._open_readers.append(reader)
                self._readers.put(reader)
        except BaseException as error:
            self._state = "closing"
            await self._shut()
            if isinstance(error, apsw.Error):
                raise faults.translate(error, str(self._directory)) from error
            raise

    async def close(self) -> None:
        """See `JobStore.close`."""
        if self._state != "open":
            return
        self._state = "closing"
        channel = self._channel
        assert channel is not None
        await self._close_readers()  # first, so that the process is the last to close the file, and leaves one file only
        with contextlib.suppress(IngestError):  # it may be gone already
            await channel.call("close", (), reserve=True)
        await self._shut()

    async def _shut(self) -> None:
        """Let go of everything, whatever state it is in."""
        self._state = "closed"
        loop = asyncio.get_running_loop()
        await self._close_readers()
        if self._channel is not None:
            self._channel.close()
        if self._ended is not None:
            await self._ended
        if self._process is not None:
            await loop.run_in_executor(None, self._process.wait)

    async def _close_readers(self) -> None:
        if self._executor is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)
        while self._open_readers:
            self._open_readers.pop().close()

    def subscribe(self, listener: Listener) -> None:
        """See `JobStore.subscribe`."""
        self._listeners.append(listener)

    def _lost(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        if self._state == "open" and self._on_lost is not None:
            self._on_lost()

    def _tell(self, told: Told, settled: Sequence[tuple[Any, Any]]) -> None:
        """Tell the listeners of a commit. Outputs and failures of settlements are here already: the process does not send them
        back, it names their positions."""
        packed, details, groups, ready, queue_config, deliveries = told
        for settlements, positions in settled:
            for position, index in positions:
                settlement = settlements[index]
                details[position] = (settlement[3] if settlement[2] <= Verdict.EXPIRED else b"", settlement[4])
        if not (packed or groups or ready or queue_config or deliveries):
            return
        changes = Changes(list(EVENT.iter_unpack(packed)), details, groups, ready, queue_config, deliveries)
        for listener in self._listeners:
            listener(changes)

    def _call(self, verb: str, arguments: tuple[Any, ...], *, reserve: bool = False, context: Any = None) -> asyncio.Future[Any]:
        """Send a command. It is on its way when this returns; what hinders it is raised where the answer is awaited."""
        try:
            if self._channel is None or self._state != "open":
                raise gone()
            return self._channel.call(verb, arguments, reserve=reserve, context=context)
        except IngestError as error:
            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    # ---- writes

    async def submit(self, batch: SubmitBatch, now_us: int) -> SubmitAnswer:
        """See `JobStore.submit`."""
        policies = [
            (
                policy.tenant, policy.queue, policy.fairness_key, policy.concurrency_key, int(policy.priority), policy.labels,
                policy.start_us, policy.deadline_us, policy.result_ttl_us, policy.use_existing, policy.dedupe_window_us,
                policy.spec, policy.part_of, policy.line_us,
            )
            for policy in batch.policies
        ]  # fmt: skip
        arguments = (
            batch.tenant, batch.request_id, batch.request_digest, batch.batch_id, batch.all_or_nothing, policies,
            list(batch.jobs), batch.grant, batch.grant_lease_us, list(batch.retried_from),
            {index: int(code) for index, code in batch.refused.items()}, now_us,
            {index: policy.callbacks for index, policy in enumerate(batch.policies) if policy.callbacks},
        )  # fmt: skip
        return SubmitAnswer(*await self._call("submit", arguments))

    async def lease(self, wanted: Sequence[tuple[int, int]], until_us: int, now_us: int) -> Lease:
        """See `JobStore.lease`."""
        number, jobs = await self._call("lease", (list(wanted), until_us, now_us), reserve=True)
        return Lease(number, jobs)

    async def heartbeat(self, leases: Sequence[int], until_us: int, now_us: int) -> Sequence[int]:
        """See `JobStore.heartbeat`."""
        lost: list[int] = await self._call("heartbeat", (list(leases), until_us, now_us), reserve=True)
        return lost

    def settle(self, settlements: Sequence[Settlement], now_us: int) -> Awaitable[Sequence[int]]:
        """See `JobStore.settle`. The command is on its way when this returns."""
        rows = list(settlements)
        try:
            return self._call("settle", (rows, now_us), reserve=True, context=rows)
        except ValueError:  # enumerations instead of numbers: marshal takes nothing but plain types
            rows = [(*row[:2], int(row[2]), *row[3:]) for row in rows]
            return self._call("settle", (rows, now_us), reserve=True, context=rows)

    async def cancel(self, query: JobQuery, failure: bytes, limit: int, now_us: int) -> Sequence[ActionAnswer]:
        """See `JobStore.cancel`."""
        return _answers(await self._call("cancel", (tuple(Selection.of(query)), failure, limit, now_us)))

    async def delete(self, query: JobQuery, limit: int, now_us: int) -> Sequence[ActionAnswer]:
        """See `JobStore.delete`."""
        return _answers(await self._call("delete", (tuple(Selection.of(query)), limit, now_us)))

    async def promote(self, limit: int, now_us: int) -> int:
        """See `JobStore.promote`."""
        return int(await self._call("promote", (limit, now_us), reserve=True))

    async def reap(self, limit: int, now_us: int, failure: bytes) -> tuple[int, int]:
        """See `JobStore.reap`."""
        leased, waiting = await self._call("reap", (limit, now_us, failure), reserve=True)
        return leased, waiting

    async def purge(self, limit: int, now_us: int, events_before_us: int) -> int:
        """See `JobStore.purge`."""
        return int(await self._call("purge", (limit, now_us, events_before_us), reserve=True))

    async def put_queue(self, queue: QueueRow, now_us: int) -> None:
        """See `JobStore.put_queue`."""
        fields = (queue.name, queue.weight, queue.running_max, queue.start_rate_per_second, queue.paused)
        await self._call("put_queue", (*fields, now_us))

    # ---- reads

    async def queues(self) -> Sequence[QueueRow]:
        """See `JobStore.queues`."""
        return await self._read(Reader.queues)

    async def groups(self) -> dict[int, tuple[GroupKey, int]]:
        """See `JobStore.groups`. Answered by the writer, in order with the commits, so that counts and changes agree."""
        groups: dict[int, tuple[GroupKey, int]] = await self._call("groups", (), reserve=True)
        return groups

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
        """See `JobStore.jobs`."""
        selection = Selection.of(query)
        return await self._read(
            lambda reader: reader.jobs(
                selection,
                limit=limit,
                from_seq=from_seq,
                newest_first=newest_first,
                detail=detail,
                bytes_max=bytes_max,
                now_us=now_us,
            )
        )

    async def count(
        self, query: JobQuery, *, now_us: int, by_state: bool = False, by_queue: bool = False, by_label: str = ""
    ) -> dict[tuple[JobState | None, str, str], int]:
        """See `JobStore.count`."""
        selection = Selection.of(query)
        return await self._read(
            lambda reader: reader.count(selection, by_state=by_state, by_queue=by_queue, by_label=by_label, now_us=now_us)
        )

    async def batch(self, tenant: str, batch_id: bytes) -> int:
        """See `JobStore.batch`."""
        return await self._read(lambda reader: reader.batch(tenant, batch_id))

    async def batch_ids(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """See `JobStore.batch_ids`."""
        return await self._read(lambda reader: reader.batch_ids(numbers))

    async def events_after(self, position: int, limit: int) -> Sequence[Event]:
        """See `JobStore.events_after`."""
        return await self._read(lambda reader: reader.events_after(position, limit))

    async def span(self) -> tuple[int, int]:
        """See `JobStore.span`."""
        return await self._read(Reader.span)

    async def blobs_in_use(self, digests: Sequence[bytes], tenant: str = "") -> Sequence[bool]:
        """See `JobStore.blobs_in_use`."""
        return await self._read(lambda reader: reader.blobs_in_use(digests, tenant))

    async def statistics(self) -> dict[str, float]:
        """See `JobStore.statistics`."""
        figures: dict[str, float] = await self._call("statistics", (), reserve=True)
        return figures | await self._read(Reader.statistics)

    async def _read(self, read: Callable[[Reader], _T]) -> _T:
        """Run a read in a thread, inside a transaction of its own."""
        executor = self._executor
        if executor is None or self._state != "open":
            raise gone()
        if self._pending_reads >= self._pending_reads_max:
            raise Exhausted(
                f"the store has {self._pending_reads} reads under way, the most it takes: come back in "
                f"{self._retry_after_seconds} s",
                reason=Reason.OVERLOADED,
                retry_after_seconds=self._retry_after_seconds,
            )
        self._pending_reads += 1
        future = asyncio.get_running_loop().run_in_executor(executor, self._read_now, read)
        future.add_done_callback(self._read_done)
        return await future

    def _read_done(self, _: object) -> None:
        self._pending_reads -= 1

    def _read_now(self, read: Callable[[Reader], _T]) -> _T:
        reader = self._readers.get()
        try:
            return reader.run(read)
        except apsw.Error as error:
            raise faults.translate(error, str(self._directory)) from error
        finally:
            self._readers.put(reader)


def _spawn(descriptor: int) -> subprocess.Popen[bytes]:
    """Start the store process on a socket. It writes nothing to stdout: that belongs to the server."""
    root = str(Path(next(iter(ingest_server.__path__))).resolve().parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    return subprocess.Popen(
        [sys.executable, "-m", "ingest_server.store.sqlite.process", str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )


def _answers(rows: Iterable[tuple[bytes, int | None, bool, int, int]]) -> list[ActionAnswer]:
    return [
        ActionAnswer(job_id, None if state is None else JobState(state), changed, seq, lease)
        for job_id, state, changed, seq, lease in rows
    ]
