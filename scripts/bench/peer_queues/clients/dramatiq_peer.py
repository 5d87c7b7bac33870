"""Dramatiq: an actor that does nothing, over Redis or RabbitMQ, results in Redis, and a client that runs a group of it.

Documentation: https://dramatiq.io/cookbook.html (groups, results), https://dramatiq.io/advanced.html (prefetch by
dramatiq_queue_prefetch, processes and threads), https://dramatiq.io/reference.html (RabbitmqBroker and confirm_delivery).
"""

from __future__ import annotations

import dramatiq
import harness
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

if harness.BROKER_URL.startswith("amqp"):
    broker = RabbitmqBroker(url=harness.BROKER_URL, confirm_delivery=harness.DURABLE)
else:
    broker = RedisBroker(url=harness.BROKER_URL)
broker.add_middleware(Results(backend=RedisBackend(url=harness.URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True, queue_name=harness.QUEUE)
def noop() -> int:
    """Do nothing."""
    return harness.ANSWER


def run(jobs: int) -> None:
    """Send, and wait for each result."""
    if jobs == 1:
        harness.check([noop.send().get_result(block=True, timeout=120_000)])
        return
    sent = dramatiq.group([noop.message() for _ in range(jobs)]).run()
    harness.check(list(sent.get_results(block=True, timeout=600_000)))


if __name__ == "__main__":
    harness.serve(run)
