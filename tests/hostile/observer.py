"""Watches all jobs of a server across its deaths and holds every event against the laws of a watch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ingest_client import Client, JobEvent, JobState, Watch

ARROWS: dict[JobState, set[JobState]] = {
    JobState.SCHEDULED: {JobState.QUEUED, JobState.CANCELLED, JobState.EXPIRED},
    JobState.QUEUED: {JobState.RUNNING, JobState.CANCELLED, JobState.EXPIRED},
    JobState.RUNNING: {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.EXPIRED,
        JobState.CANCELLING,
        JobState.SCHEDULED,
        JobState.QUEUED,
    },
    JobState.CANCELLING: {JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED, JobState.EXPIRED},
}
"""The arrows of job.proto, written down once more: an event that no arrow leads to means that one was missed."""


class Observer:
    """Reads a watch in a task of its own; the first broken law ends it and is raised by whoever waits.

    Attributes:
        seen: (job, revision, state) of every change, in order of arrival.
        tokens: (number of changes seen, token) after each message.
        ended: state of each job that has ended.
    """

    def __init__(self, client: Client) -> None:
        self.seen: list[tuple[str, int, JobState]] = []
        self.tokens: list[tuple[int, str]] = []
        self.ended: dict[str, JobState] = {}
        self._last: dict[str, tuple[int, JobState]] = {}
        self._newest_revision = 0
        self._changed = asyncio.Condition()
        self.watch: Watch = client.watch()
        self._task = asyncio.create_task(self._read())

    async def until_ended(self, count: int) -> None:
        """Wait until so many jobs have ended."""
        await self._until(lambda: len(self.ended) >= count)

    async def until_all_ended(self, job_ids: Iterable[str]) -> None:
        """Wait until all of these have ended."""
        wanted = set(job_ids)
        await self._until(lambda: wanted <= self.ended.keys())

    async def close(self) -> None:
        """End the watch. Raises what it found broken."""
        await self.watch.aclose()
        if not self._task.done():
            self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _until(self, condition: object) -> None:
        assert callable(condition)

        async def wait() -> None:
            async with self._changed:
                await self._changed.wait_for(condition)

        waiting = asyncio.create_task(wait())
        await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            self._task.result()
            raise AssertionError("the watch ended before its time")

    async def _read(self) -> None:
        async for events in self.watch.batches():
            for event in events:
                self._take(event)
            self.tokens.append((len(self.seen), self.watch.resume_token))
            async with self._changed:
                self._changed.notify_all()

    def _take(self, event: JobEvent) -> None:
        if event.revision == 0:
            return  # progress
        assert not event.snapshot, f"a snapshot in the midst of a watch that was never too slow: {event}"
        assert event.revision > self._newest_revision, f"{event} came after revision {self._newest_revision}"
        self._newest_revision = event.revision
        before = self._last.get(event.job_id)
        if before is None:
            assert event.state in (JobState.QUEUED, JobState.SCHEDULED), f"the first that is heard of a job is {event}"
        else:
            assert event.state in ARROWS.get(before[1], set()), f"no arrow leads from {before[1].name} to {event}"
        self._last[event.job_id] = (event.revision, event.state)
        self.seen.append((event.job_id, event.revision, event.state))
        if event.state.terminal:
            self.ended[event.job_id] = event.state
