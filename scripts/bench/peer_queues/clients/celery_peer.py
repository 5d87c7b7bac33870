"""Celery: a task that does nothing, and a client that sends a group of them and joins its results.

Documentation: https://docs.celeryq.dev/en/stable/userguide/optimizing.html (prefetch, transient messages),
https://docs.celeryq.dev/en/stable/userguide/canvas.html (groups),
https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/rabbitmq.html (quorum queues, publisher confirms).
"""

from __future__ import annotations

import harness
from celery import Celery, group

app = Celery("celery_peer", broker=harness.BROKER_URL, backend=harness.URL)
app.conf.task_default_queue = harness.QUEUE
app.conf.worker_hijack_root_logger = False
if harness.FAST:
    app.conf.worker_prefetch_multiplier = 128  # "if you have many short tasks": the optimizing guide
    app.conf.task_ignore_result = False
    if not harness.DURABLE:
        app.conf.task_default_delivery_mode = "transient"  # "Using Transient Queues" of the optimizing guide
if harness.DURABLE and harness.BROKER_URL.startswith("amqp"):
    app.conf.broker_transport_options = {"confirm_publish": True}
    app.conf.task_default_queue_type = "quorum"
    app.conf.worker_detect_quorum_queues = True


@app.task(name="noop")
def noop() -> int:
    """Do nothing."""
    return harness.ANSWER


def run(jobs: int) -> None:
    """Send, and join."""
    if jobs == 1:
        harness.check([noop.delay().get(timeout=120)])
        return
    sent = group(noop.s() for _ in range(jobs)).apply_async()
    harness.check(sent.join_native(timeout=600))
    sent.forget()


if __name__ == "__main__":
    harness.serve(run)
