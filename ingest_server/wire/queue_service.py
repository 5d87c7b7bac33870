"""QueueService: the lines that jobs wait in."""

from __future__ import annotations

import math

from ingest.v1 import queue_service_pb2 as pb
from ingest_server.jobs.queues import QueueChange, Queues, QueueView
from ingest_server.wire.calls import Context, caller
from ingest_server.wire.faults import Faults, shown
from ingest_server.wire.field_rules import checked_number, checked_queue, raise_if_any, required_queue

SERVICE = pb.DESCRIPTOR.services_by_name["QueueService"]

WEIGHT_MAX = 1_000
"""queue_service.proto, Queue.weight."""
_RUNNING_MAX = 2**31 - 1
_SETTINGS = ("weight", "running_max", "start_rate_per_second")


class QueueService:
    """The servicer.

    Args:
        queues: the use cases.
    """

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    async def ListQueues(self, request: pb.ListQueuesRequest, context: Context) -> pb.ListQueuesResponse:
        """Answer all queues."""
        return pb.ListQueuesResponse(queues=[queue_to_proto(view) for view in await self._queues.list(caller())])

    async def GetQueue(self, request: pb.GetQueueRequest, context: Context) -> pb.GetQueueResponse:
        """Answer one queue."""
        view = await self._queues.get(caller(), required_queue("name", request.name))
        return pb.GetQueueResponse(queue=queue_to_proto(view))

    async def UpdateQueue(self, request: pb.UpdateQueueRequest, context: Context) -> pb.UpdateQueueResponse:
        """Change a queue's settings."""
        view = await self._queues.update(caller(), parse_change(request))
        return pb.UpdateQueueResponse(queue=queue_to_proto(view))

    async def PauseQueue(self, request: pb.PauseQueueRequest, context: Context) -> pb.PauseQueueResponse:
        """Start no further job of a queue."""
        view = await self._queues.pause(caller(), required_queue("name", request.name))
        return pb.PauseQueueResponse(queue=queue_to_proto(view))

    async def ResumeQueue(self, request: pb.ResumeQueueRequest, context: Context) -> pb.ResumeQueueResponse:
        """Start jobs of a queue again."""
        view = await self._queues.resume(caller(), required_queue("name", request.name))
        return pb.ResumeQueueResponse(queue=queue_to_proto(view))

    async def PurgeQueue(self, request: pb.PurgeQueueRequest, context: Context) -> pb.PurgeQueueResponse:
        """Cancel all waiting jobs of the caller's tenant in a queue."""
        return pb.PurgeQueueResponse(cancelled_count=await self._queues.purge(caller(), required_queue("name", request.name)))


def parse_change(request: pb.UpdateQueueRequest) -> QueueChange:
    """Read which settings to change, and how. Raises InvalidRequest with all faults."""
    faults = Faults()
    queue = request.queue
    checked_queue(faults, "queue.name", queue.name)
    for index, path in enumerate(request.update_mask.paths):
        if path not in _SETTINGS:
            faults.add(f"update_mask.paths[{index}]", f"must be one of {', '.join(_SETTINGS)}, not {shown(path)}")
    checked_number(faults, "queue.weight", queue.weight, 0, WEIGHT_MAX)
    checked_number(faults, "queue.running_max", queue.running_max, 0, _RUNNING_MAX)
    rate = queue.start_rate_per_second
    if not (math.isfinite(rate) and rate >= 0):
        faults.add("queue.start_rate_per_second", f"must be a finite number of at least 0, not {rate:g}")
    raise_if_any(faults)
    masked = set(request.update_mask.paths) or {name for name in _SETTINGS if getattr(queue, name)}
    return QueueChange(
        name=queue.name,
        weight=(queue.weight or 1) if "weight" in masked else None,
        running_max=queue.running_max if "running_max" in masked else None,
        start_rate_per_second=rate if "start_rate_per_second" in masked else None,
        allow_missing=request.allow_missing,
    )


def queue_to_proto(view: QueueView) -> pb.Queue:
    """Write a queue."""
    row = view.row
    return pb.Queue(
        name=row.name,
        weight=row.weight,
        running_max=row.running_max,
        start_rate_per_second=row.start_rate_per_second,
        paused=row.paused,
        queued_count=view.queued,
        scheduled_count=view.scheduled,
        running_count=view.running,
    )
