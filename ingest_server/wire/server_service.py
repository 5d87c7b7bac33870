"""ServerService: what the server is, can do, and does now."""

from __future__ import annotations

import json

from google.protobuf.struct_pb2 import Struct

from ingest.v1 import server_service_pb2 as pb
from ingest_server.engines.interface import HandlerDescription, WorkerDescription
from ingest_server.jobs.server import LatencySummary, Server, ServerLimits
from ingest_server.wire.calls import Context, caller
from ingest_server.wire.times import to_duration, to_timestamp

SERVICE = pb.DESCRIPTOR.services_by_name["ServerService"]


class ServerService:
    """The servicer.

    Args:
        server: the use cases.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def GetServerInfo(self, request: pb.GetServerInfoRequest, context: Context) -> pb.GetServerInfoResponse:
        """Tell version, limits and handlers."""
        info = self._server.info(caller())
        return pb.GetServerInfoResponse(
            version=info.version,
            limits=_limits(info.limits),
            handlers=[_handler(handler) for handler in info.handlers],
            engines=[pb.EngineInfo(name=name, workers=workers) for name, workers in info.engines],
            tasks=info.tasks,
            uri_schemes=info.uri_schemes,
            callbacks=info.callbacks,
            tenant=info.tenant,
            embedding_models=info.embedding_models,
        )

    async def GetStats(self, request: pb.GetStatsRequest, context: Context) -> pb.GetStatsResponse:
        """Tell load and speed now."""
        stats = await self._server.stats(caller())
        response = pb.GetStatsResponse(
            queued_count=stats.queued,
            scheduled_count=stats.scheduled,
            running_count=stats.load.running,
            submit_rate_per_second=stats.load.submit_rate_per_second,
            end_rate_per_second=stats.load.end_rate_per_second,
            wait_latency=_latency(stats.load.wait_latency),
            run_latency=_latency(stats.load.run_latency),
            workers=[_worker(worker) for worker in stats.workers],
            watch_count=stats.watch_count,
            worker_crash_count=stats.worker_crash_count,
            uptime=to_duration(stats.uptime_seconds),
            ended_counts=stats.load.ended_counts,
        )
        response.store.update(dict(stats.store))
        return response


def _limits(limits: ServerLimits) -> pb.Limits:
    return pb.Limits(
        message_bytes_max=limits.message_bytes_max,
        submit_items_max=limits.submit_items_max,
        fetch_items_max=limits.fetch_items_max,
        inline_bytes_max=limits.inline_bytes_max,
        blob_bytes_max=limits.blob_bytes_max,
        result_bytes_max=limits.result_bytes_max,
        response_bytes_max=limits.response_bytes_max,
        wait_max=to_duration(limits.wait_max_seconds),
        blob_ttl=to_duration(limits.blob_ttl_seconds),
        result_ttl=to_duration(limits.result_ttl_seconds),
        event_ttl=to_duration(limits.event_ttl_seconds),
        cancel_grace=to_duration(limits.cancel_grace_seconds),
        priority_ageing=to_duration(limits.priority_ageing_seconds),
    )


def _handler(handler: HandlerDescription) -> pb.HandlerInfo:
    schema = Struct()
    schema.update(json.loads(handler.options_schema))
    return pb.HandlerInfo(
        name=handler.name, description=handler.description, options_schema=schema, media_types=handler.media_types
    )


def _latency(latency: LatencySummary) -> pb.LatencyQuantiles:
    return pb.LatencyQuantiles(
        p50=to_duration(latency.p50), p90=to_duration(latency.p90), p99=to_duration(latency.p99), count=latency.count
    )


def _worker(worker: WorkerDescription) -> pb.WorkerStats:
    return pb.WorkerStats(
        name=worker.name,
        pid=worker.pid,
        ended_count=worker.ended_count,
        running_count=worker.running_count,
        start_time=to_timestamp(worker.start_us) if worker.start_us else None,
    )
