"""streaQ: a task that does nothing, and a client that enqueues jobs and brings their results.

Documentation: https://streaq.readthedocs.io/en/latest/task.html (enqueue_many sends one pipeline),
https://streaq.readthedocs.io/en/latest/worker.html (concurrency, prefetch).
"""

from __future__ import annotations

import asyncio

import harness
from streaq import Worker

WAITING_MAX = 16  # waits at once: each holds a connection to subscribe, and needs another to ask; the pool must have both
READ_MAX = 1_000
POLL_SECONDS = 0.005
worker: Worker[None] = (
    Worker(redis_url=harness.URL, queue_name=harness.QUEUE, concurrency=128, prefetch=512)
    if harness.FAST
    else Worker(redis_url=harness.URL, queue_name=harness.QUEUE)
)


@worker.task(name="noop")
async def noop() -> int:
    """Do nothing."""
    return harness.ANSWER


async def run(jobs: int) -> None:
    """Enqueue one after the other, or by pipeline; wait for each result, or read a thousand at a time.

    A wait subscribes to a channel of its own for each result, which bounds the rate far below what the workers do. So the fast
    settings go beyond the documentation, in its favour: they read the keys of many results by one command.
    """
    if harness.FAST and jobs > 1:
        tasks = [noop.enqueue() for _ in range(jobs)]
        await worker.enqueue_many(tasks)
        for first in range(0, jobs, READ_MAX):
            harness.check(await read([worker.results_key + task.id for task in tasks[first : first + READ_MAX]]))
        return
    tasks = [await noop.enqueue() for _ in range(jobs)]
    for first in range(0, jobs, WAITING_MAX):
        results = await asyncio.gather(*(task.result(timeout=600) for task in tasks[first : first + WAITING_MAX]))
        harness.check([each.result for each in results])


async def read(keys: list[str]) -> list[object]:
    """The results under these keys, once all are there."""
    while True:
        found = await worker.redis.mget(keys)
        if all(each is not None for each in found):
            return [(await worker.deserialize(each))["r"] for each in found]
        await asyncio.sleep(POLL_SECONDS)


async def main() -> None:
    """Connect and measure."""
    async with worker:
        await harness.serve_async(run)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
