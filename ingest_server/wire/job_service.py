"""JobService: reads requests, asks the use cases, writes answers. It decides nothing."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from contextlib import aclosing

from ingest.v1 import job_service_pb2 as pb
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import IngestError, InternalError
from ingest_server.jobs.use_cases import UseCases
from ingest_server.wire.action_results import cancel_results, delete_results, retry_results
from ingest_server.wire.calls import Context, caller
from ingest_server.wire.count_groups import count_response, parse_grouping
from ingest_server.wire.deliveries import PAGE_SIZE, PAGE_SIZE_MAX, list_response, parse_delivery_ids, redeliver_response
from ingest_server.wire.fetched_results import encode_page, encode_results
from ingest_server.wire.field_rules import optional_uuid, required_uuid
from ingest_server.wire.job_to_proto import job_to_proto
from ingest_server.wire.limits import LiveConfiguration
from ingest_server.wire.parse_filter import parse_filter, parse_page_size, wants_full
from ingest_server.wire.parse_submit import SubmitParser
from ingest_server.wire.parse_targets import TargetRequest, Targets, parse_fetch, parse_reason, parse_targets
from ingest_server.wire.parse_watch import WatchAsk, parse_watch, watch_token, with_oldest_token
from ingest_server.wire.submit_answer import batch_refused, encode_answer, encode_refusal, refusal_of_run, refused_by_server
from ingest_server.wire.tokens import TokenKind, decode_page_token, encode_page_token, items_digest, selection_digest
from ingest_server.wire.uuid_text import format_uuid
from ingest_server.wire.waiting import wait_seconds
from ingest_server.wire.watch_encoding import EventEncoder, MessageWriter

SERVICE = pb.DESCRIPTOR.services_by_name["JobService"]
WAITS = frozenset({"RunJob", "FetchResults"})
RAW = frozenset({"SubmitJobs"})

LIST_PAGE_SIZE = 100
"""job_service.proto, ListJobsRequest.page_size."""


class JobService:
    """The servicer. A method per RPC; what each does for its caller is told in job_service.proto.

    Args:
        use_cases: what decides.
        configuration: limits, defaults, handlers; read at each call.
        clock: for delays and deadlines.
        batch_id_of: number of a batch → its 16 bytes, b"" if not at hand; for events.
    """

    def __init__(
        self,
        use_cases: UseCases,
        configuration: LiveConfiguration,
        clock: Clock,
        batch_id_of: Callable[[int], bytes],
    ) -> None:
        self._use_cases = use_cases
        self._configuration = configuration
        self._clock = clock
        self._parser = SubmitParser(configuration, clock)
        self._encoder = EventEncoder(batch_id_of)

    async def SubmitJobs(self, data: bytes, context: Context) -> bytes:
        """Accept jobs."""
        parsed = self._parser.parse_submit(data, caller())
        if parsed.refused and parsed.all_or_nothing:
            raise batch_refused(parsed.refused)
        if not parsed.jobs:
            return encode_refusal(parsed)
        answer = await self._use_cases.submit(caller(), parsed.command())
        if parsed.all_or_nothing and (refused := refused_by_server(parsed, answer)):
            raise batch_refused(refused)
        return encode_answer(parsed, answer)

    async def RunJob(self, request: pb.RunJobRequest, context: Context) -> pb.RunJobResponse:
        """Submit one job and wait for its end."""
        seconds = wait_seconds(request, self._configuration.limits, self._clock, unset=math.inf)
        command = self._parser.parse_run(request, caller())
        answer, row = await self._use_cases.run(caller(), command, seconds)
        if row is None:
            raise refusal_of_run(command, answer) or InternalError("the job was neither accepted nor refused")
        return pb.RunJobResponse(job=job_to_proto(row, full=True))

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        """Answer one job."""
        job_id, full = required_uuid("job_id", request.job_id), wants_full(request.view)
        row = await self._use_cases.get(caller(), job_id, full=full)
        return pb.GetJobResponse(job=job_to_proto(row, full=full))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """Answer a page of jobs."""
        query, full = parse_filter(request.filter, caller().tenant), wants_full(request.view)
        size = parse_page_size(request.page_size, self._configuration.limits.list_items_max, unset=LIST_PAGE_SIZE)
        digest = selection_digest(query)
        from_seq = decode_page_token(TokenKind.LIST, request.page_token, digest)
        page = await self._use_cases.list(caller(), query, page_size=size, from_seq=from_seq, full=full)
        return pb.ListJobsResponse(
            jobs=[job_to_proto(row, full=full) for row in page.rows],
            next_page_token=encode_page_token(TokenKind.LIST, digest, page.next_seq),
            watch_token="" if from_seq else watch_token(query, page.position),
        )

    async def CountJobs(self, request: pb.CountJobsRequest, context: Context) -> pb.CountJobsResponse:
        """Count jobs in groups."""
        query, grouping = parse_filter(request.filter, caller().tenant), parse_grouping(request)
        counts = await self._use_cases.count(
            caller(), query, by_state=grouping.by_state, by_queue=grouping.by_queue, by_label=grouping.by_label
        )
        return count_response(counts)

    async def FetchResults(self, request: pb.FetchResultsRequest, context: Context) -> bytes:
        """Answer a page of results."""
        limits = self._configuration.limits
        ask = parse_fetch(request, caller().tenant, limits.fetch_items_max)
        seconds = wait_seconds(request, limits, self._clock, unset=0.0)
        page = await self._use_cases.fetch(
            caller(),
            job_ids=ask.targets.job_ids,
            batch_id=ask.targets.batch_id,
            offset=ask.targets.page,
            page_size=ask.page_size,
            wait_seconds=seconds,
            wait_any=ask.wait_any,
        )
        fields, next_offset = encode_results(page, ask.asked, ask.targets.page, limits.response_bytes_max)
        return encode_page(fields, ask.targets.next_token(next_offset))

    async def WatchJobs(self, request: pb.WatchJobsRequest, context: Context) -> None:
        """Tell of jobs until the reader goes away or the selection is done."""
        ask = parse_watch(request, caller().tenant, self._configuration.limits.fetch_items_max)
        writer = self._writer(ask)
        batches = self._use_cases.watch(
            caller(),
            ask.selection,
            position=ask.position,
            heartbeat_seconds=ask.heartbeat_seconds,
            stop_when_done=request.stop_when_done,
            with_output=ask.full,
            terminal_only=request.terminal_only,
        )
        try:
            async with aclosing(batches):
                async for batch in batches:
                    for message in writer.messages(batch):
                        await context.write(message)
        except IngestError as error:
            raise with_oldest_token(error, ask.digest) from error.__cause__

    async def CancelJobs(self, request: pb.CancelJobsRequest, context: Context) -> pb.CancelJobsResponse:
        """Ask jobs to end."""
        reason, targets = parse_reason(request.reason), self._targets(request, TokenKind.CANCEL)
        answers, page = await self._use_cases.cancel(
            caller(), job_ids=targets.job_ids, batch_id=targets.batch_id, reason=reason, page=targets.page
        )
        return pb.CancelJobsResponse(results=cancel_results(answers), next_page_token=targets.next_token(page))

    async def RetryJobs(self, request: pb.RetryJobsRequest, context: Context) -> pb.RetryJobsResponse:
        """Run jobs again."""
        targets, request_id = self._targets(request, TokenKind.RETRY), optional_uuid("request_id", request.request_id)
        items, batch_id, page = await self._use_cases.retry(
            caller(),
            job_ids=targets.job_ids,
            batch_id=targets.batch_id,
            request_id=request_id,
            request_digest=hashlib.sha256(b"retry %d " % targets.page + targets.digest).digest() if request_id else b"",
            page=targets.page,
        )
        results, token = retry_results(items), targets.next_token(page)
        return pb.RetryJobsResponse(results=results, batch_id=format_uuid(batch_id), next_page_token=token)

    async def DeleteJobs(self, request: pb.DeleteJobsRequest, context: Context) -> pb.DeleteJobsResponse:
        """Forget ended jobs."""
        targets = self._targets(request, TokenKind.DELETE)
        answers, page = await self._use_cases.delete(
            caller(), job_ids=targets.job_ids, batch_id=targets.batch_id, page=targets.page
        )
        return pb.DeleteJobsResponse(results=delete_results(answers), next_page_token=targets.next_token(page))

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Context) -> pb.ListDeliveriesResponse:
        """Answer a page of deliveries."""
        job_id = required_uuid("job_id", request.job_id)
        size = parse_page_size(request.page_size, PAGE_SIZE_MAX, unset=PAGE_SIZE)
        digest = items_digest(caller().tenant, (job_id,), b"")
        number = decode_page_token(TokenKind.DELIVERIES, request.page_token, digest)
        page = await self._use_cases.deliveries.list(caller(), job_id, page_size=size, from_number=number)
        return list_response(page, digest, self._configuration.limits.response_bytes_max)

    async def RedeliverCallbacks(self, request: pb.RedeliverCallbacksRequest, context: Context) -> pb.RedeliverCallbacksResponse:
        """Send deliveries again."""
        job_id = required_uuid("job_id", request.job_id)
        numbers = parse_delivery_ids(request.delivery_ids, job_id)
        return redeliver_response(job_id, await self._use_cases.deliveries.redeliver(caller(), job_id, numbers))

    def _targets(self, request: TargetRequest, kind: TokenKind) -> Targets:
        return parse_targets(request, kind, caller().tenant, self._configuration.limits.fetch_items_max)

    def _writer(self, ask: WatchAsk) -> MessageWriter:
        limits = self._configuration.limits
        return MessageWriter(
            self._encoder,
            ask.digest,
            position=ask.position,
            with_output=ask.full,
            bytes_max=limits.response_bytes_max,
            events_max=limits.watch_events_max,
        )
