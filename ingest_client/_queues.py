"""Queues: list, change, pause, resume, purge."""

from __future__ import annotations

from ingest.v1 import queue_service_pb2
from ingest_client import _methods
from ingest_client._channel import Channel
from ingest_client._convert import queue_from_proto
from ingest_client.models import Queue


class Queues:
    """Queues of one server. Every call may be repeated without harm."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def list(self) -> tuple[Queue, ...]:
        """All queues by name."""
        response = await self._channel.unary(_methods.LIST_QUEUES, queue_service_pb2.ListQueuesRequest())
        return tuple(queue_from_proto(each) for each in response.queues)

    async def update(
        self,
        name: str,
        *,
        weight: int | None = None,
        running_max: int | None = None,
        start_rate_per_second: float | None = None,
        create: bool = False,
    ) -> Queue:
        """Change what is given, leave the rest.

        Args:
            name: of the queue.
            weight: share of the workers, 1 … 1,000.
            running_max: most jobs running at once; 0 for no limit.
            start_rate_per_second: most jobs started per second; 0 for no limit.
            create: make the queue if it does not exist.

        Raises:
            NotFound: no such queue, and `create` is False.
        """
        given = {"weight": weight, "running_max": running_max, "start_rate_per_second": start_rate_per_second}
        request = queue_service_pb2.UpdateQueueRequest(allow_missing=create)
        request.queue.name = name
        for field, value in given.items():
            if value is not None:
                setattr(request.queue, field, value)
                request.update_mask.paths.append(field)
        return queue_from_proto((await self._channel.unary(_methods.UPDATE_QUEUE, request)).queue)

    async def pause(self, name: str) -> Queue:
        """Start no further job of the queue. Raises NotFound."""
        request = queue_service_pb2.PauseQueueRequest(name=name)
        return queue_from_proto((await self._channel.unary(_methods.PAUSE_QUEUE, request)).queue)

    async def resume(self, name: str) -> Queue:
        """Start jobs of the queue again. Raises NotFound."""
        request = queue_service_pb2.ResumeQueueRequest(name=name)
        return queue_from_proto((await self._channel.unary(_methods.RESUME_QUEUE, request)).queue)

    async def purge(self, name: str) -> int:
        """Cancel all waiting jobs of the queue; answers how many. Raises NotFound."""
        request = queue_service_pb2.PurgeQueueRequest(name=name)
        return (await self._channel.unary(_methods.PURGE_QUEUE, request)).cancelled_count
