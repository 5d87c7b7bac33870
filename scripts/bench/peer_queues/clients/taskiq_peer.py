"""taskiq: a task that does nothing, over lists of Redis, and a client that kicks them and waits for their results.

Documentation: https://taskiq-python.github.io/guide/getting-started.html (kiq, wait_result and its check_interval),
https://taskiq-python.github.io/available-components/brokers.html (lists or streams of Redis).
"""

from __future__ import annotations

import asyncio

import harness
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

WAITING_MAX = 500  # waits at once: each is a poll
broker = ListQueueBroker(harness.URL, queue_name=harness.QUEUE).with_result_backend(
    RedisAsyncResultBackend(harness.URL, result_ex_time=600)
)


@broker.task(task_name="noop")
async def noop() -> int:
    """Do nothing."""
    return harness.ANSWER


async def run(jobs: int) -> None:
    """Kick one after the other, or many at once, and wait for each; results are polled for, 0.2 s apart by default."""
    if not harness.FAST or jobs == 1:
        sent = [await noop.kiq() for _ in range(jobs)]
    else:
        sent = []
        for first in range(0, jobs, WAITING_MAX):
            sent += await asyncio.gather(*(noop.kiq() for _ in range(min(WAITING_MAX, jobs - first))))
    interval = 0.001 if harness.FAST else 0.2
    # In order: a result that is awaited first is there, or all before it have been asked for.
    results = [(await task.wait_result(check_interval=interval, timeout=600)).return_value for task in sent]
    harness.check(list(results))


async def main() -> None:
    """Connect and measure."""
    await broker.startup()
    await harness.serve_async(run)
    await broker.shutdown()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
