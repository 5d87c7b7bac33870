"""Errors come back as what they were."""

from __future__ import annotations

import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from ingest.v1 import errors_pb2, job_pb2
from ingest_client import errors
from ingest_client.errors import ErrorReason, IngestClientError, JobError, error_from_status, job_error_from_status
from ingest_client.models import JobState
from tests.fakes.job_service import status_of


def test_reasons_are_those_of_the_contract() -> None:
    """A reason added to the contract must be added here."""
    names = {name.removeprefix("ERROR_REASON_") for name, _ in errors_pb2.ErrorReason.items()} - {"UNSPECIFIED"}
    assert names == {reason.value for reason in ErrorReason}


def test_states_are_those_of_the_contract() -> None:
    """Numbers and names agree."""
    assert {(state.name, int(state)) for state in JobState} == {
        (name.removeprefix("JOB_STATE_"), number) for name, number in job_pb2.JobState.items()
    }


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (3, "INVALID_FIELD", errors.InvalidRequest),
        (5, "QUEUE_NOT_FOUND", errors.NotFound),
        (6, "JOB_ID_EXISTS", errors.Conflict),
        (9, "JOB_NOT_TERMINAL", errors.Conflict),
        (9, "BLOB_UPLOAD_BUSY", errors.Unavailable),
        (10, "BATCH_REFUSED", errors.Conflict),
        (11, "RESUME_TOKEN_EXPIRED", errors.ResumeTokenExpired),
        (11, "BLOB_OFFSET_MISMATCH", errors.BlobCorrupt),
        (12, "NOT_SUPPORTED", errors.Unsupported),
        (16, "UNAUTHENTICATED", errors.Denied),
        (7, "PERMISSION_DENIED", errors.Denied),
        (8, "OVERLOADED", errors.Exhausted),
        (14, "SHUTTING_DOWN", errors.Unavailable),
        (13, "INTERNAL", errors.InternalError),
        (4, "DEADLINE_EXCEEDED", errors.DeadlineExceeded),
        (15, "BLOB_DIGEST_MISMATCH", errors.BlobCorrupt),
    ],
)
def test_reason_and_code_choose_the_class(code: int, reason: str, kind: type[IngestClientError]) -> None:
    """Every family of the tree is reached."""
    error = error_from_status(status_of(code, reason, "what was wrong", retry_ms=250, limit="9"))
    assert type(error) is kind
    assert error.reason is ErrorReason(reason)
    assert (error.code, error.message, error.retry_after_seconds) == (code, "what was wrong", 0.25)
    assert error.metadata == {"limit": "9"}


def test_reason_of_a_newer_server_keeps_its_name() -> None:
    """The class is that of the code; nothing is lost or raised on the way."""
    error = error_from_status(status_of(9, "INVENTED_LATER"))
    assert type(error) is errors.Conflict
    assert (error.reason, error.reason_name) == (None, "INVENTED_LATER")


def test_field_violations_are_kept() -> None:
    """Path and text of each field at fault."""
    status = status_of(3, "INVALID_FIELD")
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="jobs[3].priority", description="12 is above 9")
    packed = any_pb2.Any()
    packed.Pack(bad)
    status.details.append(packed)
    assert error_from_status(status).violations == (errors.FieldViolation("jobs[3].priority", "12 is above 9"),)


def test_status_without_details_is_understood() -> None:
    """A proxy that knows nothing of us answers like this."""
    error = error_from_status(status_pb2.Status(code=14))
    assert type(error) is errors.Unavailable
    assert "14" in error.message


def test_copy_is_equal_but_another_object() -> None:
    """Also for the class with another constructor."""
    failed = errors.JobFailed("j", JobState.FAILED, JobError(2, "MY_REASON", "boom"))
    again = failed.copy()
    assert again is not failed
    assert (again.job_id, again.error, str(again)) == ("j", failed.error, str(failed))


def test_job_error_keeps_a_handler_own_reason() -> None:
    """Reasons of handlers are no ErrorReason and must survive."""
    assert job_error_from_status(status_of(2, "MY_REASON", "boom", page="3")) == JobError(2, "MY_REASON", "boom", {"page": "3"})
