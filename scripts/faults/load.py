"""A load that goes on over everything: submitters that keep some jobs ahead of the server, an observer of all that happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest_client import Client, JobSpec
from tests.hostile.observer import Observer

SUBMITTERS = 4
JOBS_PER_CALL = 25
AHEAD_JOBS_MAX = 600
"""So many jobs wait at most: enough for two workers to be busy over any moment, and few enough to end soon."""


class Load:
    """Submits until it is stopped, in calls of `JOBS_PER_CALL`.

    Attributes:
        observer: sees every change of every job.
        acknowledged: ids of the jobs whose submit was answered.
    """

    def __init__(self, client: Client, spec: JobSpec) -> None:
        self.acknowledged: list[str] = []
        self.observer = Observer(client)
        self._client = client
        self._spec = spec
        self._stopped = False
        self._tasks = [asyncio.create_task(self._submit()) for _ in range(SUBMITTERS)]

    async def progress(self, jobs: int) -> None:
        """Wait until so many more jobs have ended. Raises what broke a submitter or a law of the watch."""
        wanted = asyncio.create_task(self.observer.until_ended(len(self.observer.ended) + jobs))
        try:
            await asyncio.wait([wanted, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in self._tasks:
                if task.done():
                    task.result()
            await wanted
        finally:
            wanted.cancel()

    async def stop(self) -> None:
        """Submit no more; return when the calls under way are answered. Raises what broke one of them."""
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def until_all_ended(self, seconds_max: float) -> list[str]:
        """Wait for the end of all that was acknowledged. Answers the jobs that had not ended after so long."""
        try:
            async with asyncio.timeout(seconds_max):
                await self.observer.until_all_ended(self.acknowledged)
        except TimeoutError:
            pass
        return [job_id for job_id in self.acknowledged if job_id not in self.observer.ended]

    async def close(self) -> None:
        """End everything that still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.observer.close()

    async def _submit(self) -> None:
        while not self._stopped:
            batch = await self._client.submit([self._spec] * JOBS_PER_CALL)
            assert not batch.refused, f"refused: {batch.refused}"
            self.acknowledged.extend(batch.job_ids)
            await self.observer.until_ended(len(self.acknowledged) - AHEAD_JOBS_MAX)


@asynccontextmanager
async def loading(client: Client, spec: JobSpec) -> AsyncIterator[Load]:
    """A load on the server of `client`."""
    load = Load(client, spec)
    try:
        yield load
    finally:
        await load.close()
