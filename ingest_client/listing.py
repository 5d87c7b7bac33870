"""Jobs page by page, newest first, and the token from which a watch goes on without a gap."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from ingest.v1 import job_pb2, job_service_pb2
from ingest_client import _methods
from ingest_client._channel import Channel
from ingest_client._convert import filter_to_proto, job_from_proto
from ingest_client.models import Job, JobFilter


class Listing:
    """An async iterator of `Job`; pages are fetched as they are drawn, one is held at a time.

    Attributes:
        watch_token: a resume token for `Client.watch` with the same filter (its states left out), from which no change after the
            first page is missed. "" before the first page.
    """

    def __init__(self, channel: Channel, wanted: JobFilter | None, *, full: bool, page_size: int) -> None:
        self._channel = channel
        self._request = job_service_pb2.ListJobsRequest(
            filter=filter_to_proto(wanted),
            page_size=page_size,
            view=job_pb2.JOB_VIEW_FULL if full else job_pb2.JOB_VIEW_BASIC,
        )
        self._jobs: deque[job_pb2.Job] = deque()
        self._ended = False
        self.watch_token = ""

    def __aiter__(self) -> AsyncIterator[Job]:
        return self

    async def __anext__(self) -> Job:
        while not self._jobs:
            if self._ended:
                raise StopAsyncIteration
            await self._next_page()
        return job_from_proto(self._jobs.popleft())

    async def _next_page(self) -> None:
        """An empty page is not the end: the server looks at a bounded number of jobs for each."""
        response = await self._channel.unary(_methods.LIST_JOBS, self._request)
        self._jobs.extend(response.jobs)
        self._request.page_token = response.next_page_token
        self._ended = not response.next_page_token
        self.watch_token = self.watch_token or response.watch_token
