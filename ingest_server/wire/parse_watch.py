"""WatchJobsRequest in: what to watch, from where, and how."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.v1 import job_service_pb2
from ingest_server.domain.errors import IngestError, Reason
from ingest_server.jobs.selection import Selection
from ingest_server.store.records import JobQuery
from ingest_server.wire.faults import invalid
from ingest_server.wire.field_rules import optional_uuid, required_span
from ingest_server.wire.parse_filter import parse_filter, required_ids, wants_full
from ingest_server.wire.times import MICROSECONDS
from ingest_server.wire.tokens import TokenKind, decode_resume_token, encode_token, selection_digest

# job_service.proto, WatchJobsRequest.heartbeat_interval.
HEARTBEAT_US = 5 * MICROSECONDS
HEARTBEAT_GRAIN_US = 100_000
HEARTBEAT_US_MAX = 60 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class WatchAsk:
    """A watch as asked for.

    Attributes:
        selection: which jobs.
        digest: names the selection in tokens.
        position: go on after it; None: begin with a snapshot.
        heartbeat_seconds: longest silence, a multiple of the grain.
        full: events carry outputs.
    """

    selection: Selection
    digest: bytes
    position: int | None
    heartbeat_seconds: float
    full: bool


def parse_watch(request: job_service_pb2.WatchJobsRequest, tenant: str, ids_max: int) -> WatchAsk:
    """Read a watch. Raises InvalidRequest: more than one selector, states in the filter, a foreign token, or a bad field."""
    selection = _selection(request, tenant, ids_max)
    digest = selection_digest(selection.query)
    heartbeat_us = HEARTBEAT_US
    if request.HasField("heartbeat_interval"):
        heartbeat_us = required_span("heartbeat_interval", request.heartbeat_interval, HEARTBEAT_GRAIN_US, HEARTBEAT_US_MAX)
    grains = -(-heartbeat_us // HEARTBEAT_GRAIN_US)
    return WatchAsk(
        selection,
        digest,
        decode_resume_token(request.resume_token, digest),
        grains * HEARTBEAT_GRAIN_US / MICROSECONDS,
        wants_full(request.view),
    )


def _selection(request: job_service_pb2.WatchJobsRequest, tenant: str, ids_max: int) -> Selection:
    given = [name for name in ("job_ids", "batch_id") if getattr(request, name)]
    given += ["filter"] if request.HasField("filter") else []
    if len(given) > 1:
        raise invalid(given[1], f"must not be set together with {given[0]}: one of job_ids, batch_id and filter selects")
    if request.filter.states:
        raise invalid("filter.states", "must be empty in a watch: a job would leave the selection unseen; see terminal_only")
    if request.job_ids:
        ids = tuple(dict.fromkeys(required_ids(request.job_ids, ids_max)))
        return Selection(JobQuery(tenant, job_ids=ids), request.allow_missing_batch)
    if request.batch_id:
        return Selection(JobQuery(tenant, batch_id=optional_uuid("batch_id", request.batch_id)), request.allow_missing_batch)
    return Selection(parse_filter(request.filter, tenant), request.allow_missing_batch)


def watch_token(query: JobQuery, position: int) -> str:
    """The token that continues a list as a watch. Conditions on states are left out of the selection: a watch has none."""
    watched = JobQuery(
        query.tenant,
        batch_id=query.batch_id,
        queues=query.queues,
        labels=query.labels,
        create_from_us=query.create_from_us,
        create_before_us=query.create_before_us,
        part_of=query.part_of,
    )
    return encode_token(TokenKind.RESUME, selection_digest(watched), position)


def with_oldest_token(error: IngestError, digest: bytes) -> IngestError:
    """The error of a watch, with a token in place of the position that means nothing to its caller."""
    if error.reason is not Reason.RESUME_TOKEN_EXPIRED:
        return error
    oldest = int(error.metadata.get("oldest_position", "0"))
    metadata = {key: value for key, value in error.metadata.items() if key != "oldest_position"}
    metadata["oldest_resume_token"] = encode_token(TokenKind.RESUME, digest, oldest)
    return IngestError(error.message, reason=error.reason, code=error.code, metadata=metadata)
