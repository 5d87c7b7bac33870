"""Errors as google.rpc.Status: the one exception of the shim, the HTTP status of each gRPC code, and Retry-After."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

HTTP_STATUS: dict[int, int] = {
    0: 200,  # OK
    1: 499,  # CANCELLED: the client closed the request
    2: 500,  # UNKNOWN
    3: 400,  # INVALID_ARGUMENT
    4: 504,  # DEADLINE_EXCEEDED
    5: 404,  # NOT_FOUND
    6: 409,  # ALREADY_EXISTS
    7: 403,  # PERMISSION_DENIED
    8: 429,  # RESOURCE_EXHAUSTED
    9: 400,  # FAILED_PRECONDITION: not 412, which is for conditional headers
    10: 409,  # ABORTED
    11: 400,  # OUT_OF_RANGE
    12: 501,  # UNIMPLEMENTED
    13: 500,  # INTERNAL
    14: 503,  # UNAVAILABLE
    15: 500,  # DATA_LOSS
    16: 401,  # UNAUTHENTICATED
}
"""gRPC code to HTTP status, by the table of grpc-gateway (runtime/errors.go, HTTPStatusFromCode)."""

DOMAIN = "ingest"
STATUS_DETAILS = "grpc-status-details-bin"


class RestError(Exception):
    """A request ends with an error; whoever catches it sends `status` as JSON.

    Attributes:
        status: what the body says.
        http_status: the status line; by default the one of the gRPC code.
        headers: further response headers, names in lower case.
    """

    def __init__(
        self, status: status_pb2.Status, *, http_status: int | None = None, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(status.message)
        self.status = status
        self.http_status = http_status or HTTP_STATUS.get(status.code, 500)
        self.headers = (*headers, *_implied_headers(status))


def rest_error(
    code: grpc.StatusCode,
    message: str,
    reason: str = "INVALID_FIELD",
    *,
    field: str = "",
    metadata: dict[str, str] | None = None,
    http_status: int | None = None,
    headers: Sequence[tuple[bytes, bytes]] = (),
    retry_after_seconds: float | None = None,
) -> RestError:
    """Make an error of the shim's own.

    Args:
        code: the gRPC code.
        message: what was wrong, which value, which limit, what to do.
        reason: of ErrorReason, without its prefix.
        field: path of the field at fault, such as "jobs[2].priority"; "" where it is none. It becomes a BadRequest detail.
        metadata: of the ErrorInfo.
        http_status: where it is not the one of the code.
        headers: further response headers.
        retry_after_seconds: when to come back; None: no hint.
    """
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata or {})]
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMicroseconds(round(retry_after_seconds * 1e6))
        details.append(retry)
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=message, details=packed(details))
    return RestError(status, http_status=http_status, headers=headers)


def invalid(message: str, *, field: str = "", reason: str = "INVALID_FIELD") -> RestError:
    """INVALID_ARGUMENT: the request itself is wrong, whatever the state of the server."""
    return rest_error(grpc.StatusCode.INVALID_ARGUMENT, message, reason, field=field)


def packed(details: Iterable[Message]) -> list[any_pb2.Any]:
    """Details as a Status carries them."""
    result = []
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        result.append(box)
    return result


def from_rpc(error: grpc.aio.AioRpcError) -> RestError:
    """Rebuild what the server said. A status whose details cannot be read keeps code and message."""
    code: int = error.code().value[0]
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS and isinstance(value, bytes):
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                break
            if status.code == code:
                return RestError(status)
    return RestError(status_pb2.Status(code=code, message=error.details() or ""))


def retry_seconds(status: status_pb2.Status) -> float | None:
    """The wait that RetryInfo asks for; None if there is none."""
    for detail in status.details:
        if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            info = error_details_pb2.RetryInfo()
            detail.Unpack(info)
            return float(info.retry_delay.seconds) + float(info.retry_delay.nanos) / 1e9
    return None


def _implied_headers(status: status_pb2.Status) -> list[tuple[bytes, bytes]]:
    """Retry-After counts whole seconds (RFC 9110), so a wait in milliseconds is rounded up: the body has it exactly."""
    headers = []
    if status.code == 16:
        # A challenge needs a scheme (RFC 9110, 11.6.1); grpc-gateway puts the message there, which no client can parse.
        headers.append((b"www-authenticate", b"Bearer"))
    wait = retry_seconds(status) if status.details else None
    if wait is not None:
        headers.append((b"retry-after", str(max(0, math.ceil(wait))).encode()))
    return headers
