"""grpc.health.v1: is the process alive, is it ready for work, does each service serve.

Own lines instead of the servicer that comes with grpcio-health-checking: that one forgets all other watchers of a service when
one of them goes away, so a load balancer's watch would miss the drain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from grpc_health.v1 import health_pb2 as pb

from ingest_server.domain.errors import NotFound, Reason
from ingest_server.wire.calls import Context

SERVICE = pb.DESCRIPTOR.services_by_name["Health"]

LIVENESS = ""
"""The process runs and its event loop turns. Stays SERVING in a drain: who restarts on it would cut the drain short."""
READINESS = "ingest.v1.Readiness"
"""Calls are accepted. NOT_SERVING until the server is ready, and from the moment it drains."""

_SERVING = pb.HealthCheckResponse.SERVING
_NOT_SERVING = pb.HealthCheckResponse.NOT_SERVING
_UNKNOWN = pb.HealthCheckResponse.SERVICE_UNKNOWN


class HealthService:
    """The servicer, and the switch.

    Args:
        services: full names of the services that serve when the server is ready.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._statuses = {LIVENESS: _SERVING, READINESS: _NOT_SERVING, **dict.fromkeys(services, _NOT_SERVING)}
        self._changed = asyncio.Event()

    def set_ready(self, ready: bool) -> None:
        """Say of everything but liveness whether it serves."""
        for name in self._statuses:
            if name != LIVENESS:
                self._statuses[name] = _SERVING if ready else _NOT_SERVING
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:
        """Answer the status now. NOT_FOUND for a service that is not here, as health.proto wants it."""
        status = self._statuses.get(request.service)
        if status is None:
            raise NotFound(
                f"there is no service {request.service[:255]!r}; known are {', '.join(filter(None, self._statuses))}",
                reason=Reason.NOT_SUPPORTED,
            )
        return pb.HealthCheckResponse(status=status)

    async def Watch(self, request: pb.HealthCheckRequest, context: Context) -> None:
        """Tell the status now and at each change; SERVICE_UNKNOWN for a service that is not here."""
        told = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, _UNKNOWN)
            if status != told:
                await context.write(pb.HealthCheckResponse(status=status).SerializeToString())
                told = status
            else:
                await changed.wait()

    async def List(self, request: object, context: Context) -> object:
        """Answer all statuses. Newer versions of health.proto have it."""
        statuses = {name: pb.HealthCheckResponse(status=status) for name, status in self._statuses.items()}
        return pb.HealthListResponse(statuses=statuses)
