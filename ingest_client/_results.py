"""Results by id or by batch: pages walked through, waits repeated, ends told as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TypeAlias

from ingest.v1 import job_service_pb2
from ingest_client import _methods
from ingest_client._blobs import Blobs
from ingest_client._channel import Channel
from ingest_client._watch import Messages, Selection, WatchSettings
from ingest_client.errors import DeadlineExceeded
from ingest_client.models import Batch, JobState, Limits
from ingest_client.result import JobResult, result_from_event, result_from_fetched
from ingest_client.specs import duration

JobIds: TypeAlias = "Batch | str | Iterable[str]"
"""A batch as `submit` answered it, the id of a batch, or ids of jobs."""

_FIRST_TERMINAL = int(JobState.SUCCEEDED)
_DEADLINE_EXCEEDED = 4
# A long poll is answered within its wait; the rest is for the way and for a server that is busy.
_ANSWER_SECONDS = 30.0
_WAIT_SECONDS = 20.0
_STREAMS_MAX = 16
_QUEUE_ITEMS_MAX = 1024


class Results:
    """Fetches and awaits results. Used from one event loop."""

    def __init__(self, channel: Channel, blobs: Blobs, limits: Limits, watch: WatchSettings) -> None:
        self._channel = channel
        self._blobs = blobs
        self._limits = limits
        self._watch = watch

    async def fetch(self, job_ids: Sequence[str], batch_id: str, page_size: int = 0) -> AsyncGenerator[JobResult, None]:
        """Results as they stand, in the order of `job_ids`, or of acceptance for a batch."""
        for ids in self._windows(job_ids):
            if not ids and not batch_id:
                return
            token = ""
            while True:
                request = job_service_pb2.FetchResultsRequest(
                    job_ids=ids, batch_id=batch_id, page_size=page_size, page_token=token
                )
                response = await self._channel.unary(_methods.FETCH_RESULTS, request)
                for fetched in response.results:
                    yield result_from_fetched(fetched, self._blobs)
                token = response.next_page_token
                if not token:
                    break

    async def wait(self, job_ids: Sequence[str], batch_id: str, timeout_seconds: float | None) -> AsyncGenerator[JobResult, None]:
        """Results in order, each page handed out when all of its jobs have ended; unknown jobs count as ended.

        Raises:
            DeadlineExceeded: `timeout_seconds` passed first. The jobs go on.
        """
        monotonic = self._channel.settings.monotonic
        deadline = None if timeout_seconds is None else monotonic() + timeout_seconds
        for ids in self._windows(job_ids):
            if not ids and not batch_id:
                return
            token = ""
            while True:
                response = await self._page(ids, batch_id, token, deadline)
                for fetched in response.results:
                    yield result_from_fetched(fetched, self._blobs)
                token = response.next_page_token
                if not token:
                    break

    async def as_completed(self, job_ids: Sequence[str], batch_id: str) -> AsyncGenerator[JobResult, None]:
        """Every job's terminal result once, in the order in which they end.

        Raises:
            NotFound: a job or the batch does not exist.
        """
        windows = self._windows(list(dict.fromkeys(job_ids)))
        if len(windows) == 1:
            async for result in self._completed(batch_id, windows[0]):
                yield result
            return
        queue: asyncio.Queue[JobResult | Exception | None] = asyncio.Queue(_QUEUE_ITEMS_MAX)
        streams = asyncio.Semaphore(_STREAMS_MAX)

        async def pump(ids: Sequence[str]) -> None:
            try:
                async with streams:
                    async for result in self._completed("", ids):
                        await queue.put(result)
                await queue.put(None)
            except Exception as error:  # handed to the reader, who raises it
                await queue.put(error)

        tasks = [asyncio.create_task(pump(ids)) for ids in windows]
        try:
            left = len(tasks)
            while left:
                item = await queue.get()
                if item is None:
                    left -= 1
                elif isinstance(item, Exception):
                    raise item
                else:
                    yield item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _completed(self, batch_id: str, ids: Sequence[str]) -> AsyncGenerator[JobResult, None]:
        """One stream's terminal events; each job once, also where a new snapshot repeats it."""
        if not batch_id and not ids:
            return  # a selection of nothing would be one of everything
        selection = Selection(tuple(ids), batch_id, stop_when_done=True, full=True, terminal_only=True)
        told: set[str] = set()
        messages = Messages(self._channel, selection, self._watch, snapshot_on_expired=True)
        try:
            async for message in messages:
                for event in message.events:
                    if event.state >= _FIRST_TERMINAL and event.job_id not in told:
                        told.add(event.job_id)
                        yield result_from_event(event, self._blobs)
        finally:
            messages.close()

    async def _page(
        self, ids: Sequence[str], batch_id: str, token: str, deadline: float | None
    ) -> job_service_pb2.FetchResultsResponse:
        """One page, all of it ended."""
        monotonic = self._channel.settings.monotonic
        longest = min(self._limits.wait_seconds_max or _WAIT_SECONDS, _WAIT_SECONDS)
        while True:
            left = longest if deadline is None else min(longest, deadline - monotonic())
            request = job_service_pb2.FetchResultsRequest(
                job_ids=ids,
                batch_id=batch_id,
                page_token=token,
                wait_for=job_service_pb2.WAIT_FOR_ALL,
                wait_timeout=duration(max(left, 0.0)),
            )
            response = await self._channel.unary(_methods.FETCH_RESULTS, request, max(left, 0.0) + _ANSWER_SECONDS)
            waiting = sum(1 for each in response.results if 0 < each.state < _FIRST_TERMINAL)
            if not waiting:
                return response
            if deadline is not None and monotonic() >= deadline:
                raise DeadlineExceeded(
                    f"{waiting} of {len(response.results)} jobs had not ended in time; they go on: wait again, or cancel them",
                    code=_DEADLINE_EXCEEDED,
                )

    def _windows(self, job_ids: Sequence[str]) -> list[Sequence[str]]:
        """Ids as many as one call may name; one empty window for a batch."""
        size = self._limits.fetch_items_max
        return [job_ids[start : start + size] for start in range(0, len(job_ids), size)] or [()]


def selected(jobs: JobIds) -> tuple[tuple[str, ...], str]:
    """Job ids and batch id that `jobs` stands for; one of the two is empty.

    A `Batch` is named by its job ids, because answers shall come in the order of its items: the calls of one submit overtake
    each other, so the order of acceptance within the batch may be another one.
    """
    if isinstance(jobs, str):
        return (), jobs
    return jobs.job_ids if isinstance(jobs, Batch) else tuple(jobs), ""


def watched(jobs: JobIds) -> tuple[tuple[str, ...], str]:
    """As `selected`, where order does not matter: one stream over the whole batch, if all of it came from this submit."""
    if isinstance(jobs, Batch) and jobs.whole and jobs.job_ids:
        return (), jobs.batch_id
    return selected(jobs)
