"""JobSpec in: every rule that job.proto states, checked; defaults filled in; a template out."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Reason
from ingest_server.domain.job import DEFAULT_PRIORITY, DEFAULT_QUEUE
from ingest_server.store.records import CallbackTarget
from ingest_server.wire.faults import Faults, shown
from ingest_server.wire.field_rules import (
    KEY_BYTES_MAX,
    checked_labels,
    checked_number,
    checked_queue,
    checked_span,
    checked_text,
    checked_time,
)
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults
from ingest_server.wire.parse_callbacks import checked_callbacks
from ingest_server.wire.parse_tasks import check_tasks
from ingest_server.wire.spec_template import SpecTemplate
from ingest_server.wire.times import MICROSECONDS, to_duration

# All numbers below are those of job.proto, where they are promised to clients.
REASONS_MAX = 64
MEDIA_TYPE_BYTES_MAX = 255
METADATA_PAIRS_MAX = 64
METADATA_BYTES_MAX = 16 * 1024
PRIORITY_MAX = 9
MILLISECOND_US = 1_000
DAY_US = 86_400 * MICROSECONDS
YEAR_US = 366 * DAY_US

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?:\s*;[\x20-\x7e]*)?")


def parse_template(data: bytes, configuration: LiveConfiguration) -> SpecTemplate | Faults:
    """Check a serialized JobSpec, without job_id, input bytes, input name and dedupe key, and make a template of it.

    Args:
        data: the spec; unknown fields are dropped.
        configuration: defaults, and the handlers the tasks may name.

    Returns:
        The template, or everything that is wrong, with paths relative to the spec.
    """
    faults = Faults()
    try:
        spec = job_pb2.JobSpec.FromString(data)
    except DecodeError:
        faults.add("", "is not a valid JobSpec: truncated, or text that is not UTF-8")
        return faults
    spec.DiscardUnknownFields()
    _check_input(faults, spec.input)
    check_tasks(faults, spec, configuration)
    callbacks = checked_callbacks(faults, spec, configuration.callbacks)
    template = _template(faults, spec, configuration.defaults, callbacks)
    return faults or template


def _template(
    faults: Faults, spec: job_pb2.JobSpec, defaults: SpecDefaults, callbacks: tuple[CallbackTarget, ...]
) -> SpecTemplate:
    """Check the policy, fill in its defaults, and make the template."""
    spec.queue = checked_queue(faults, "queue", spec.queue or DEFAULT_QUEUE)
    if not spec.HasField("priority"):
        spec.priority = DEFAULT_PRIORITY
    checked_number(faults, "priority", spec.priority, 0, PRIORITY_MAX)
    conflict = spec.conflict_policy
    if conflict not in job_pb2.ConflictPolicy.values():
        faults.add("conflict_policy", f"must be a ConflictPolicy, not {conflict}")
    _fill_span(spec, "attempt_timeout", defaults.attempt_timeout_seconds)
    checked_span(faults, "attempt_timeout", spec.attempt_timeout, MILLISECOND_US, 7 * DAY_US)
    _fill_span(spec, "result_ttl", defaults.result_ttl_seconds)
    result_ttl_us = checked_span(faults, "result_ttl", spec.result_ttl, MICROSECONDS, YEAR_US)
    _fill_retry(faults, spec.retry_policy, defaults)
    return SpecTemplate(
        queue=spec.queue,
        fairness_key=checked_text(faults, "fairness_key", spec.fairness_key, KEY_BYTES_MAX),
        concurrency_key=checked_text(faults, "concurrency_key", spec.concurrency_key, KEY_BYTES_MAX),
        priority=spec.priority,
        labels=checked_labels(faults, "labels", spec.labels),
        start_time_us=max(checked_time(faults, "start_time", spec.start_time), 0) if spec.HasField("start_time") else 0,
        start_delay_us=_optional_span(faults, spec, "start_delay", 0, YEAR_US),
        total_timeout_us=_optional_span(faults, spec, "total_timeout", MILLISECOND_US, YEAR_US),
        result_ttl_us=result_ttl_us,
        use_existing=conflict == job_pb2.CONFLICT_POLICY_USE_EXISTING,
        dedupe_window_us=_optional_span(faults, spec, "dedupe_window", MILLISECOND_US, 30 * DAY_US),
        spec=b"" if faults else spec.SerializeToString(deterministic=True),
        callbacks=callbacks,
    )


def _optional_span(faults: Faults, message: Any, field: str, least_us: int, most_us: int) -> int:
    return checked_span(faults, field, getattr(message, field), least_us, most_us) if message.HasField(field) else 0


def _fill_span(message: Any, field: str, seconds: float) -> None:
    if not message.HasField(field):
        span: Duration = getattr(message, field)
        span.CopyFrom(to_duration(seconds))


def _fill_retry(faults: Faults, policy: job_pb2.RetryPolicy, defaults: SpecDefaults) -> None:
    """Check the retry policy and fill in its defaults."""
    policy.max_attempts = policy.max_attempts or defaults.retry_attempts_max
    policy.max_crashes = policy.max_crashes or defaults.retry_crashes_max
    policy.backoff_multiplier = policy.backoff_multiplier or defaults.retry_backoff_multiplier
    _fill_span(policy, "initial_backoff", defaults.retry_backoff_initial_seconds)
    _fill_span(policy, "max_backoff", defaults.retry_backoff_max_seconds)
    checked_number(faults, "retry_policy.max_attempts", policy.max_attempts, 1, 1_000)
    checked_number(faults, "retry_policy.max_crashes", policy.max_crashes, 1, 100)
    checked_number(faults, "retry_policy.backoff_multiplier", policy.backoff_multiplier, 1, 100)
    checked_span(faults, "retry_policy.initial_backoff", policy.initial_backoff, 0, DAY_US)
    checked_span(faults, "retry_policy.max_backoff", policy.max_backoff, 0, DAY_US)
    if len(policy.non_retryable_reasons) > REASONS_MAX:
        found = len(policy.non_retryable_reasons)
        faults.add("retry_policy.non_retryable_reasons", f"must have at most {REASONS_MAX} entries, not {found:,}")


def _check_input(faults: Faults, payload: job_pb2.Payload) -> None:
    """Check the input but for its bytes, name and blob, which are not part of the template; drop what is left of them."""
    if payload.WhichOneof("content") == "uri":
        # Only an empty one is left here, as with blobs.
        faults.add("input.uri", "must be a URI, not ''")
    elif payload.WhichOneof("content") == "blob":
        # Only an empty reference is left here: the others were taken out before.
        faults.add("input.blob.sha256", "must be a SHA-256 as 64 lower-case hexadecimal digits, not ''")
    payload.ClearField("data")
    media_type = checked_text(faults, "input.media_type", payload.media_type, MEDIA_TYPE_BYTES_MAX)
    if 0 < len(media_type) <= MEDIA_TYPE_BYTES_MAX and not _MEDIA_TYPE.fullmatch(media_type):
        faults.add("input.media_type", f"must be a media type such as application/pdf (RFC 6838), not {shown(media_type)}")
    if len(payload.metadata) > METADATA_PAIRS_MAX:
        faults.add("input.metadata", f"must have at most {METADATA_PAIRS_MAX} pairs, not {len(payload.metadata):,}")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in payload.metadata.items())
    if size > METADATA_BYTES_MAX:
        faults.add("input.metadata", f"must have at most {METADATA_BYTES_MAX:,} bytes in all, not {size:,}", Reason.TOO_LARGE)
