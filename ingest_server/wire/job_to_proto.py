"""JobRow out: a Job message, in BASIC or FULL view."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from ingest.v1 import job_pb2
from ingest_server.domain.job import JobState
from ingest_server.store.records import JobRow
from ingest_server.wire.attempt_history import attempts_of
from ingest_server.wire.status import status_of_failure
from ingest_server.wire.times import to_timestamp
from ingest_server.wire.uuid_text import format_uuid


def job_to_proto(row: JobRow, *, full: bool) -> job_pb2.Job:
    """Make the message of a job.

    Args:
        row: the job; with its opaque bytes if `full`.
        full: add spec, attempts and output.
    """
    job = job_pb2.Job(
        job_id=format_uuid(row.job_id),
        batch_id=format_uuid(row.batch_id),
        tenant=row.tenant,
        queue=row.queue,
        state=int(row.state),  # type: ignore[arg-type]  # the numbers are the same, which a test proves
        attempt=row.attempt,
        crash_count=row.crash_count,
        revision=row.revision,
        parent_job_id=format_uuid(row.part_of),
        retried_from=format_uuid(row.retried_from),
        labels=dict(row.labels),
        priority=row.priority,
        create_time=to_timestamp(row.create_us),
    )
    if row.start_us:
        job.start_time.CopyFrom(to_timestamp(row.start_us))
    if row.end_us:
        job.end_time.CopyFrom(to_timestamp(row.end_us))
    if row.expire_us:
        job.expire_time.CopyFrom(to_timestamp(row.expire_us))
    if row.state is JobState.SCHEDULED and row.due_us:
        job.scheduled_time.CopyFrom(to_timestamp(row.due_us))
    if row.progress:
        job.progress.MergeFromString(row.progress)
    if row.failure and row.state not in (JobState.SUCCEEDED, JobState.CANCELLING):
        # A CANCELLING job carries the failure it will end with: not yet its error.
        job.error.CopyFrom(status_of_failure(row.failure))
    if full:
        _add_details(job, row)
    return job


def _add_details(job: job_pb2.Job, row: JobRow) -> None:
    """Add what only the FULL view has."""
    job.spec.CopyFrom(spec_to_proto(row))
    job.attempts.extend(attempts_of(row.history))
    if row.output and row.state is JobState.SUCCEEDED:
        job.output.MergeFromString(row.output)


def spec_to_proto(row: JobRow) -> job_pb2.JobSpec:
    """The spec as accepted, without input bytes and passwords. The size of the input stands in `input.blob.size_bytes`; its
    `sha256` is empty where the bytes are kept with the job instead of as a blob. An input by reference has its URI."""
    spec = job_pb2.JobSpec()
    try:
        spec.MergeFromString(row.spec)
    except DecodeError as error:
        raise ValueError(f"job {format_uuid(row.job_id)}: its stored spec of {len(row.spec)} bytes cannot be read") from error
    spec.job_id = format_uuid(row.job_id)
    for task in spec.tasks:
        if task.WhichOneof("kind") == "extract":
            task.extract.ClearField("password")
    kind, content = row.payload[:1], row.payload[1:]
    if kind == b"i":
        spec.input.blob.size_bytes = len(content)
    elif kind == b"b":
        spec.input.blob.sha256 = content[:32].hex()
        spec.input.blob.size_bytes = int.from_bytes(content[32:40], "little")
    elif kind == b"u":
        spec.input.uri = content.decode()
    return spec
