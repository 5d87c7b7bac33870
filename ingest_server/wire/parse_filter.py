"""What several requests share, in: JobFilter, lists of ids, page sizes, views."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.v1 import job_pb2, job_service_pb2
from ingest_server.domain.errors import Reason
from ingest_server.domain.job import JobState
from ingest_server.store.records import JobQuery
from ingest_server.wire.faults import Faults, invalid, shown
from ingest_server.wire.field_rules import (
    UUID_RULE,
    checked_labels,
    checked_queue,
    checked_time,
    raise_if_any,
)
from ingest_server.wire.uuid_text import parse_uuid

CONDITIONS_MAX = 100
"""Queues in one filter. More than anyone has reason to name, few enough for one statement of the store."""


def parse_filter(job_filter: job_service_pb2.JobFilter, tenant: str) -> JobQuery:
    """Read a filter. Raises InvalidRequest with all its faults."""
    faults = Faults()
    states: set[JobState] = set()
    for index, number in enumerate(job_filter.states):
        if number not in job_pb2.JobState.values() or number == job_pb2.JOB_STATE_UNSPECIFIED:
            faults.add(f"filter.states[{index}]", f"must be a JobState, not {number}")
        else:
            states.add(JobState(number))
    if len(job_filter.queues) > CONDITIONS_MAX:
        faults.add("filter.queues", f"must have at most {CONDITIONS_MAX} entries, not {len(job_filter.queues):,}")
    for index, name in enumerate(job_filter.queues[:CONDITIONS_MAX]):
        checked_queue(faults, f"filter.queues[{index}]", name)
    query = JobQuery(
        tenant=tenant,
        batch_id=_checked_uuid(faults, "filter.batch_id", job_filter.batch_id),
        states=frozenset(states),
        queues=frozenset(job_filter.queues),
        labels=checked_labels(faults, "filter.labels", job_filter.labels),
        create_from_us=_checked_bound(faults, job_filter, "create_time_from"),
        create_before_us=_checked_bound(faults, job_filter, "create_time_before"),
        part_of=_checked_uuid(faults, "filter.parent_job_id", job_filter.parent_job_id),
    )
    if query.create_from_us and query.create_before_us and query.create_from_us >= query.create_before_us:
        faults.add("filter.create_time_before", "must lie after create_time_from")
    raise_if_any(faults)
    return query


def required_ids(job_ids: Sequence[str], ids_max: int) -> list[bytes]:
    """Read ids, in order. Raises InvalidRequest: too many, or those that are no UUIDs, each named."""
    limit_ids("job_ids", len(job_ids), ids_max)
    faults = Faults()
    found = [_checked_uuid(faults, f"job_ids[{index}]", text, required=True) for index, text in enumerate(job_ids)]
    raise_if_any(faults)
    return found


def limit_ids(path: str, count: int, ids_max: int) -> None:
    """Raise InvalidRequest (TOO_MANY_ITEMS) for more than the limit."""
    if count > ids_max:
        raise invalid(path, f"must have at most {ids_max:,} entries, not {count:,}", Reason.TOO_MANY_ITEMS)


def parse_page_size(given: int, most: int, *, unset: int) -> int:
    """Items wanted in a page; `unset` for 0. Raises InvalidRequest."""
    if not 0 <= given <= most:
        raise invalid("page_size", f"must be 0 … {most:,}, not {given:,}")
    return given or unset


def wants_full(view: int) -> bool:
    """Whether a view is FULL. Raises InvalidRequest for one that does not exist."""
    if view not in job_pb2.JobView.values():
        raise invalid("view", f"must be a JobView, not {view}")
    return view == job_pb2.JOB_VIEW_FULL


def _checked_uuid(faults: Faults, path: str, text: str, *, required: bool = False) -> bytes:
    if not text and not required:
        return b""
    try:
        return parse_uuid(text)
    except ValueError:
        faults.add(path, f"{UUID_RULE}, not {shown(text)}")
        return b""


def _checked_bound(faults: Faults, job_filter: job_service_pb2.JobFilter, field: str) -> int:
    """A bound in microseconds. One at or before the epoch bounds nothing from below and everything from above: 1 us stands for
    it, as 0 means no bound."""
    if not job_filter.HasField(field):
        return 0
    return max(checked_time(faults, f"filter.{field}", getattr(job_filter, field)), 1)
