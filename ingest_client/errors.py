"""Errors of the client, as a tree, rebuilt from the `ErrorReason` that every error of the server carries.

    IngestClientError              any call that failed; carries a reason, a message for people, and hints for programs
    ├── InvalidRequest             the caller's mistake: one or more fields break their rules, too many items, too many bytes
    │   └── InputUnreadable        a file to submit cannot be read here, or changed while it was sent (found by the client)
    ├── NotFound                   no such job, batch, queue or blob for this tenant
    ├── Conflict                   it is there already, or in a state that forbids the call
    ├── Unsupported                this server does not offer what was asked for
    ├── Denied                     credentials are missing, wrong, or not sufficient
    ├── Exhausted                  a limit is reached now; come back after `retry_after_seconds`
    ├── Unavailable                the server cannot be reached, is draining, or its store is gone; come back
    ├── DeadlineExceeded           the call's own deadline ended; whether it took effect is unknown
    ├── ResumeTokenExpired         the events after a resume token are no longer kept; watch anew
    ├── BlobCorrupt                bytes that came or went do not have the digest announced
    ├── InternalError              a fault of the server; `metadata["error_id"]` finds it in its log
    ├── ClientClosed               the client was closed while the call waited, or before it
    └── JobFailed                  raised only by helpers that turn a job's end into an exception: `JobHandle.result`,
                                   `JobResult.raise_for_state`

    JobError                       not an exception: how one job ended badly. It is data, kept with the job.

A call that failed is an error; a job that failed is data. The two are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import grpc
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from ingest_client.models import Batch, JobState

_DETAILS_KEY = "grpc-status-details-bin"
_ERROR_DOMAIN = "ingest"


class ErrorReason(StrEnum):
    """The names of `ErrorReason` in errors.proto, without the prefix; a test proves the two lists equal."""

    INVALID_FIELD = "INVALID_FIELD"
    UNKNOWN_HANDLER = "UNKNOWN_HANDLER"
    QUEUE_NOT_FOUND = "QUEUE_NOT_FOUND"
    TOO_MANY_ITEMS = "TOO_MANY_ITEMS"
    TOO_LARGE = "TOO_LARGE"
    RESUME_TOKEN_INVALID = "RESUME_TOKEN_INVALID"
    RESUME_TOKEN_EXPIRED = "RESUME_TOKEN_EXPIRED"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    JOB_ID_EXISTS = "JOB_ID_EXISTS"
    JOB_NOT_TERMINAL = "JOB_NOT_TERMINAL"
    JOB_ALREADY_TERMINAL = "JOB_ALREADY_TERMINAL"
    JOB_NOT_RETRYABLE = "JOB_NOT_RETRYABLE"
    BATCH_REFUSED = "BATCH_REFUSED"
    BATCH_NOT_FOUND = "BATCH_NOT_FOUND"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    BLOB_NOT_FOUND = "BLOB_NOT_FOUND"
    BLOB_DIGEST_MISMATCH = "BLOB_DIGEST_MISMATCH"
    BLOB_OFFSET_MISMATCH = "BLOB_OFFSET_MISMATCH"
    BLOB_RANGE_INVALID = "BLOB_RANGE_INVALID"
    BLOB_UPLOAD_BUSY = "BLOB_UPLOAD_BUSY"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    OVERLOADED = "OVERLOADED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    STORAGE_FULL = "STORAGE_FULL"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    INTERNAL = "INTERNAL"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CALL_CANCELLED = "CALL_CANCELLED"
    HANDLER_ERROR = "HANDLER_ERROR"
    ATTEMPT_TIMEOUT = "ATTEMPT_TIMEOUT"
    TOTAL_TIMEOUT = "TOTAL_TIMEOUT"
    WORKER_CRASHED = "WORKER_CRASHED"
    POISON_JOB = "POISON_JOB"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    CPU_LIMIT = "CPU_LIMIT"
    INVALID_RESULT = "INVALID_RESULT"
    RESULT_TOO_LARGE = "RESULT_TOO_LARGE"
    CANCELLED_BY_CALLER = "CANCELLED_BY_CALLER"
    QUEUE_PURGED = "QUEUE_PURGED"
    DOCUMENT_MALFORMED = "DOCUMENT_MALFORMED"
    DOCUMENT_ENCRYPTED = "DOCUMENT_ENCRYPTED"
    MEDIA_TYPE_NOT_SUPPORTED = "MEDIA_TYPE_NOT_SUPPORTED"
    INVALID_OPTIONS = "INVALID_OPTIONS"
    DOCUMENT_PARTIAL = "DOCUMENT_PARTIAL"
    SOURCE_NOT_FOUND = "SOURCE_NOT_FOUND"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    SOURCE_FORBIDDEN = "SOURCE_FORBIDDEN"
    SOURCE_TOO_LARGE = "SOURCE_TOO_LARGE"
    SOURCE_TIMEOUT = "SOURCE_TIMEOUT"
    SOURCE_UNUSABLE = "SOURCE_UNUSABLE"
    STORE_TARGET_UNUSABLE = "STORE_TARGET_UNUSABLE"
    STORE_TARGET_UNAVAILABLE = "STORE_TARGET_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that breaks its rule: its path in the request (`jobs[3].priority`), and limit and value in words."""

    path: str
    description: str


