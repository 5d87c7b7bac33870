"""JobActionResult out: what became of each job of CancelJobs, RetryJobs and DeleteJobs."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.v1 import job_service_pb2
from ingest_server.domain.errors import Conflict, IngestError, NotFound, Reason
from ingest_server.domain.job import JobState
from ingest_server.jobs.retry import RetryItem
from ingest_server.store.records import ActionAnswer
from ingest_server.wire.status import status_of_error
from ingest_server.wire.uuid_text import format_uuid


def cancel_results(answers: Iterable[ActionAnswer]) -> list[job_service_pb2.JobActionResult]:
    """One result per job. A job that is being cancelled already is no fault: to cancel it twice is safe."""
    return [_result(answer.job_id, answer.state, _cancel_error(answer)) for answer in answers]


def delete_results(answers: Iterable[ActionAnswer]) -> list[job_service_pb2.JobActionResult]:
    """One result per job."""
    return [_result(answer.job_id, answer.state, _delete_error(answer)) for answer in answers]


def retry_results(items: Iterable[RetryItem]) -> list[job_service_pb2.JobActionResult]:
    """One result per job."""
    return [_result(item.job_id, item.state, item.error, item.new_job_id) for item in items]


def _result(
    job_id: bytes, state: JobState | None, error: IngestError | None, new_job_id: bytes = b""
) -> job_service_pb2.JobActionResult:
    result = job_service_pb2.JobActionResult(
        job_id=format_uuid(job_id),
        state=int(state or 0),  # type: ignore[arg-type]  # the numbers are the same, which a test proves
        new_job_id=format_uuid(new_job_id),
    )
    if error is not None:
        result.status.CopyFrom(status_of_error(error))
    return result


def _cancel_error(answer: ActionAnswer) -> IngestError | None:
    if answer.state is None:
        return _unknown(answer.job_id)
    if answer.changed or not answer.state.terminal:
        return None
    text = format_uuid(answer.job_id)
    return Conflict(
        f"job {text} has ended already: it is {answer.state.name}",
        reason=Reason.JOB_ALREADY_TERMINAL,
        metadata={"job_id": text, "state": answer.state.name},
    )


def _delete_error(answer: ActionAnswer) -> IngestError | None:
    if answer.changed:
        return None
    if answer.state is None:
        return _unknown(answer.job_id)
    text = format_uuid(answer.job_id)
    return Conflict(
        f"job {text} has not ended yet: it is {answer.state.name}; cancel it, or wait for its end",
        reason=Reason.JOB_NOT_TERMINAL,
        metadata={"job_id": text, "state": answer.state.name},
    )


def _unknown(job_id: bytes) -> IngestError:
    text = format_uuid(job_id)
    return NotFound(
        f"job {text}: no such job; it never was, was deleted, or its retention ended",
        metadata={"job_id": text},
    )
