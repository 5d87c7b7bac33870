"""Tells metrics and log of every call: that it began, how it ended, how long it took."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

import grpc

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, IngestError
from ingest_server.wire.calls import CALLER, Behaviour, Context, Method

_log = logging.getLogger(__name__)

_LOUD_CODES = frozenset({Code.UNKNOWN, Code.INTERNAL, Code.DATA_LOSS})
"""Codes that mean a fault of ours: logged as warnings. All else is the caller's daily life, and logged for debugging only: at
thousands of calls a second a line for each costs more than the calls."""


REQUEST_ID_KEY = "x-request-id"
REQUEST_ID_LENGTH_MAX = 128
"""A UUID has 36 characters, a trace id 32."""


class CallObserver(Protocol):
    """Who counts calls. Must return at once and must not raise."""

    def call_started(self, method: Method) -> None:
        """A call has reached the server."""
        ...

    def call_ended(self, method: Method, code: Code, seconds: float, reason: str) -> None:
        """It has ended; `reason` names the error, "" if there was none."""
        ...


class NoObserver:
    """Counts nothing."""

    def call_started(self, method: Method) -> None:
        """See `CallObserver`."""

    def call_ended(self, method: Method, code: Code, seconds: float, reason: str) -> None:
        """See `CallObserver`."""


class CallRecord:
    """Records calls.

    Args:
        observer: told of every call.
        clock: for durations.
    """

    def __init__(self, observer: CallObserver, clock: Clock) -> None:
        self._observer = observer
        self._clock = clock

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """See `Interceptor`."""
        observer, monotonic = self._observer, self._clock.monotonic

        async def recorded(request: Any, context: Context) -> bytes | None:
            begun = monotonic()
            observer.call_started(method)
            code, reason = Code.OK, ""
            try:
                return await inner(request, context)
            except (asyncio.CancelledError, grpc.aio.InternalError):  # the latter: a write found the caller gone
                code, reason = Code.CANCELLED, "CALL_CANCELLED"
                raise
            except IngestError as error:
                code, reason = error.code, error.reason
                raise
            except BaseException:
                code, reason = Code.INTERNAL, "INTERNAL"
                raise
            finally:
                seconds = monotonic() - begun
                observer.call_ended(method, code, seconds, reason)
                if code is not Code.OK:
                    _log_failure(method, context, code, reason, seconds)

        return recorded


def _log_failure(method: Method, context: Context, code: Code, reason: str, seconds: float) -> None:
    level = logging.WARNING if code in _LOUD_CODES else logging.DEBUG
    if _log.isEnabledFor(level):
        caller = CALLER.get(None)
        whose = f" for {caller.tenant}/{caller.principal}" if caller else ""
        whose += _request_id(context)
        _log.log(level, "%s%s ended with %s (%s) after %.6f s", method.path, whose, code.name, reason, seconds)


def _request_id(context: Context) -> str:
    """What the caller, or the REST shim in front, calls this request; a caller's text, so it is cut and escaped."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str):
            return f" (request {ascii(value[:REQUEST_ID_LENGTH_MAX])[1:-1]})"
    return ""
