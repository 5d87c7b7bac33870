"""Server and queue services of the fake server, with limits small enough to be reached in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc.aio
from google.protobuf import duration_pb2

from ingest.v1 import queue_service_pb2, queue_service_pb2_grpc, server_service_pb2, server_service_pb2_grpc

if TYPE_CHECKING:
    from tests.fakes.job_service import FakeServer

Context = grpc.aio.ServicerContext[Any, Any]


class FakeServerInfo(server_service_pb2_grpc.ServerServiceServicer):
    """Limits and figures."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self.limits = server_service_pb2.Limits(
            message_bytes_max=64 * 1024,
            submit_items_max=10,
            fetch_items_max=10,
            inline_bytes_max=4096,
            blob_bytes_max=1 << 30,
            result_bytes_max=1 << 20,
            response_bytes_max=32 * 1024,
            wait_max=duration_pb2.Duration(seconds=20),
        )

    async def GetServerInfo(self, request: server_service_pb2.GetServerInfoRequest, context: Context) -> Any:
        await self._server.enter("GetServerInfo", request, context)
        handler = server_service_pb2.HandlerInfo(name="echo", description="Gives back its input.")
        return server_service_pb2.GetServerInfoResponse(
            version="0.0.1", limits=self.limits, handlers=[handler], tasks=["extract"], tenant="default"
        )

    async def GetStats(self, request: server_service_pb2.GetStatsRequest, context: Context) -> Any:
        await self._server.enter("GetStats", request, context)
        return server_service_pb2.GetStatsResponse(queued_count=3, ended_counts={"SUCCEEDED": 7})


class FakeQueues(queue_service_pb2_grpc.QueueServiceServicer):
    """One queue."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self.queue = queue_service_pb2.Queue(name="default", weight=1)

    async def ListQueues(self, request: queue_service_pb2.ListQueuesRequest, context: Context) -> Any:
        await self._server.enter("ListQueues", request, context)
        return queue_service_pb2.ListQueuesResponse(queues=[self.queue])

    async def PauseQueue(self, request: queue_service_pb2.PauseQueueRequest, context: Context) -> Any:
        await self._server.enter("PauseQueue", request, context)
        self.queue.paused = True
        return queue_service_pb2.PauseQueueResponse(queue=self.queue)

    async def ResumeQueue(self, request: queue_service_pb2.ResumeQueueRequest, context: Context) -> Any:
        await self._server.enter("ResumeQueue", request, context)
        self.queue.paused = False
        return queue_service_pb2.ResumeQueueResponse(queue=self.queue)

    async def UpdateQueue(self, request: queue_service_pb2.UpdateQueueRequest, context: Context) -> Any:
        await self._server.enter("UpdateQueue", request, context)
        for path in request.update_mask.paths:
            setattr(self.queue, path, getattr(request.queue, path))
        return queue_service_pb2.UpdateQueueResponse(queue=self.queue)
