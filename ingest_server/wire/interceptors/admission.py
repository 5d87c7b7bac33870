"""Refuses at once what the server cannot take: limits on calls and on streams under way, with a hint when to come back.

gRPC's own `maximum_concurrent_rpcs` has miscounted, knows no hint, and cannot tell a stream that idles for hours from a call that
is over in a millisecond.
"""

from __future__ import annotations

from typing import Any

from ingest_server.domain.errors import Exhausted
from ingest_server.wire.calls import Behaviour, Context, Method
from ingest_server.wire.limits import LiveConfiguration

HEALTH_CHECK_PATH = "/grpc.health.v1.Health/Check"


class Admission:
    """Counts calls under way, streams apart.

    Health checks are always let in: an orchestrator that finds a busy server "dead" kills it, and makes things worse.

    Args:
        configuration: the limits; read at each call.
    """

    def __init__(self, configuration: LiveConfiguration) -> None:
        self._configuration = configuration
        self.calls = 0
        self.streams = 0

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """See `Interceptor`."""
        if method.path == HEALTH_CHECK_PATH:
            return inner
        return self._stream(inner) if method.streams else self._call(inner)

    def _call(self, inner: Behaviour) -> Behaviour:
        async def admitted(request: Any, context: Context) -> bytes | None:
            limits = self._configuration.limits
            if self.calls >= limits.concurrent_calls_max:
                raise overloaded("calls", limits.concurrent_calls_max, limits.overload_retry_seconds)
            self.calls += 1
            try:
                return await inner(request, context)
            finally:
                self.calls -= 1

        return admitted

    def _stream(self, inner: Behaviour) -> Behaviour:
        async def admitted(request: Any, context: Context) -> bytes | None:
            limits = self._configuration.limits
            if self.streams >= limits.streams_max:
                raise overloaded("streams", limits.streams_max, limits.overload_retry_seconds)
            self.streams += 1
            try:
                return await inner(request, context)
            finally:
                self.streams -= 1

        return admitted


def overloaded(what: str, most: int, retry_seconds: float, whose: str = "") -> Exhausted:
    """The refusal. `whose` names the tenant, where its share is used up and not the server's."""
    return Exhausted(
        f"{most:,} {what}{whose} are under way, which is the limit; come back in {retry_seconds:g} s",
        metadata={"limit": str(most)},
        retry_after_seconds=retry_seconds,
    )
