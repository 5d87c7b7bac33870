"""Errors of the domain as `google.rpc.Status`: the one place where reasons become details (AIP-193)."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from ingest_server.domain.errors import Code, Failure, IngestError, Reason
from ingest_server.wire.times import to_duration

DOMAIN = "ingest"
"""ErrorInfo.domain of every error."""

DETAILS_BYTES_MAX = 4_096
MESSAGE_CHARACTERS_MAX = 1_024
"""Status and message of a call travel in its trailers, and gRPC peers accept 8 KiB of them by default. Details grow by a third as
base64, text beyond ASCII by three: these two stay below together."""

METADATA_CHARACTERS_MAX = 512

_RESOURCE_TYPES = {
    Reason.JOB_NOT_FOUND: ("job", "job_id"),
    Reason.JOB_ID_EXISTS: ("job", "job_id"),
    Reason.BATCH_NOT_FOUND: ("batch", "batch_id"),
    Reason.QUEUE_NOT_FOUND: ("queue", "queue"),
    Reason.BLOB_NOT_FOUND: ("blob", "sha256"),
    Reason.REQUEST_ID_REUSED: ("request", "request_id"),
}


def status_of_error(error: IngestError) -> Status:
    """The status of a call, or an item, that failed: one ErrorInfo, and what else fits the error."""
    status = Status(code=int(error.code), message=error.message[:MESSAGE_CHARACTERS_MAX])
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    for key, value in error.metadata.items():
        info.metadata[key] = value[:METADATA_CHARACTERS_MAX]
    _attach(status, info)
    if error.retry_after_seconds is not None:
        _attach(status, error_details_pb2.RetryInfo(retry_delay=to_duration(max(error.retry_after_seconds, 0.0))))
    if error.reason in _RESOURCE_TYPES:
        kind, name = _RESOURCE_TYPES[error.reason]
        resource = error_details_pb2.ResourceInfo(resource_type=kind, description=error.message[:METADATA_CHARACTERS_MAX])
        resource.resource_name = error.metadata.get(name, "")[:METADATA_CHARACTERS_MAX]
        _attach(status, resource)
    if error.reason is Reason.QUOTA_EXCEEDED:
        quota = error_details_pb2.QuotaFailure()
        quota.violations.add(subject=error.metadata.get("quota", ""), description=error.message[:METADATA_CHARACTERS_MAX])
        _attach(status, quota)
    if error.code is Code.FAILED_PRECONDITION:
        precondition = error_details_pb2.PreconditionFailure()
        subject = error.metadata.get("job_id", "")
        precondition.violations.add(type=error.reason, subject=subject, description=error.message[:METADATA_CHARACTERS_MAX])
        _attach(status, precondition)
    if error.violations:
        _attach(status, _bad_request(error, DETAILS_BYTES_MAX - status.ByteSize()))
    return status


def status_of_failure(failure: bytes) -> Status:
    """The status of a job that ended badly.

    Args:
        failure: `Failure.to_bytes()`, as engines and stores carry it.
    """
    told = Failure.from_bytes(failure)
    status = Status(code=int(told.code), message=told.message)
    _attach(status, error_details_pb2.ErrorInfo(reason=told.reason, domain=DOMAIN, metadata=told.metadata))
    return status


def _bad_request(error: IngestError, bytes_max: int) -> error_details_pb2.BadRequest:
    """As many violations as fit; the first always does."""
    details = error_details_pb2.BadRequest()
    for violation in error.violations:
        added = details.field_violations.add(
            field=violation.path[:METADATA_CHARACTERS_MAX], description=violation.description[:METADATA_CHARACTERS_MAX]
        )
        bytes_max -= added.ByteSize() + 4
        if bytes_max < 0 and len(details.field_violations) > 1:
            del details.field_violations[-1]
            break
    return details


def _attach(status: Status, detail: Message) -> None:
    packed = Any()
    packed.Pack(detail)
    status.details.append(packed)
