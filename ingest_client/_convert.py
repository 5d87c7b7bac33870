"""From messages of `ingest.v1` to the frozen values of `models.py`, and filters the other way."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf import duration_pb2, json_format, struct_pb2, timestamp_pb2

from ingest.v1 import job_pb2, job_service_pb2, queue_service_pb2, server_service_pb2
from ingest_client import models
from ingest_client.errors import error_from_status, job_error_from_status
from ingest_client.inputs import Blob
from ingest_client.models import JobState
from ingest_client.specs import spec_from_proto

_STATES = {int(state): state for state in JobState}


def state_from_proto(number: int) -> JobState:
    """A state that a newer server added reads as UNSPECIFIED."""
    return _STATES.get(number, JobState.UNSPECIFIED)


def time_from_proto(message: timestamp_pb2.Timestamp) -> datetime:
    """To the microsecond, UTC."""
    moment: datetime = message.ToDatetime(UTC)
    return moment


def seconds_from_proto(message: duration_pb2.Duration) -> float:
    """Duration in seconds."""
    return message.seconds + message.nanos / 1e9


def output_from_proto(message: job_pb2.Payload) -> models.Output:
    """Output of a job; no content at all is an empty output."""
    if message.HasField("blob"):
        blob = Blob(message.blob.sha256, message.blob.size_bytes)
        return models.Output(message.media_type, message.name, dict(message.metadata), None, blob)
    return models.Output(message.media_type, message.name, dict(message.metadata), message.data, None)


def submit_result_from_proto(message: job_service_pb2.SubmitResult) -> models.SubmitResult:
    """An item without a status was accepted."""
    if message.HasField("status") and message.status.code:
        return models.SubmitResult("", False, error_from_status(message.status))
    return models.SubmitResult(message.job_id, message.created)


def progress_from_proto(message: job_pb2.Progress) -> models.Progress:
    """Field by field."""
    return models.Progress(message.completed_units, message.total_units, message.unit, message.message)


def event_from_proto(message: job_service_pb2.JobEvent) -> models.JobEvent:
    """Field by field; what is unset is None."""
    return models.JobEvent(
        job_id=message.job_id,
        state=state_from_proto(message.state),
        revision=message.revision,
        attempt=message.attempt,
        time=time_from_proto(message.event_time) if message.HasField("event_time") else None,
        progress=progress_from_proto(message.progress) if message.HasField("progress") else None,
        error=job_error_from_status(message.error) if message.HasField("error") else None,
        output=output_from_proto(message.output) if message.HasField("output") else None,
        snapshot=message.snapshot,
        batch_id=message.batch_id,
    )


def job_from_proto(message: job_pb2.Job) -> models.Job:
    """Field by field; what is unset is None."""

    def moment(name: str) -> datetime | None:
        return time_from_proto(getattr(message, name)) if message.HasField(name) else None

    return models.Job(
        job_id=message.job_id,
        batch_id=message.batch_id,
        tenant=message.tenant,
        queue=message.queue,
        state=state_from_proto(message.state),
        attempt=message.attempt,
        crash_count=message.crash_count,
        progress=progress_from_proto(message.progress) if message.HasField("progress") else None,
        error=job_error_from_status(message.error) if message.HasField("error") else None,
        create_time=moment("create_time"),
        start_time=moment("start_time"),
        end_time=moment("end_time"),
        expire_time=moment("expire_time"),
        scheduled_time=moment("scheduled_time"),
        revision=message.revision,
        parent_job_id=message.parent_job_id,
        retried_from=message.retried_from,
        labels=dict(message.labels),
        priority=message.priority,
        attempts=tuple(_attempt_from_proto(each) for each in message.attempts),
        spec=spec_from_proto(message.spec) if message.HasField("spec") else None,
        output=output_from_proto(message.output) if message.HasField("output") else None,
    )


def _attempt_from_proto(message: job_pb2.Attempt) -> models.Attempt:
    failed = message.HasField("outcome") and message.outcome.code != 0
    return models.Attempt(
        attempt=message.attempt,
        worker=message.worker,
        start_time=time_from_proto(message.start_time) if message.HasField("start_time") else None,
        end_time=time_from_proto(message.end_time) if message.HasField("end_time") else None,
        outcome=job_error_from_status(message.outcome) if failed else None,
    )


def action_from_proto(message: job_service_pb2.JobActionResult) -> models.ActionResult:
    """An item without a status was done."""
    refused = message.HasField("status") and message.status.code != 0
    return models.ActionResult(
        job_id=message.job_id,
        state=state_from_proto(message.state),
        error=error_from_status(message.status) if refused else None,
        new_job_id=message.new_job_id,
    )


def filter_to_proto(given: models.JobFilter | None) -> job_service_pb2.JobFilter:
    """The filter as the server takes it; None selects everything."""
    if given is None:
        return job_service_pb2.JobFilter()
    message = job_service_pb2.JobFilter(
        states=[job_pb2.JobState.Name(int(state)) for state in given.states],
        queues=given.queues,
        labels=given.labels,
        batch_id=given.batch_id,
        parent_job_id=given.parent_job_id,
    )
    if given.create_time_from is not None:
        message.create_time_from.FromDatetime(given.create_time_from)
    if given.create_time_before is not None:
        message.create_time_before.FromDatetime(given.create_time_before)
    return message


def queue_from_proto(message: queue_service_pb2.Queue) -> models.Queue:
    """Field by field."""
    return models.Queue(
        name=message.name,
        weight=message.weight,
        running_max=message.running_max,
        start_rate_per_second=message.start_rate_per_second,
        paused=message.paused,
        queued_count=message.queued_count,
        scheduled_count=message.scheduled_count,
        running_count=message.running_count,
    )


def limits_from_proto(message: server_service_pb2.Limits) -> models.Limits:
    """Field by field; durations become seconds."""
    return models.Limits(
        message_bytes_max=message.message_bytes_max,
        submit_items_max=message.submit_items_max,
        fetch_items_max=message.fetch_items_max,
        inline_bytes_max=message.inline_bytes_max,
        blob_bytes_max=message.blob_bytes_max,
        result_bytes_max=message.result_bytes_max,
        response_bytes_max=message.response_bytes_max,
        wait_seconds_max=seconds_from_proto(message.wait_max),
        blob_ttl_seconds=seconds_from_proto(message.blob_ttl),
        result_ttl_seconds=seconds_from_proto(message.result_ttl),
        event_ttl_seconds=seconds_from_proto(message.event_ttl),
        cancel_grace_seconds=seconds_from_proto(message.cancel_grace),
        priority_ageing_seconds=seconds_from_proto(message.priority_ageing),
    )


def info_from_proto(message: server_service_pb2.GetServerInfoResponse) -> models.ServerInfo:
    """Field by field."""
    return models.ServerInfo(
        version=message.version,
        limits=limits_from_proto(message.limits),
        handlers=tuple(
            models.HandlerInfo(each.name, each.description, _plain(each.options_schema), tuple(each.media_types))
            for each in message.handlers
        ),
        engines=tuple(models.EngineInfo(each.name, each.workers) for each in message.engines),
        tasks=tuple(message.tasks),
        uri_schemes=tuple(message.uri_schemes),
        callbacks=message.callbacks,
        tenant=message.tenant,
        embedding_models=tuple(message.embedding_models),
    )


def stats_from_proto(message: server_service_pb2.GetStatsResponse) -> models.Stats:
    """Field by field."""
    return models.Stats(
        queued_count=message.queued_count,
        scheduled_count=message.scheduled_count,
        running_count=message.running_count,
        submit_rate_per_second=message.submit_rate_per_second,
        end_rate_per_second=message.end_rate_per_second,
        wait_latency=_quantiles(message.wait_latency),
        run_latency=_quantiles(message.run_latency),
        workers=tuple(_worker(each) for each in message.workers),
        watch_count=message.watch_count,
        worker_crash_count=message.worker_crash_count,
        uptime_seconds=seconds_from_proto(message.uptime),
        ended_counts=dict(message.ended_counts),
        store=_plain(message.store),
    )


def _worker(message: server_service_pb2.WorkerStats) -> models.WorkerStats:
    start_time = time_from_proto(message.start_time) if message.HasField("start_time") else None
    return models.WorkerStats(message.name, message.pid, message.ended_count, message.running_count, start_time)


def _quantiles(message: server_service_pb2.LatencyQuantiles) -> models.LatencyQuantiles:
    return models.LatencyQuantiles(
        seconds_from_proto(message.p50), seconds_from_proto(message.p90), seconds_from_proto(message.p99), message.count
    )


def _plain(message: struct_pb2.Struct) -> dict[str, object]:
    plain: dict[str, object] = json_format.MessageToDict(message)
    return plain
