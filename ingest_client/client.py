"""The client: every verb of the service, for asyncio.

async with Client("127.0.0.1:50051") as client:
    batch = await client.submit(["report.pdf", "page.html"])
    async for result in client.as_completed(batch):
        print(result.job_id, await result.text())
"""

from __future__ import annotations

import asyncio
import builtins
import uuid
from collections.abc import AsyncGenerator, Coroutine, Sequence
from functools import partial
from types import TracebackType
from typing import Any

from ingest.v1 import job_pb2, job_service_pb2, server_service_pb2
from ingest_client import _methods
from ingest_client._blobs import Blobs
from ingest_client._channel import Channel, ChannelSettings, TlsFiles
from ingest_client._coalesce import CoalesceSettings
from ingest_client._convert import filter_to_proto, info_from_proto, job_from_proto, state_from_proto, stats_from_proto
from ingest_client._deliveries import Deliveries
from ingest_client._parts import Opened, Parts
from ingest_client._prepare import JobLike
from ingest_client._queues import Queues
from ingest_client._results import JobIds, selected, watched
from ingest_client._retry import RetryLimits
from ingest_client._session import Entry
from ingest_client._submit import Jobs
from ingest_client._watch import Messages, Selection, Watch, WatchSettings
from ingest_client.errors import ClientClosed, DeadlineExceeded, IngestClientError
from ingest_client.handle import JobHandle
from ingest_client.listing import Listing
from ingest_client.models import ActionResult, Batch, CountGroup, Counts, Job, JobFilter, ServerInfo, Stats, SubmitResult
from ingest_client.result import JobResult

_DEADLINE_EXCEEDED = 4


