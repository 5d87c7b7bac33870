"""How long a call may wait: what it asks for, what the server allows, and what is left until its caller gives up."""

from __future__ import annotations

from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from ingest_server.domain.clock import Clock
from ingest_server.wire.calls import DEADLINE
from ingest_server.wire.field_rules import required_span
from ingest_server.wire.limits import WireLimits
from ingest_server.wire.times import MICROSECONDS

DEADLINE_ROUNDING = 0.01
"""gRPC sends a deadline with two or three digits, rounded up: ours may lie one in a hundred behind the caller's (measured: 30.1 s
for 30 s)."""


class WaitingRequest(Protocol):
    """RunJobRequest or FetchResultsRequest."""

    @property
    def wait_timeout(self) -> Duration:
        """Longest wait."""
        ...

    def HasField(self, field_name: str) -> bool:
        """Whether it was set."""
        ...


def wait_seconds(request: WaitingRequest, limits: WireLimits, clock: Clock, *, unset: float) -> float:
    """Seconds to wait.

    The wait ends `answer_margin_seconds` before the caller's deadline, so that an answer reaches it instead of an error.

    Args:
        request: what was asked for.
        limits: `wait_seconds_max` and the margin.
        clock: that of the deadline.
        unset: seconds to wait if the request does not say.

    Raises:
        InvalidRequest: negative, or longer than allowed.
    """
    seconds = min(unset, limits.wait_seconds_max)
    if request.HasField("wait_timeout"):
        most_us = round(limits.wait_seconds_max * MICROSECONDS)
        seconds = required_span("wait_timeout", request.wait_timeout, 0, most_us) / MICROSECONDS
    deadline = DEADLINE.get()
    if deadline is not None:
        remaining = (deadline - clock.monotonic()) * (1 - DEADLINE_ROUNDING)
        seconds = min(seconds, remaining - limits.answer_margin_seconds)
    return max(seconds, 0.0)
