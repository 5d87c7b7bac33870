"""arq: a function that does nothing, and a client that enqueues jobs and polls for their results.

Documentation: https://arq-docs.helpmanual.io/ (enqueue_job, Job.result and its poll_delay; max_jobs and poll_delay of a worker).
"""

from __future__ import annotations

import asyncio
from typing import Any

import harness
from arq import create_pool
from arq.connections import ArqRedis, RedisSettings

WAITING_MAX = 500
SETTINGS = RedisSettings.from_dsn(harness.URL)


async def noop(context: dict[Any, Any]) -> int:
    """Do nothing."""
    return harness.ANSWER


class WorkerSettings:
    """What a worker is told."""

    functions = (noop,)
    redis_settings = SETTINGS
    queue_name = harness.QUEUE
    max_jobs = 200 if harness.FAST else 10
    poll_delay = 0.005 if harness.FAST else 0.5


async def run(pool: ArqRedis, jobs: int) -> None:
    """Enqueue one after the other, or many at once, and ask for each result."""
    if harness.FAST and jobs > 1:
        sent = []
        for first in range(0, jobs, WAITING_MAX):
            sent += await asyncio.gather(*(pool.enqueue_job("noop") for _ in range(min(WAITING_MAX, jobs - first))))
    else:
        sent = [await pool.enqueue_job("noop") for _ in range(jobs)]
    delay = 0.005 if harness.FAST else 0.5
    harness.check([await job.result(timeout=600, poll_delay=delay) for job in sent if job is not None])


async def main() -> None:
    """Connect and measure."""
    pool = await create_pool(SETTINGS, default_queue_name=harness.QUEUE)
    await harness.serve_async(lambda jobs: run(pool, jobs))
    await pool.aclose()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