@dataclass(frozen=True, slots=True)
class JobError:
    """How a job ended badly, or why its last attempt failed.

    Attributes:
        code: canonical status code (google.rpc.Code).
        reason: stable name: one of `ErrorReason`, or the handler's own.
        message: for people.
        metadata: further facts, as text.
    """

    code: int
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class IngestClientError(Exception):
    """A call failed.

    Attributes:
        message: for people: what was wrong, with which value, against which limit, what to do.
        reason: why, from the closed list; None if the server gave none (the connection broke) or a newer one.
        reason_name: the reason as it came, "" if none came.
        code: canonical status code (google.rpc.Code).
        metadata: further facts, as text.
        violations: fields at fault, for mistakes in a request.
        retry_after_seconds: when to come back, as the server hinted; None without a hint.
        accepted: for `submit` over several calls: what earlier calls had accepted already. None elsewhere.
    """

    def __init__(
        self,
        message: str,
        *,
        reason_name: str = "",
        code: int = grpc.StatusCode.UNKNOWN.value[0],
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason_name = reason_name
        self.reason = ErrorReason(reason_name) if reason_name in ErrorReason.__members__ else None
        self.code = code
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.accepted: Batch | None = None

    def copy(self) -> IngestClientError:
        """The same error without traceback, so that several waiters of one call each raise their own."""
        return type(self)(
            self.message,
            reason_name=self.reason_name,
            code=self.code,
            metadata=self.metadata,
            violations=self.violations,
            retry_after_seconds=self.retry_after_seconds,
        )


class InvalidRequest(IngestClientError):
    """The caller's mistake. Repeating the call does not help."""


class InputUnreadable(InvalidRequest):
    """A file to submit cannot be read on this side, or changed while it was sent."""


class NotFound(IngestClientError):
    """No such thing for this tenant."""


class Conflict(IngestClientError):
    """It is there already, or in a state that forbids the call."""


class Unsupported(IngestClientError):
    """This server does not offer what was asked for."""


class Denied(IngestClientError):
    """Credentials are missing, wrong or not sufficient."""


class Exhausted(IngestClientError):
    """A limit is reached now. `retry_after_seconds` tells when to come back."""


class Unavailable(IngestClientError):
    """The server cannot be reached, is draining, or its store is gone."""


class DeadlineExceeded(IngestClientError):
    """The call's own deadline ended. Whether it took effect is unknown."""


class ResumeTokenExpired(IngestClientError):
    """The events after the token are no longer kept: watch anew. `metadata["oldest_resume_token"]` is what is still kept."""


class BlobCorrupt(IngestClientError):
    """Bytes that came or went do not have the digest or the range announced."""


class InternalError(IngestClientError):
    """A fault of the server."""


class ClientClosed(IngestClientError):
    """The client was closed while the call waited, or before it."""


class JobFailed(IngestClientError):
    """A job did not succeed; raised only by helpers that turn its end into an exception.

    Attributes:
        job_id: the job.
        state: FAILED, CANCELLED or EXPIRED.
        error: the job's own status.
    """

    def __init__(self, job_id: str, state: JobState, error: JobError) -> None:
        super().__init__(
            f"job {job_id} {state.name}: {error.message}",
            reason_name=error.reason,
            code=error.code,
            metadata=error.metadata,
        )
        self.job_id = job_id
        self.state = state
        self.error = error

    def copy(self) -> JobFailed:
        """The same error without traceback."""
        return JobFailed(self.job_id, self.state, self.error)


_BY_CODE: dict[int, type[IngestClientError]] = {
    1: Unavailable,  # CANCELLED that this side did not ask for: the other side went away
    2: InternalError,
    3: InvalidRequest,
    4: DeadlineExceeded,
    5: NotFound,
    6: Conflict,
    7: Denied,
    8: Exhausted,
    9: Conflict,
    10: Conflict,
    11: InvalidRequest,
    12: Unsupported,
    13: InternalError,
    14: Unavailable,
    15: BlobCorrupt,
    16: Denied,
}

# Where the code alone does not tell the class.
_BY_REASON: dict[str, type[IngestClientError]] = {
    ErrorReason.RESUME_TOKEN_EXPIRED: ResumeTokenExpired,
    ErrorReason.BLOB_DIGEST_MISMATCH: BlobCorrupt,
    ErrorReason.BLOB_OFFSET_MISMATCH: BlobCorrupt,
    ErrorReason.BLOB_RANGE_INVALID: BlobCorrupt,
    ErrorReason.BLOB_UPLOAD_BUSY: Unavailable,
    ErrorReason.DEADLINE_EXCEEDED: DeadlineExceeded,
}


def error_from_status(status: status_pb2.Status) -> IngestClientError:
    """Rebuild the error that a `google.rpc.Status` stands for.

    Args:
        status: of a call, or of one item of an answer. Its code is not OK.

    Returns:
        An instance of the tree; reasons of a newer server keep their name and take the class of their code.
    """
    reason_name = ""
    metadata: dict[str, str] = {}
    violations: list[FieldViolation] = []
    retry_after_seconds: float | None = None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            if info.domain == _ERROR_DOMAIN or not reason_name:
                reason_name, metadata = info.reason, dict(info.metadata)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            violations += [FieldViolation(each.field, each.description) for each in bad.field_violations]
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            hint = error_details_pb2.RetryInfo()
            detail.Unpack(hint)
            retry_after_seconds = hint.retry_delay.seconds + hint.retry_delay.nanos / 1e9
    kind = _BY_REASON.get(reason_name) or _BY_CODE.get(status.code, InternalError)
    return kind(
        status.message or f"status code {status.code} without a message",
        reason_name=reason_name,
        code=status.code,
        metadata=metadata,
        violations=violations,
        retry_after_seconds=retry_after_seconds,
    )


def error_from_rpc(rpc_error: grpc.aio.AioRpcError) -> IngestClientError:
    """Rebuild the error of a call that ended with a status other than OK."""
    trailing: Iterable[tuple[str, str | bytes]] = rpc_error.trailing_metadata() or ()
    for key, value in trailing:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            status = status_pb2.Status.FromString(value)
            if status.code:
                return error_from_status(status)
    code = rpc_error.code().value[0]
    return error_from_status(status_pb2.Status(code=code, message=rpc_error.details() or rpc_error.code().name))


def job_error_from_status(status: status_pb2.Status) -> JobError:
    """Turn the status that a job, an attempt or a fetched item carries into data."""
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            return JobError(status.code, info.reason, status.message, dict(info.metadata))
    return JobError(status.code, "", status.message)
