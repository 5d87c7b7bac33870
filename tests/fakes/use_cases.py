"""Use cases for tests of the wire layer: they note what they were asked and answer what the test has put there.

Nothing here decides anything: what a use case really does is tested where it lives. An answer that is an exception is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ingest_server.domain.caller import Caller
from ingest_server.domain.job import JobState
from ingest_server.engines.interface import HandlerDescription, WorkerDescription
from ingest_server.jobs.blobs import BlobStat, Download
from ingest_server.jobs.fetch import FetchPage
from ingest_server.jobs.queues import QueueView
from ingest_server.jobs.server import LatencySummary, Load, ServerInfo, ServerLimits, ServerStats
from ingest_server.jobs.submit import SubmitCommand
from ingest_server.jobs.use_cases import UseCases
from ingest_server.jobs.watch import WatchBatch
from ingest_server.jobs.watcher import WatchEvent
from ingest_server.store.outbox import DeliveryPage
from ingest_server.store.records import JobPage, JobRow, QueueRow, SubmitAnswer

BATCH_ID = bytes(range(16))


def job_row(number: int = 1, state: JobState = JobState.SUCCEEDED, **changes: Any) -> JobRow:
    """A legal row in any state. Its id ends in `number`."""
    values: dict[str, Any] = {
        "seq": number,
        "job_id": number.to_bytes(16, "big"),
        "batch_id": BATCH_ID,
        "batch": 1,
        "group": 1,
        "tenant": "default",
        "queue": "default",
        "fairness_key": "",
        "concurrency_key": "",
        "priority": 5,
        "labels": (),
        "state": state,
        "attempt": 1,
        "crash_count": 0,
        "revision": number,
        "create_us": 1_000_000,
        "start_us": 2_000_000,
        "end_us": 3_000_000 if state.terminal else 0,
        "expire_us": 4_000_000 if state.terminal else 0,
        "due_us": 0,
        "deadline_us": 0,
        "worker": "local/1",
        "retried_from": b"",
        "failure": b"",
        "progress": b"",
        "spec": b"",
        "payload": b"",
        "history": b"",
        "output": b"",
    }
    return JobRow(**{**values, **changes})


def accepted(command: SubmitCommand) -> SubmitAnswer:
    """The answer that accepts every job: ids as chosen, or counted."""
    ids = [job[1] or index.to_bytes(16, "big") for index, job in enumerate(command.jobs, 1)]
    return SubmitAnswer(command.batch_id or BATCH_ID, ids, (), False, 0, ())


def _told(answer: Any) -> Any:
    if isinstance(answer, BaseException):
        raise answer
    return answer


@dataclass
class FakeUseCases:
    """All use cases at once. `calls` holds (name, caller, arguments) in order.

    Attributes:
        answers: name of a use case → what it answers, or raises; a callable is given the arguments.
        hold: name of a use case → an event it waits for before it answers.
        entered: set when a use case that holds was entered.
        batches: what a watch tells; then it waits until `release`, if `stays`.
    """

    calls: list[tuple[str, Caller, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[WatchBatch | BaseException] = field(default_factory=list)
    stays: bool = False
    watch_ended: asyncio.Event = field(default_factory=asyncio.Event)
    uploaded: list[Any] = field(default_factory=list)
    pieces: list[tuple[int, bytes]] = field(default_factory=list)

    def use_cases(self) -> UseCases:
        """As the server takes them."""
        return UseCases(
            submit=cast(Any, self._submit),
            run=cast(Any, self._run),
            get=cast(Any, self._get),
            list=cast(Any, self._list),
            count=cast(Any, self._count),
            fetch=cast(Any, self._fetch),
            watch=cast(Any, self._watch),
            cancel=cast(Any, self._cancel),
            retry=cast(Any, self._retry),
            delete=cast(Any, self._delete),
            deliveries=cast(Any, FakeDeliveries(self)),
            blobs=cast(Any, FakeBlobs(self)),
            queues=cast(Any, FakeQueues(self)),
            server=cast(Any, FakeServer(self)),
        )

    @property
    def last(self) -> dict[str, Any]:
        """Arguments of the newest call."""
        return self.calls[-1][2]

    async def answer(self, name: str, caller: Caller, default: Any, /, **arguments: Any) -> Any:
        """Note a call, wait if told to, and answer it."""
        self.calls.append((name, caller, arguments))
        if name in self.hold:
            self.entered.set()
            await self.hold[name].wait()
        answer = self.answers.get(name, default)
        return _told(answer(**arguments) if callable(answer) else answer)

    async def _submit(self, caller: Caller, command: SubmitCommand) -> Any:
        return await self.answer("submit", caller, accepted, command=command)

    async def _run(self, caller: Caller, command: SubmitCommand, wait_seconds: float) -> Any:
        default = (accepted(command), job_row())
        return await self.answer("run", caller, default, command=command, wait_seconds=wait_seconds)

    async def _get(self, caller: Caller, job_id: bytes, *, full: bool) -> Any:
        return await self.answer("get", caller, job_row(), job_id=job_id, full=full)

    async def _list(self, caller: Caller, query: Any, **arguments: Any) -> Any:
        return await self.answer("list", caller, JobPage([job_row()], 0, 7), query=query, **arguments)

    async def _count(self, caller: Caller, query: Any, **arguments: Any) -> Any:
        return await self.answer("count", caller, {(None, "", ""): 3}, query=query, **arguments)

    async def _fetch(self, caller: Caller, **arguments: Any) -> Any:
        ids = arguments["job_ids"] or ()
        default = FetchPage([(job_id, job_row(job_id=job_id)) for job_id in ids], 0)
        return await self.answer("fetch", caller, default, **arguments)

    async def _watch(self, caller: Caller, selection: Any, **arguments: Any) -> AsyncGenerator[WatchBatch, None]:
        self.calls.append(("watch", caller, {"selection": selection, **arguments}))
        try:
            for batch in self.batches:
                yield _told(batch)
            if self.stays:
                self.entered.set()
                await asyncio.Event().wait()
        finally:
            self.watch_ended.set()

    async def _cancel(self, caller: Caller, **arguments: Any) -> Any:
        return await self.answer("cancel", caller, ([], 0), **arguments)

    async def _retry(self, caller: Caller, **arguments: Any) -> Any:
        return await self.answer("retry", caller, ([], b"", 0), **arguments)

    async def _delete(self, caller: Caller, **arguments: Any) -> Any:
        return await self.answer("delete", caller, ([], 0), **arguments)


class FakeDeliveries:
    """Deliveries of a `FakeUseCases`."""

    def __init__(self, fake: FakeUseCases) -> None:
        self._fake = fake

    async def list(self, caller: Caller, job_id: bytes, **arguments: Any) -> Any:
        return await self._fake.answer("list_deliveries", caller, DeliveryPage([], 0), job_id=job_id, **arguments)

    async def redeliver(self, caller: Caller, job_id: bytes, numbers: Sequence[int]) -> Any:
        return await self._fake.answer("redeliver", caller, list(numbers), job_id=job_id, numbers=numbers)


class FakeBlobs:
    """Blobs of a `FakeUseCases`."""

    def __init__(self, fake: FakeUseCases) -> None:
        self._fake = fake

    async def find_missing(self, caller: Caller, digests: Sequence[bytes]) -> Any:
        return await self._fake.answer("find_missing", caller, [True] * len(digests), digests=digests)

    async def upload(self, caller: Caller, chunks: AsyncIterator[Any]) -> Any:
        if "upload_known" in self._fake.answers:
            # The blob is there already: nothing is read.
            return await self._fake.answer("upload_known", caller, None)
        async for chunk in chunks:
            self._fake.uploaded.append(chunk)
        first = self._fake.uploaded[0]
        size = sum(len(chunk.data) for chunk in self._fake.uploaded)
        return await self._fake.answer("upload", caller, (first.sha256, size, True))

    async def download(self, caller: Caller, sha256: bytes, offset: int, limit: int) -> Download:
        size = sum(len(data) for _, data in self._fake.pieces)
        await self._fake.answer("download", caller, None, sha256=sha256, offset=offset, limit=limit)
        return Download(size, self._pieces())

    async def _pieces(self) -> AsyncGenerator[tuple[int, bytes], None]:
        for piece in self._fake.pieces:
            yield piece

    async def stat(self, caller: Caller, sha256: bytes) -> Any:
        return await self._fake.answer("stat", caller, BlobStat(sha256, 10, 10, True, 1_000_000), sha256=sha256)


class FakeQueues:
    """Queues of a `FakeUseCases`."""

    def __init__(self, fake: FakeUseCases) -> None:
        self._fake = fake
        self._view = QueueView(QueueRow("default", 1, 0, 0.0, False), 1, 2, 3)

    async def list(self, caller: Caller) -> Any:
        return await self._fake.answer("list_queues", caller, [self._view])

    async def get(self, caller: Caller, name: str) -> Any:
        return await self._fake.answer("get_queue", caller, self._view, name=name)

    async def update(self, caller: Caller, change: Any) -> Any:
        return await self._fake.answer("update_queue", caller, self._view, change=change)

    async def pause(self, caller: Caller, name: str) -> Any:
        return await self._fake.answer("pause_queue", caller, self._view, name=name)

    async def resume(self, caller: Caller, name: str) -> Any:
        return await self._fake.answer("resume_queue", caller, self._view, name=name)

    async def purge(self, caller: Caller, name: str) -> Any:
        return await self._fake.answer("purge_queue", caller, 4, name=name)


class FakeServer:
    """Server of a `FakeUseCases`."""

    def __init__(self, fake: FakeUseCases) -> None:
        self._fake = fake

    def info(self, caller: Caller) -> ServerInfo:
        limits = ServerLimits(1, 2, 3, 4, 5, 6, 7, 8.0, 9.0, 10.0, 11.0, 12.0, 13.5)
        handler = HandlerDescription("echo", "Gives back.", '{"type": "object"}', ("text/plain",))
        return ServerInfo("1.2.3", limits, [handler], [("local", 2)], ("extract",), (), False, caller.tenant)

    async def stats(self, caller: Caller) -> Any:
        latency = LatencySummary(0.001, 0.01, 0.1, 5)
        load = Load(10.5, 9.5, latency, latency, 3, {"SUCCEEDED": 7})
        worker = WorkerDescription("local/1", 123, 7, 1, 5_000_000)
        default = ServerStats(1, 2, load, [worker], 4, 6, 60.5, {"size_bytes": 4096.0})
        return await self._fake.answer("stats", caller, default)


def watch_event(position: int, *, state: JobState = JobState.QUEUED, job: int = 1, **changes: Any) -> WatchEvent:
    """A change of job number `job`."""
    values: dict[str, Any] = {"attempt": 0, "time_us": 1_500_000, "revision": position, **changes}
    return WatchEvent(
        position, job, job.to_bytes(16, "big"), 1, 1, int(state), values.pop("attempt"), values.pop("time_us"), **values
    )


class FakeHandlers:
    """A handler table: knows "echo", "strict" (refuses any option) and the handlers of the typed tasks."""

    @property
    def names(self) -> frozenset[str]:
        """Its handlers."""
        return frozenset({"echo", "strict", "extract", "split", "filter", "dedup", "embed", "store"})

    def check(self, name: str, options: Any) -> list[str]:
        """Faults of options."""
        return [f"{key}: not allowed" for key in options] if name == "strict" else []
