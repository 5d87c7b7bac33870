"""CountJobs: grouping in, groups out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.v1 import job_service_pb2
from ingest_server.domain.job import JobState
from ingest_server.wire.faults import Faults, invalid
from ingest_server.wire.field_rules import checked_label_key, raise_if_any

GROUP_BY_MAX = 3
GROUPS_MAX = 1_000
"""Both of job_service.proto."""

_GroupBy = job_service_pb2.CountJobsRequest.GroupBy


@dataclass(frozen=True, slots=True)
class Grouping:
    """What makes a group. `by_label` is the label's key; "" for no grouping by label."""

    by_state: bool
    by_queue: bool
    by_label: str


def parse_grouping(request: job_service_pb2.CountJobsRequest) -> Grouping:
    """Read what makes a group. Raises InvalidRequest."""
    if len(request.group_by) > GROUP_BY_MAX:
        raise invalid("group_by", f"must have at most {GROUP_BY_MAX} entries, not {len(request.group_by):,}")
    faults = Faults()
    for index, number in enumerate(request.group_by):
        if number not in _GroupBy.values():
            faults.add(f"group_by[{index}]", f"must be a GroupBy, not {number}")
    wanted = set(request.group_by)
    by_label = ""
    if job_service_pb2.CountJobsRequest.GROUP_BY_LABEL in wanted:
        by_label = checked_label_key(faults, "label_key", request.label_key)
    raise_if_any(faults)
    return Grouping(
        job_service_pb2.CountJobsRequest.GROUP_BY_STATE in wanted,
        job_service_pb2.CountJobsRequest.GROUP_BY_QUEUE in wanted,
        by_label,
    )


def count_response(counts: Mapping[tuple[JobState | None, str, str], int]) -> job_service_pb2.CountJobsResponse:
    """Write the groups, the largest first; those of equal size in the order of state, queue and label, so pages compare."""
    response = job_service_pb2.CountJobsResponse(total_count=sum(counts.values()))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], int(item[0][0] or 0), item[0][1], item[0][2]))
    for (state, queue, label_value), count in ordered[:GROUPS_MAX]:
        if count:
            response.groups.add(state=int(state or 0), queue=queue, label_value=label_value, count=count)
    return response
