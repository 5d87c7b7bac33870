"""RQ: a function that does nothing, and a client that enqueues it and waits for the results.

Documentation: https://python-rq.org/docs/ (enqueue_many by one pipeline),
https://python-rq.org/docs/results/ (latest_result blocks),
https://python-rq.org/docs/workers/ (worker pools; SimpleWorker does not fork for each job).
"""

from __future__ import annotations

import harness
from redis import Redis
from rq import Queue

queue = Queue(harness.QUEUE, connection=Redis.from_url(harness.URL))


def noop() -> int:
    """Do nothing."""
    return harness.ANSWER


def run(jobs: int) -> None:
    """Enqueue one after the other, or by pipeline, and wait for each."""
    if harness.FAST and jobs > 1:
        sent = queue.enqueue_many([Queue.prepare_data("rq_peer.noop") for _ in range(jobs)])
    else:
        sent = [queue.enqueue("rq_peer.noop") for _ in range(jobs)]
    results = [job.latest_result(timeout=120) for job in sent]
    harness.check([result.return_value for result in results if result is not None])


if __name__ == "__main__":
    harness.serve(run)
