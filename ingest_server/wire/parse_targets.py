"""The selector of calls that page through jobs by id or by batch, in: FetchResults, CancelJobs, RetryJobs, DeleteJobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ingest.v1 import job_service_pb2
from ingest_server.wire.faults import Faults, invalid
from ingest_server.wire.fetched_results import AskedIds, read_ids
from ingest_server.wire.field_rules import checked_text, optional_uuid, raise_if_any
from ingest_server.wire.parse_filter import limit_ids, parse_page_size, required_ids
from ingest_server.wire.tokens import TokenKind, decode_page_token, encode_page_token, items_digest

REASON_BYTES_MAX = 1_024
"""job_service.proto, CancelJobsRequest.reason."""


class TargetRequest(Protocol):
    """A request that names jobs by id or by batch, and a page."""

    @property
    def job_ids(self) -> Sequence[str]:
        """These jobs."""
        ...

    @property
    def batch_id(self) -> str:
        """Or those of this batch."""
        ...

    @property
    def page_token(self) -> str:
        """The page."""
        ...


@dataclass(frozen=True, slots=True)
class Targets:
    """What a call is about.

    Attributes:
        kind: of its page tokens.
        job_ids: 16 bytes each; None for a batch.
        batch_id: 16 bytes; b"" for ids.
        digest: names the two, and the tenant, in page tokens.
        page: number of the page, 0 for the first.
    """

    kind: TokenKind
    job_ids: Sequence[bytes] | None
    batch_id: bytes
    digest: bytes
    page: int

    def next_token(self, page: int) -> str:
        """The token of the next page; "" for 0."""
        return encode_page_token(self.kind, self.digest, page)


@dataclass(frozen=True, slots=True)
class FetchAsk:
    """A fetch as asked for: its targets, the ids with the bad ones among them (None for a batch), page size, what to wait for."""

    targets: Targets
    asked: AskedIds | None
    page_size: int
    wait_any: bool


def parse_targets(request: TargetRequest, kind: TokenKind, tenant: str, ids_max: int) -> Targets:
    """Read the selector. Raises InvalidRequest: both, neither, too many ids, bad ids, a foreign page token."""
    _require_one_selector(request)
    job_ids = required_ids(request.job_ids, ids_max) if request.job_ids else None
    return _targets(request, kind, tenant, job_ids)


def parse_fetch(request: job_service_pb2.FetchResultsRequest, tenant: str, ids_max: int) -> FetchAsk:
    """Read a fetch. As `parse_targets`, but bad ids are no error of the call: they are answered in their place."""
    _require_one_selector(request)
    if request.wait_for not in job_service_pb2.WaitFor.values():
        raise invalid("wait_for", f"must be a WaitFor, not {request.wait_for}")
    limit_ids("job_ids", len(request.job_ids), ids_max)
    asked = read_ids(request.job_ids) if request.job_ids else None
    targets = _targets(request, TokenKind.FETCH, tenant, asked.good if asked else None)
    if asked and targets.page and targets.page >= len(asked.good):
        raise invalid("page_token", "points beyond the ids; begin again without it")
    return FetchAsk(
        targets,
        asked,
        parse_page_size(request.page_size, ids_max, unset=ids_max),
        request.wait_for == job_service_pb2.WAIT_FOR_ANY,
    )


def parse_reason(reason: str) -> str:
    """Read the reason of a cancel. Raises InvalidRequest if it is too long."""
    faults = Faults()
    checked_text(faults, "reason", reason, REASON_BYTES_MAX)
    raise_if_any(faults)
    return reason


def _targets(request: TargetRequest, kind: TokenKind, tenant: str, job_ids: Sequence[bytes] | None) -> Targets:
    batch_id = optional_uuid("batch_id", request.batch_id)
    digest = items_digest(tenant, job_ids, batch_id)
    return Targets(kind, job_ids, batch_id, digest, decode_page_token(kind, request.page_token, digest))


def _require_one_selector(request: TargetRequest) -> None:
    if request.job_ids and request.batch_id:
        raise invalid("batch_id", "must not be set together with job_ids: one of them selects")
    if not request.job_ids and not request.batch_id:
        raise invalid("job_ids", "must not be empty where batch_id is: one of them selects")
