"""Outermost: whatever a call raises becomes a status, and what nobody expected becomes INTERNAL with an id for the log."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import Any

import grpc

from ingest_server.domain.errors import IngestError, InternalError
from ingest_server.wire.calls import Behaviour, Context, Method
from ingest_server.wire.status import status_of_error

STATUS_DETAILS_KEY = "grpc-status-details-bin"
"""Trailer that carries google.rpc.Status, by the convention of all gRPC libraries."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_log = logging.getLogger(__name__)


class CrashBarrier:
    """Turns exceptions into statuses.

    Args:
        make_error_id: names a fault in the log and for the caller.
    """

    def __init__(self, make_error_id: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._make_error_id = make_error_id

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """See `Interceptor`."""

        async def guarded(request: Any, context: Context) -> bytes | None:
            try:
                return await inner(request, context)
            except asyncio.CancelledError:
                # The caller has gone, or the server stops. To swallow this would leak the call inside gRPC.
                raise
            except grpc.aio.AbortError:
                raise
            except IngestError as error:
                await self._abort(context, error)
            except Exception as cause:
                if context.done() or isinstance(cause, grpc.aio.InternalError):
                    # The caller vanished while we wrote to it: nobody is left to tell, and nothing is wrong here. gRPC's own
                    # error comes when a write finds the call ended, at times before the context knows that it has.
                    _log.debug("%s: ended after its caller had gone: %r", method.path, cause)
                    raise asyncio.CancelledError from cause
                await self._abort(context, self._hidden(method, cause))
            raise AssertionError("abort raises")  # pragma: no cover

        return guarded

    def _hidden(self, method: Method, cause: Exception) -> IngestError:
        """Log the cause; answer an error that tells no more than where to find it."""
        error_id = self._make_error_id()
        _log.error("%s failed by a fault of the server, error_id %s", method.path, error_id, exc_info=cause)
        return InternalError(f"a fault of the server; its log has it as error_id {error_id}", metadata={"error_id": error_id})

    async def _abort(self, context: Context, error: IngestError) -> None:
        if error.__cause__ is not None and isinstance(error, InternalError):
            _log.error("%s", error.message, exc_info=error.__cause__)
        status = status_of_error(error)
        trailers = ((STATUS_DETAILS_KEY, status.SerializeToString()),)
        await context.abort(_CODES[int(error.code)], status.message, trailers)