class Client:
    """Calls to one server over one connection. Used from the event loop it was entered in.

    Every call may raise what `errors.py` lists; calls are repeated by themselves where that is promising, within `retry` and the
    deadline. Cancelling a coroutine gives up the wait, never a job.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        token: str = "",
        tls: TlsFiles | None = None,
        allow_plaintext_token: bool = False,
        timeout_seconds: float = 60.0,
        retry: RetryLimits | None = None,
        watch: WatchSettings | None = None,
        coalesce: CoalesceSettings | None = None,
        submit_calls_max: int = 4,
        uploads_max: int = 4,
        channel: ChannelSettings | None = None,
    ) -> None:
        """Nothing is opened before the client is entered.

        Args:
            address: `host:port` or `unix:/path`.
            token: bearer token. Over plaintext only to this machine, unless `allow_plaintext_token`.
            tls: certificates; None for plaintext, `TlsFiles()` for TLS with gRPC's own roots.
            allow_plaintext_token: see `token`.
            timeout_seconds: deadline of a call over all its attempts.
            retry: bounds of repeats.
            watch: how watches keep alive.
            coalesce: bounds of joining single submits.
            submit_calls_max: calls that one `submit` has under way.
            uploads_max: blobs uploaded at once.
            channel: all settings of the channel at once; address, token, tls, timeout and retry are taken from it then.
        """
        self._settings = channel or ChannelSettings(
            address,
            token=token,
            tls=tls,
            allow_plaintext_token=allow_plaintext_token,
            timeout_seconds=timeout_seconds,
            retry=retry or RetryLimits(),
        )
        self._watch_settings = watch or WatchSettings()
        self._coalesce_settings = coalesce or CoalesceSettings()
        self._submit_calls_max = submit_calls_max
        self._uploads_max = uploads_max
        self._open: Opened | None = None
        self._parts: Parts | None = None
        self._preparing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Client:
        channel = Channel(self._settings)
        self._open = Opened(channel, Blobs(channel, uploads_max=self._uploads_max))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; whoever waits gets ClientClosed. Jobs go on. May be called again."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        if self._parts is not None:
            await self._parts.coalescer.close()
        if self._open is not None:
            await self._open.channel.close()

    # ------------------------------------------------------------------------------------------------------------- submit

    async def submit(self, jobs: Jobs, *, batch_id: str = "", all_or_nothing: bool = False) -> Batch:
        """Submit any number of jobs, in as many calls as it takes, and wait until all are on the server's disk.

        Args:
            jobs: an iterable or async iterable of `JobSpec`, paths, bytes or `ingest.v1.JobSpec`; also a single one. Drawn on
                only as calls return. Large inputs are uploaded as blobs first, files streamed.
            batch_id: a UUID of your own, to be joined by all; "" makes one.
            all_or_nothing: accept all or none; then they must fit into one call.

        Returns:
            One result per item, in order; an item that is refused hinders no other.

        Raises:
            IngestClientError: a call failed. `accepted` tells of the items before; submit the rest with the same `batch_id`.
        """
        joined = bool(batch_id)
        batch_id = batch_id or str(uuid.uuid4())
        results: builtins.list[SubmitResult] = []
        try:
            async for result in self.submit_stream(jobs, batch_id=batch_id, all_or_nothing=all_or_nothing):
                results.append(result)
        except IngestClientError as error:
            error.accepted = Batch(batch_id, tuple(results), joined)
            raise
        return Batch(batch_id, tuple(results), joined)

    async def submit_stream(
        self, jobs: Jobs, *, batch_id: str = "", all_or_nothing: bool = False
    ) -> AsyncGenerator[SubmitResult, None]:
        """As `submit`, but tells of each item as its call returns: for more jobs than one wants results in memory."""
        parts = await self._ready()
        stream = parts.submitter.stream(jobs, batch_id or str(uuid.uuid4()), all_or_nothing)
        try:
            async for result in stream:
                yield result
        finally:
            await stream.aclose()

    async def submit_one(self, job: JobLike) -> JobHandle:
        """Submit one job, together with others of this client that come at the same time.

        Raises:
            IngestClientError: it was refused, or the call failed.
        """
        parts = self._parts or await self._ready()
        entry = await parts.coalescer.submit(parts.submitter.encode_now(job) or await parts.submitter.encode_one(job))
        return JobHandle(entry.job_id, entry.created, partial(self._settled, entry), self)

    async def run(self, job: JobLike, *, timeout_seconds: float | None = None) -> JobResult:
        """Submit one job and wait for its end, together with others of this client that come at the same time.

        Args:
            job: what to do.
            timeout_seconds: longest wait; None for as long as it takes.

        Returns:
            Its terminal result, also where the job failed: `raise_for_state` turns that into an exception.

        Raises:
            DeadlineExceeded: the wait ended first. The job goes on.
            IngestClientError: it was refused, or the server could not be asked.
        """
        parts = self._parts or await self._ready()
        encoded = parts.submitter.encode_now(job) or await parts.submitter.encode_one(job)
        if timeout_seconds is None:
            return await parts.coalescer.run(encoded)
        return await _within(timeout_seconds, parts.coalescer.run(encoded))

    # ------------------------------------------------------------------------------------------------------------ results

    async def fetch(self, jobs: JobIds, *, page_size: int = 0) -> AsyncGenerator[JobResult, None]:
        """Results as they stand, in order, page by page; unknown and unfinished jobs are answers too.

        Args:
            jobs: a `Batch`, a batch id (`str`), or job ids.
            page_size: most items of one answer; 0 leaves it to the server.
        """
        job_ids, batch_id = selected(jobs)
        async for result in (await self._ready()).results.fetch(job_ids, batch_id, page_size):
            yield result

    async def result(self, job_id: str) -> JobResult:
        """The result of one job as it stands."""
        results = [result async for result in self.fetch([job_id])]
        return results[0]

    async def wait(self, jobs: JobIds, *, timeout_seconds: float | None = None) -> tuple[JobResult, ...]:
        """Wait until all have ended; results in order.

        Raises:
            DeadlineExceeded: `timeout_seconds` passed first.
        """
        job_ids, batch_id = selected(jobs)
        results = (await self._ready()).results
        return tuple([each async for each in results.wait(job_ids, batch_id, timeout_seconds)])

    async def as_completed(self, jobs: JobIds) -> AsyncGenerator[JobResult, None]:
        """Each job's terminal result once, in the order in which they end.

        Raises:
            NotFound: a job or the batch does not exist.
        """
        job_ids, batch_id = watched(jobs)
        stream = (await self._ready()).results.as_completed(job_ids, batch_id)
        try:
            async for result in stream:
                yield result
        finally:
            await stream.aclose()

    def watch(
        self,
        jobs: JobIds | JobFilter | None = None,
        *,
        resume_token: str = "",
        stop_when_done: bool = False,
        full: bool = False,
        terminal_only: bool = False,
        allow_missing_batch: bool = False,
        snapshot_on_expired: bool = False,
    ) -> Watch:
        """Watch jobs: their present state first, then every change, in order, without a gap, across broken connections.

        Args:
            jobs: a `Batch`, a batch id (`str`), job ids, a filter; None for all of the tenant.
            resume_token: continue after it (`Watch.resume_token` of an earlier watch of the same selection), no snapshot.
            stop_when_done: end when all selected jobs have ended.
            full: events of jobs that succeeded carry the output.
            terminal_only: tell only of ends.
            allow_missing_batch: the batch may come later.
            snapshot_on_expired: when the token is too old, begin anew with a snapshot instead of raising ResumeTokenExpired.
        """
        job_ids, batch_id = ((), "") if jobs is None or isinstance(jobs, JobFilter) else watched(jobs)
        if jobs is not None and not isinstance(jobs, JobFilter) and not job_ids and not batch_id:
            raise ValueError("no job to watch; None watches all of the tenant")
        selection = Selection(
            job_ids=tuple(job_ids),
            batch_id=batch_id,
            filter=jobs if isinstance(jobs, JobFilter) else None,
            stop_when_done=stop_when_done,
            full=full,
            terminal_only=terminal_only,
            allow_missing_batch=allow_missing_batch,
        )
        messages = Messages(
            self._entered().channel,
            selection,
            self._watch_settings,
            resume_token=resume_token,
            snapshot_on_expired=snapshot_on_expired,
        )
        return Watch(messages)

    # -------------------------------------------------------------------------------------------------------------- steer

    async def cancel(self, jobs: JobIds, *, reason: str = "") -> tuple[ActionResult, ...]:
        """Ask jobs to end; one answer per job, in order. For a batch: one per job that had not ended."""
        job_ids, batch_id = selected(jobs)
        return await (await self._ready()).actions.cancel(job_ids, batch_id, reason)

    async def retry(self, jobs: JobIds) -> tuple[ActionResult, ...]:
        """Run failed, cancelled and expired jobs again, each as a new job; one answer per job, in order."""
        job_ids, batch_id = selected(jobs)
        return await (await self._ready()).actions.retry(job_ids, batch_id)

    async def delete(self, jobs: JobIds) -> tuple[ActionResult, ...]:
        """Forget ended jobs; one answer per job, in order. After a broken connection NotFound may mean it was deleted by then."""
        job_ids, batch_id = selected(jobs)
        return await (await self._ready()).actions.delete(job_ids, batch_id)

    # --------------------------------------------------------------------------------------------------------------- look

    async def get(self, job_id: str, *, full: bool = False) -> Job:
        """One job. Raises NotFound."""
        view = job_pb2.JOB_VIEW_FULL if full else job_pb2.JOB_VIEW_BASIC
        request = job_service_pb2.GetJobRequest(job_id=job_id, view=view)
        return job_from_proto((await self._entered().channel.unary(_methods.GET_JOB, request)).job)

    def list(self, filter: JobFilter | None = None, *, full: bool = False, page_size: int = 0) -> Listing:
        """Jobs, newest first, page by page as they are drawn."""
        return Listing(self._entered().channel, filter, full=full, page_size=page_size)

    async def count(self, filter: JobFilter | None = None, *, by: Sequence[str] = (), label_key: str = "") -> Counts:
        """Count jobs.

        Args:
            filter: which.
            by: any of "state", "queue", "label".
            label_key: needed for "label".
        """
        groups = [f"GROUP_BY_{each.upper()}" for each in by]
        request = job_service_pb2.CountJobsRequest(filter=filter_to_proto(filter), group_by=groups, label_key=label_key)
        response = await self._entered().channel.unary(_methods.COUNT_JOBS, request)
        return Counts(
            response.total_count,
            tuple(
                CountGroup(
                    each.count,
                    state_from_proto(each.state) if "state" in by else None,
                    each.queue if "queue" in by else None,
                    each.label_value if "label" in by else None,
                )
                for each in response.groups
            ),
        )

    @property
    def queues(self) -> Queues:
        """Queues: list, update, pause, resume, purge."""
        return Queues(self._entered().channel)

    @property
    def deliveries(self) -> Deliveries:
        """Deliveries of callbacks: how they went, and send them again."""
        return Deliveries(self._entered().channel)

    @property
    def blobs(self) -> Blobs:
        """Blobs: upload and download by hand. Submit and results do it by themselves."""
        return self._entered().blobs

    async def info(self) -> ServerInfo:
        """Version, limits and handlers of the server."""
        request = server_service_pb2.GetServerInfoRequest()
        return info_from_proto(await self._entered().channel.unary(_methods.GET_SERVER_INFO, request))

    async def stats(self) -> Stats:
        """Load and speed of the server now."""
        request = server_service_pb2.GetStatsRequest()
        return stats_from_proto(await self._entered().channel.unary(_methods.GET_STATS, request))

    # ------------------------------------------------------------------------------------------------------------- inside

    async def _settled(self, entry: Entry, timeout_seconds: float | None) -> JobResult:
        coalescer = (await self._ready()).coalescer
        if timeout_seconds is None or entry.outcome is not None:
            return await coalescer.result(entry)
        return await _within(timeout_seconds, coalescer.result(entry))

    def _entered(self) -> Opened:
        if self._open is None:
            raise RuntimeError("enter the client first: async with Client(…) as client")
        return self._open

    async def _ready(self) -> Parts:
        """What needs the server's limits; they are asked for once, however many callers begin together."""
        if self._parts is None:
            if self._preparing is None or self._preparing.done():
                self._preparing = asyncio.create_task(self._prepare())
            await asyncio.shield(self._preparing)
        return self._parts or await self._ready()

    async def _prepare(self) -> None:
        try:
            limits = (await self.info()).limits
        except asyncio.CancelledError:
            raise ClientClosed("the client was closed before the server had told its limits") from None
        self._parts = Parts(self._entered(), limits, self._watch_settings, self._coalesce_settings, self._submit_calls_max)


async def _within(timeout_seconds: float, waiting: Coroutine[Any, Any, JobResult]) -> JobResult:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await waiting
    except TimeoutError:
        raise DeadlineExceeded(
            f"the job had not ended after {timeout_seconds:g} s; it goes on", code=_DEADLINE_EXCEEDED
        ) from None
