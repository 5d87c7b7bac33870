"""Results of jobs that no session stream tells of: asked for by id, all in one long-polling call at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import islice

from ingest.v1 import job_service_pb2
from ingest_client import _methods
from ingest_client._blobs import Blobs
from ingest_client._channel import Channel
from ingest_client._session import Entry
from ingest_client.errors import IngestClientError
from ingest_client.models import JobState, Limits
from ingest_client.result import result_from_fetched
from ingest_client.specs import duration

# When there are more jobs than one call may name, each window waits so long before the next has its turn.
_TURN_SECONDS = 1.0
_WAIT_SECONDS_MAX = 30.0
_ANSWER_SECONDS = 30.0


class Strays:
    """Waits for the ends of jobs by id. Used from one event loop."""

    def __init__(self, channel: Channel, blobs: Blobs, limits: Limits) -> None:
        self._channel = channel
        self._blobs = blobs
        self._items_max = limits.fetch_items_max
        self._wait_seconds = min(limits.wait_seconds_max or _WAIT_SECONDS_MAX, _WAIT_SECONDS_MAX)
        self._entries: dict[str, Entry] = {}
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Take over entries; those that nobody waits for are left to be asked for when somebody does."""
        for entry in entries:
            entry.session = None
            if entry.result is not None and not entry.result.done():
                self.add(entry)

    def add(self, entry: Entry) -> None:
        """Wait for this one too."""
        present = self._entries.get(entry.job_id)
        if present is not None and present is not entry:
            present.twins = [*(present.twins or ()), entry]
            return
        self._entries[entry.job_id] = entry
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self, error: IngestClientError) -> None:
        """Stop; whoever waits gets `error`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._fail_all(error)

    async def _run(self) -> None:
        while self._entries:
            self._changed.clear()
            ids = list(islice(self._entries, self._items_max))
            wait_seconds = self._wait_seconds if len(ids) == len(self._entries) else _TURN_SECONDS
            try:
                response = await self._fetch(ids, wait_seconds)
            except IngestClientError as error:
                self._fail_all(error)
                return
            if response is None:
                continue  # another job came while the call waited: ask for all of them
            for fetched in response.results:
                result = result_from_fetched(fetched, self._blobs)
                entry = self._entries.pop(fetched.job_id, None)
                if entry is None:
                    continue
                if result.state.terminal or result.state is JobState.UNSPECIFIED:
                    entry.settle(result)
                else:
                    self._entries[fetched.job_id] = entry  # to the end of the line

    async def _fetch(self, ids: list[str], wait_seconds: float) -> job_service_pb2.FetchResultsResponse | None:
        """One long poll for any of `ids`; None if the set changed before it answered."""
        request = job_service_pb2.FetchResultsRequest(
            job_ids=ids, wait_timeout=duration(wait_seconds), wait_for=job_service_pb2.WAIT_FOR_ANY
        )
        loop = asyncio.get_running_loop()
        call = loop.create_task(self._channel.unary(_methods.FETCH_RESULTS, request, wait_seconds + _ANSWER_SECONDS))
        changed = loop.create_task(self._changed.wait())
        try:
            await asyncio.wait({call, changed}, return_when=asyncio.FIRST_COMPLETED)
            return call.result() if call.done() else None
        finally:
            for task in (call, changed):
                task.cancel()
            await asyncio.gather(call, changed, return_exceptions=True)

    def _fail_all(self, error: IngestClientError) -> None:
        failed = list(self._entries.values())
        self._entries.clear()
        for entry in failed:
            entry.fail(error)
