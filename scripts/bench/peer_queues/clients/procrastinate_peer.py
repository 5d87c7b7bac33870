"""Procrastinate on PostgreSQL: a task that does nothing, and a client that defers jobs and asks until all have ended.

Procrastinate keeps no return values: its documentation offers the state of a job, so states stand for results here, counted per
queue in one query, which is less than the others bring back.

Documentation: https://procrastinate.readthedocs.io/en/stable/howto/basics/defer.html and
…/howto/advanced/batch.html (batch_defer),
https://procrastinate.readthedocs.io/en/stable/howto/basics/worker.html (concurrency, polling, delete_jobs).
"""

from __future__ import annotations

import asyncio

import harness
from procrastinate import App, PsycopgConnector

DEFER_MAX = 1_000
app = App(connector=PsycopgConnector(conninfo=harness.URL))
ended = 0


@app.task(name="noop", queue=harness.QUEUE)
async def noop() -> int:
    """Do nothing."""
    return harness.ANSWER


async def run(jobs: int) -> None:
    """Defer one after the other, or by batch, and ask until so many more have succeeded."""
    global ended
    if harness.FAST and jobs > 1:
        for first in range(0, jobs, DEFER_MAX):
            await noop.batch_defer_async(*({} for _ in range(min(DEFER_MAX, jobs - first))))
    else:
        for _ in range(jobs):
            await noop.defer_async()
    ended += jobs
    delay = 0.002 if jobs == 1 else 0.05
    while True:
        found = list(await app.job_manager.list_queues_async(queue=harness.QUEUE))
        if found and found[0]["succeeded"] >= ended:
            return
        if found and found[0]["failed"]:
            raise SystemExit(f"a job failed: {found}")
        await asyncio.sleep(delay)


async def main() -> None:
    """Connect and measure."""
    async with app.open_async():
        await harness.serve_async(run)


if __name__ == "__main__":
    asyncio.run(main())
