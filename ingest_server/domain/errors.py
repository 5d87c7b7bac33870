"""Errors of the service, as a tree.

    IngestError                    any call that failed; carries a reason, a message for people, and hints for programs
    ├── InvalidRequest             the caller's mistake: one or more fields break their rules
    ├── NotFound                   no such job, batch, queue or blob for this tenant
    ├── Conflict                   it is there already, or in a state that forbids the call
    ├── Unsupported                this server does not offer what was asked for
    ├── Denied                     credentials are missing, wrong, or not sufficient
    ├── Exhausted                  a limit is reached now; come back after `retry_after_seconds`
    ├── Unavailable                draining, or the store is gone; come back
    └── InternalError              a fault of ours: the public half says only an id, the cause stays in the log

    Failure                        not an exception: how one job ended badly. It is data, kept with the job.

A call that failed is an error; a job that failed is data. The two are never mixed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Code(IntEnum):
    """The canonical status codes (google.rpc.Code), by number. Here because `domain` does not know gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Reason(StrEnum):
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
    """One field that breaks its rule: the path as in the request (`jobs[3].priority`), and limit and value in words."""

    path: str
    description: str


class IngestError(Exception):
    """A call failed.

    Attributes:
        code: canonical status code.
        reason: stable name for programs.
        message: for people: what was wrong, with which value, against which limit, what to do. Safe to show.
        metadata: further facts for programs; keys in lowerCamel or snake, values as text.
        violations: fields at fault, for mistakes in a request.
        retry_after_seconds: when to come back; None if repeating is of no use or needs no wait.
    """

    code = Code.INTERNAL
    reason = Reason.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        reason: Reason | None = None,
        code: Code | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason if reason is not None else type(self).reason
        self.code = code if code is not None else type(self).code
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds


class InvalidRequest(IngestError):
    """The caller's mistake. Repeating the call does not help."""

    code = Code.INVALID_ARGUMENT
    reason = Reason.INVALID_FIELD


class NotFound(IngestError):
    """No such thing for this tenant."""

    code = Code.NOT_FOUND
    reason = Reason.JOB_NOT_FOUND


class Conflict(IngestError):
    """It is there already, or in a state that forbids the call. The code is given by the raiser."""

    code = Code.FAILED_PRECONDITION
    reason = Reason.JOB_ALREADY_TERMINAL


class Unsupported(IngestError):
    """This server does not offer what was asked for."""

    code = Code.UNIMPLEMENTED
    reason = Reason.NOT_SUPPORTED


class Denied(IngestError):
    """Credentials are missing, wrong or not sufficient."""

    code = Code.UNAUTHENTICATED
    reason = Reason.UNAUTHENTICATED


class Exhausted(IngestError):
    """A limit is reached now. Always carries `retry_after_seconds`."""

    code = Code.RESOURCE_EXHAUSTED
    reason = Reason.OVERLOADED


class Unavailable(IngestError):
    """Draining, or a part is gone. Come back."""

    code = Code.UNAVAILABLE
    reason = Reason.SHUTTING_DOWN


class InternalError(IngestError):
    """A fault of ours. `message` is public; the private cause is `__cause__` and goes to the log only."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How one attempt, or one job, ended badly. Data, kept with the job and shown to its owner.

    Attributes:
        code: canonical status code.
        reason: stable name: one of `Reason`, or the handler's own (upper snake case).
        message: for people.
        metadata: further facts, as text.
        retryable: whether a further attempt may help. Policy and counts decide whether there is one.
    """

    code: Code
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    retryable: bool = True

    def to_bytes(self) -> bytes:
        """Encode as JSON (UTF-8), the form in which stores and engines carry it without looking inside."""
        return json.dumps(
            [int(self.code), self.reason, self.message, dict(self.metadata), self.retryable],
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode("utf-8", "backslashreplace")

    @classmethod
    def from_bytes(cls, data: bytes) -> Failure:
        """Decode what `to_bytes` made. Raises ValueError on anything else."""
        try:
            code, reason, message, metadata, retryable = json.loads(data)
            return cls(Code(code), str(reason), str(message), dict(metadata), bool(retryable))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{len(data)} bytes are not an encoded failure") from error
