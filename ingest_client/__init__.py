"""Client of the Ingest job service: `Client` for asyncio, `BlockingClient` for threads."""

from ingest_client import errors, task
from ingest_client._channel import ChannelSettings, TlsFiles
from ingest_client._coalesce import CoalesceSettings
from ingest_client._retry import RetryLimits
from ingest_client._watch import Watch, WatchSettings
from ingest_client.blocking import BlockingClient
from ingest_client.client import Client
from ingest_client.delivery import Delivery, DeliveryAttempt, DeliveryState
from ingest_client.errors import ErrorReason, IngestClientError, JobError, JobFailed
from ingest_client.handle import JobHandle
from ingest_client.inputs import Blob, Input
from ingest_client.models import Batch, Job, JobEvent, JobFilter, JobState, Output, SubmitResult
from ingest_client.rendering import Format, render
from ingest_client.result import JobResult
from ingest_client.specs import Callback, JobSpec, RetryPolicy
from ingest_client.task import Task, custom, dedup, echo, embed, extract, filter_chunks, split, store

__all__ = [
    "Batch",
    "Blob",
    "BlockingClient",
    "Callback",
    "ChannelSettings",
    "Client",
    "CoalesceSettings",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "ErrorReason",
    "Format",
    "IngestClientError",
    "Input",
    "Job",
    "JobError",
    "JobEvent",
    "JobFailed",
    "JobFilter",
    "JobHandle",
    "JobResult",
    "JobSpec",
    "JobState",
    "Output",
    "RetryLimits",
    "RetryPolicy",
    "SubmitResult",
    "Task",
    "TlsFiles",
    "Watch",
    "WatchSettings",
    "custom",
    "dedup",
    "echo",
    "embed",
    "errors",
    "extract",
    "filter_chunks",
    "split",
    "store",
    "render",
    "task",
]
