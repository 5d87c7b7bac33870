"""The limits of fields that are the same on every server, as JSON Schema keywords, by the full name of the field.

Limits that are settings of a server (`ServerInfo.limits`) are not here: they are the server's to tell. A field that is not listed
is described by its type alone, so a new field needs no line. The wire layer holds the limits; a test asks it about each line.
Sizes in bytes appear as `maxLength` in characters: what breaks that limit breaks the other too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UUID_PATTERN = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
EMPTY_OR_UUID_PATTERN = "^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$"
SHA256_PATTERN = "^[0-9a-f]{64}$"
QUEUE_PATTERN = "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
LABEL_KEY_PATTERN = "^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$"
KEY_LENGTH_MAX = 255

_UUID = {"format": "uuid", "pattern": UUID_PATTERN}
_UUID_OR_EMPTY = {"pattern": EMPTY_OR_UUID_PATTERN}
_SHA256 = {"pattern": SHA256_PATTERN}
_SHA256_OR_EMPTY = {"pattern": "^([0-9a-f]{64})?$"}  # Job.spec tells the size of an inline input, and no digest
_QUEUE = {"pattern": QUEUE_PATTERN}
_KEY = {"maxLength": KEY_LENGTH_MAX}
_LABELS = {
    "maxProperties": 32,
    "propertyNames": {"pattern": LABEL_KEY_PATTERN},
    "additionalProperties": {"type": "string", "maxLength": KEY_LENGTH_MAX},
}

FIELD_LIMITS: Mapping[str, Mapping[str, Any]] = {
    "ingest.v1.BlobRef.sha256": _SHA256_OR_EMPTY,
    "ingest.v1.Callback.url": {"format": "uri", "maxLength": 2_048},
    "ingest.v1.CancelJobsRequest.batch_id": _UUID_OR_EMPTY,
    "ingest.v1.CancelJobsRequest.reason": {"maxLength": 1_024},
    "ingest.v1.CountJobsRequest.group_by": {"maxItems": 3},
    "ingest.v1.DeleteJobsRequest.batch_id": _UUID_OR_EMPTY,
    "ingest.v1.DownloadBlobRequest.limit_bytes": {"pattern": "^[0-9]{1,19}$"},
    "ingest.v1.DownloadBlobRequest.offset_bytes": {"pattern": "^[0-9]{1,19}$"},
    "ingest.v1.DownloadBlobRequest.sha256": _SHA256,
    "ingest.v1.FetchResultsRequest.batch_id": _UUID_OR_EMPTY,
    "ingest.v1.GetBlobRequest.sha256": _SHA256,
    "ingest.v1.GetJobRequest.job_id": _UUID,
    "ingest.v1.GetQueueRequest.name": _QUEUE,
    "ingest.v1.JobFilter.batch_id": _UUID_OR_EMPTY,
    "ingest.v1.JobSpec.callbacks": {"maxItems": 8},
    "ingest.v1.JobSpec.concurrency_key": _KEY,
    "ingest.v1.JobSpec.dedupe_key": _KEY,
    "ingest.v1.JobSpec.fairness_key": _KEY,
    "ingest.v1.JobSpec.job_id": _UUID_OR_EMPTY,
    "ingest.v1.JobSpec.labels": _LABELS,
    "ingest.v1.JobSpec.priority": {"minimum": 0, "maximum": 9},
    "ingest.v1.JobSpec.tasks": {"minItems": 1, "maxItems": 16},
    "ingest.v1.ListDeliveriesRequest.job_id": _UUID,
    "ingest.v1.ListDeliveriesRequest.page_size": {"minimum": 0, "maximum": 100},
    "ingest.v1.ListJobsRequest.page_size": {"minimum": 0, "maximum": 1_000},
    "ingest.v1.PauseQueueRequest.name": _QUEUE,
    "ingest.v1.Payload.metadata": {"maxProperties": 64},
    "ingest.v1.Payload.uri": {"format": "uri", "maxLength": 2_048},
    "ingest.v1.PurgeQueueRequest.name": _QUEUE,
    "ingest.v1.Queue.name": _QUEUE,
    "ingest.v1.Queue.weight": {"minimum": 0, "maximum": 1_000},
    "ingest.v1.RedeliverCallbacksRequest.delivery_ids": {"maxItems": 100},
    "ingest.v1.RedeliverCallbacksRequest.job_id": _UUID,
    "ingest.v1.ResumeQueueRequest.name": _QUEUE,
    "ingest.v1.RetryJobsRequest.batch_id": _UUID_OR_EMPTY,
    "ingest.v1.RetryJobsRequest.request_id": _UUID_OR_EMPTY,
    "ingest.v1.RetryPolicy.max_attempts": {"minimum": 0, "maximum": 1_000},
    "ingest.v1.RetryPolicy.max_crashes": {"minimum": 0, "maximum": 100},
    "ingest.v1.RetryPolicy.non_retryable_reasons": {"maxItems": 64},
    "ingest.v1.RunJobRequest.request_id": _UUID_OR_EMPTY,
    "ingest.v1.SubmitJobsRequest.batch_id": _UUID_OR_EMPTY,
    "ingest.v1.SubmitJobsRequest.jobs": {"minItems": 1},
    "ingest.v1.SubmitJobsRequest.request_id": _UUID_OR_EMPTY,
    "ingest.v1.WatchJobsRequest.batch_id": _UUID_OR_EMPTY,
}
