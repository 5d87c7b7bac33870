"""The client for threads: the verbs of `Client`, each returning when it is done.

All blocking clients of a process share one event loop in one background thread, started with the first and stopped with the last.
Any thread may call any of them, except from within an event loop, which they would block.

    with BlockingClient("127.0.0.1:50051") as client:
        batch = client.submit(["report.pdf", "page.html"])
        for result in client.as_completed(batch):
            print(result.job_id, result.text())
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ingest.v1 import document_pb2
from ingest_client._loop_thread import LoopThread
from ingest_client._prepare import JobLike
from ingest_client._results import JobIds
from ingest_client._submit import is_single
from ingest_client.client import Client
from ingest_client.delivery import Delivery
from ingest_client.errors import ClientClosed, IngestClientError, JobError
from ingest_client.handle import JobHandle
from ingest_client.models import ActionResult, Batch, Counts, Job, JobEvent, JobFilter, JobState, Output, Queue, ServerInfo, Stats
from ingest_client.rendering import Format
from ingest_client.result import JobResult

T = TypeVar("T")
# Drawn from the caller's iterable in its own thread, so that a slow generator holds up nobody else; small enough that
# so many large inputs in memory do not matter, large enough that the call's own cost does not.
_WINDOW_ITEMS = 500
_WINDOW_BYTES = 8 << 20
_WINDOWS_MAX = 3


class BlockingResult:
    """`JobResult` whose methods wait. Attributes as there."""

    def __init__(self, result: JobResult, thread: LoopThread) -> None:
        self._result = result
        self._thread = thread

    def __repr__(self) -> str:
        return f"BlockingResult({self._result!r})"

    @property
    def job_id(self) -> str:
        """The job."""
        return self._result.job_id

    @property
    def state(self) -> JobState:
        """Its state."""
        return self._result.state

    @property
    def output(self) -> Output | None:
        """Of a job that succeeded."""
        return self._result.output

    @property
    def error(self) -> JobError | None:
        """Why it did not succeed."""
        return self._result.error

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self._result.succeeded

    def raise_for_state(self) -> BlockingResult:
        """See `JobResult.raise_for_state`."""
        self._result.raise_for_state()
        return self

    def read(self) -> bytes:
        """See `JobResult.read`."""
        return self._thread.call(self._result.read())

    def save(self, path: str | Path) -> Path:
        """See `JobResult.save`."""
        return self._thread.call(self._result.save(path))

    def document(self) -> document_pb2.Document:
        """See `JobResult.document`."""
        return self._thread.call(self._result.document())

    def text(self) -> str:
        """See `JobResult.text`."""
        return self._thread.call(self._result.text())

    def render(self, form: Format | str, *, page_marks: bool = False, image_links: Mapping[str, str] | None = None) -> str:
        """See `JobResult.render`."""
        return self._thread.call(self._result.render(form, page_marks=page_marks, image_links=image_links))

    def markdown(self) -> str:
        """See `JobResult.markdown`."""
        return self._thread.call(self._result.markdown())

    def html(self) -> str:
        """See `JobResult.html`."""
        return self._thread.call(self._result.html())

    def json(self) -> Any:
        """See `JobResult.json`."""
        return self._thread.call(self._result.json())


class BlockingHandle:
    """`JobHandle` whose methods wait. Attributes as there."""

    def __init__(self, handle: JobHandle, thread: LoopThread) -> None:
        self.job_id = handle.job_id
        self.created = handle.created
        self._handle = handle
        self._thread = thread

    def result(self, timeout_seconds: float | None = None) -> BlockingResult:
        """See `JobHandle.result`."""
        return BlockingResult(self._thread.call(self._handle.result(timeout_seconds)), self._thread)

    def cancel(self, reason: str = "") -> ActionResult:
        """Ask the job to end."""
        return self._thread.call(self._handle.cancel(reason))


class BlockingClient:
    """Calls to one server; see `Client` for every argument, answer and error. Safe to use from many threads at once."""

    def __init__(self, address: str = "127.0.0.1:50051", **settings: Any) -> None:
        """Args:
        address: `host:port` or `unix:/path`.
        **settings: as `Client` takes them.
        """
        self._client = Client(address, **settings)
        self._thread: LoopThread | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> BlockingClient:
        with self._lock:
            if self._thread is None:
                thread = LoopThread.acquire()
                try:
                    thread.call(self._client.__aenter__())
                except BaseException:
                    thread.release()
                    raise
                self._thread = thread
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; callers that wait get ClientClosed. Jobs go on. May be called again."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.call(self._client.close())
            finally:
                thread.release()

    def submit(self, jobs: Iterable[JobLike] | JobLike, *, batch_id: str = "", all_or_nothing: bool = False) -> Batch:
        """See `Client.submit`. The iterable is drawn on in the calling thread."""
        thread = self._running()
        if is_single(jobs) or all_or_nothing:
            return thread.call(self._client.submit(jobs, batch_id=batch_id, all_or_nothing=all_or_nothing))
        joined, batch_id = bool(batch_id), batch_id or str(uuid.uuid4())
        done: list[Batch] = []
        under_way: deque[Future[Batch]] = deque()
        try:
            for window in _windows(jobs):  # type: ignore[arg-type]
                if len(under_way) >= _WINDOWS_MAX:
                    done.append(under_way.popleft().result())
                under_way.append(thread.begin(self._client.submit(window, batch_id=batch_id)))
            while under_way:
                done.append(under_way.popleft().result())
        except IngestClientError as error:
            last = error.accepted.results if error.accepted is not None else ()
            error.accepted = Batch(batch_id, (*(result for batch in done for result in batch.results), *last), joined)
            raise
        finally:
            for future in under_way:
                future.cancel()
        return Batch(batch_id, tuple(result for batch in done for result in batch.results), joined)

    def submit_one(self, job: JobLike) -> BlockingHandle:
        """See `Client.submit_one`: submits of several threads go together."""
        thread = self._running()
        return BlockingHandle(thread.call(self._client.submit_one(job)), thread)

    def run(self, job: JobLike, *, timeout_seconds: float | None = None) -> BlockingResult:
        """See `Client.run`."""
        thread = self._running()
        return BlockingResult(thread.call(self._client.run(job, timeout_seconds=timeout_seconds)), thread)

    def fetch(self, jobs: JobIds, *, page_size: int = 0) -> Iterator[BlockingResult]:
        """See `Client.fetch`."""
        return self._results(self._client.fetch(jobs, page_size=page_size))

    def result(self, job_id: str) -> BlockingResult:
        """See `Client.result`."""
        thread = self._running()
        return BlockingResult(thread.call(self._client.result(job_id)), thread)

    def wait(self, jobs: JobIds, *, timeout_seconds: float | None = None) -> tuple[BlockingResult, ...]:
        """See `Client.wait`."""
        thread = self._running()
        results = thread.call(self._client.wait(jobs, timeout_seconds=timeout_seconds))
        return tuple(BlockingResult(result, thread) for result in results)

    def as_completed(self, jobs: JobIds) -> Iterator[BlockingResult]:
        """See `Client.as_completed`."""
        return self._results(self._client.as_completed(jobs))

    def watch(self, jobs: JobIds | JobFilter | None = None, **options: Any) -> Iterator[JobEvent]:
        """See `Client.watch`; closing the iterator ends the watch."""
        return self._watch(jobs, options)

    def cancel(self, jobs: JobIds, *, reason: str = "") -> tuple[ActionResult, ...]:
        """See `Client.cancel`."""
        return self._running().call(self._client.cancel(jobs, reason=reason))

    def retry(self, jobs: JobIds) -> tuple[ActionResult, ...]:
        """See `Client.retry`."""
        return self._running().call(self._client.retry(jobs))

    def delete(self, jobs: JobIds) -> tuple[ActionResult, ...]:
        """See `Client.delete`."""
        return self._running().call(self._client.delete(jobs))

    def get(self, job_id: str, *, full: bool = False) -> Job:
        """See `Client.get`."""
        return self._running().call(self._client.get(job_id, full=full))

    def count(self, filter: JobFilter | None = None, *, by: Sequence[str] = (), label_key: str = "") -> Counts:
        """See `Client.count`."""
        return self._running().call(self._client.count(filter, by=by, label_key=label_key))

    def deliveries(self, job_id: str) -> tuple[Delivery, ...]:
        """See `Client.deliveries.list`."""

        async def read() -> tuple[Delivery, ...]:
            return tuple([each async for each in self._client.deliveries.list(job_id)])

        return self._running().call(read())

    def redeliver(self, job_id: str, delivery_ids: Sequence[str] = ()) -> tuple[str, ...]:
        """See `Client.deliveries.redeliver`."""
        return self._running().call(self._client.deliveries.redeliver(job_id, delivery_ids))

    def queues(self) -> tuple[Queue, ...]:
        """All queues by name."""
        return self._running().call(self._client.queues.list())

    def info(self) -> ServerInfo:
        """See `Client.info`."""
        return self._running().call(self._client.info())

    def stats(self) -> Stats:
        """See `Client.stats`."""
        return self._running().call(self._client.stats())

    def list(self, filter: JobFilter | None = None, *, full: bool = False, page_size: int = 0) -> Iterator[Job]:
        """See `Client.list`."""
        thread = self._running()

        async def opened() -> AsyncIterator[Job]:
            return self._client.list(filter, full=full, page_size=page_size)

        return _iterate(thread, thread.call(opened()))

    def _watch(self, jobs: JobIds | JobFilter | None, options: dict[str, Any]) -> Iterator[JobEvent]:
        thread = self._running()

        async def opened() -> AsyncIterator[JobEvent]:
            return _watched(self._client, jobs, options)

        yield from _iterate(thread, thread.call(opened()))

    def _results(self, stream: AsyncIterator[JobResult]) -> Iterator[BlockingResult]:
        thread = self._running()
        for result in _iterate(thread, stream):
            yield BlockingResult(result, thread)

    def _running(self) -> LoopThread:
        thread = self._thread
        if thread is None:
            raise ClientClosed("the client is not open; use it in a with statement")
        return thread


async def _watched(client: Client, jobs: JobIds | JobFilter | None, options: dict[str, Any]) -> AsyncIterator[JobEvent]:
    async with client.watch(jobs, **options) as watch:
        async for event in watch:
            yield event


def _iterate(thread: LoopThread, stream: AsyncIterator[T]) -> Iterator[T]:
    """Draw on an async iterator from outside its loop, one item at a time; it is closed whatever happens."""
    try:
        while True:
            try:
                item = thread.call(_next(stream))
            except StopAsyncIteration:
                return
            yield item
    finally:
        thread.call(_close(stream))


async def _next(stream: AsyncIterator[T]) -> T:
    return await anext(stream)


async def _close(stream: AsyncIterator[Any]) -> None:
    if isinstance(stream, AsyncGenerator):
        await stream.aclose()


def _windows(jobs: Iterable[JobLike]) -> Iterator[deque[JobLike]]:
    """Cut an iterable into windows; large bytes end a window early."""
    window: deque[JobLike] = deque()
    held_bytes = 0
    for job in jobs:
        window.append(job)
        held_bytes += len(job) if isinstance(job, bytes | bytearray) else 0
        if len(window) >= _WINDOW_ITEMS or held_bytes >= _WINDOW_BYTES:
            yield window
            window, held_bytes = deque(), 0
    if window:
        yield window
