"""What a call is to this server: its method, its behaviour, and the facts that interceptors leave for servicers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import grpc

from ingest_server.domain.caller import Caller

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

Behaviour: TypeAlias = Callable[[Any, Context], Awaitable[bytes | None]]
"""Serves one call. Takes the serialized request (or, for a client stream, the iterator of such), answers the serialized response;
None for a server stream, which writes its messages to the context. All kinds of RPC have this one shape, so an interceptor is
one function; and a stream is a coroutine, not an async generator, so nothing is left half-run when its reader goes away."""


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC.

    Attributes:
        service: full name, such as "ingest.v1.JobService".
        name: such as "SubmitJobs".
        request_streaming, response_streaming: its kind.
        waits: it may last long by design: it waits for jobs, or streams. Such a call must not hold up a drain or a reload.
    """

    service: str
    name: str
    request_streaming: bool = False
    response_streaming: bool = False
    waits: bool = False

    @property
    def path(self) -> str:
        """As gRPC names it: "/ingest.v1.JobService/SubmitJobs"."""
        return f"/{self.service}/{self.name}"

    @property
    def streams(self) -> bool:
        """Whether either side streams."""
        return self.request_streaming or self.response_streaming


class Interceptor(Protocol):
    """Stands around calls. Composed once, when the server is built: a call pays for no look-up and no new closure."""

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """Answer a behaviour that does its part around `inner`; `inner` itself if there is nothing to do for this method. The
        answer must be a coroutine function. It must let CancelledError pass: who swallows it leaks the call."""
        ...


CALLER: ContextVar[Caller] = ContextVar("ingest_caller")
"""Who calls. Set by the authentication interceptor; each call runs in a task, and so in a context, of its own."""

DEADLINE: ContextVar[float | None] = ContextVar("ingest_deadline", default=None)
"""When the caller's own deadline ends, on the monotonic clock; None without one. Set by the deadline interceptor."""


def caller() -> Caller:
    """Who calls. LookupError where no authentication stood before: that must never answer somebody."""
    return CALLER.get()
