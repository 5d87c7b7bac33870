"""A small server in this process that keeps the contract well enough for the client's tests, and breaks it on demand.

State outlives `stop` and `start`, as that of a durable server does. Jobs end when the test says so, or at once (`auto_finish`).
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from ingest.v1 import (
    blob_service_pb2_grpc,
    delivery_pb2,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    queue_service_pb2_grpc,
    server_service_pb2_grpc,
)
from tests.fakes.blob_service import FakeBlobs
from tests.fakes.server_service import FakeQueues, FakeServerInfo

Context = grpc.aio.ServicerContext[Any, Any]
CODES = {code.value[0]: code for code in grpc.StatusCode}
TERMINAL = job_pb2.JOB_STATE_SUCCEEDED


def status_of(code: int, reason: str, message: str = "refused", retry_ms: int = 0, **metadata: str) -> status_pb2.Status:
    """An error as the contract wants it."""
    details = [error_details_pb2.ErrorInfo(reason=reason, domain="ingest", metadata=metadata)]
    if retry_ms:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(retry_ms)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


async def abort(context: Context, status: status_pb2.Status) -> None:
    """End the call with `status`; does not return."""
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(CODES[status.code], status.message)


@dataclass
class Faults:
    """What goes wrong next.

    Attributes:
        calls: by method, statuses that the next calls end with instead of an answer.
        lose_answers: by method, how many of the next calls take effect and then break.
        cut_watch_after: messages after which each watch breaks; None for never.
        close_watch_after: messages after which each watch is closed politely.
        silent_watch: watches say nothing at all, not even heartbeats.
    """

    calls: dict[str, deque[status_pb2.Status]] = field(default_factory=lambda: defaultdict(deque))
    lose_answers: Counter[str] = field(default_factory=Counter)
    cut_watch_after: int | None = None
    close_watch_after: int | None = None
    silent_watch: bool = False


class FakeServer(job_service_pb2_grpc.JobServiceServicer):
    """All services on one port of the loopback."""

    def __init__(self) -> None:
        self.jobs: dict[str, job_pb2.Job] = {}
        self.deliveries: dict[str, list[delivery_pb2.Delivery]] = {}
        self.specs: dict[str, job_pb2.JobSpec] = {}
        self.log: list[job_service_pb2.JobEvent] = []
        self.answers: dict[str, job_service_pb2.SubmitJobsResponse] = {}
        self.calls: Counter[str] = Counter()
        self.requests: list[Any] = []
        self.submit_sizes: list[int] = []
        self.metadata: list[tuple[tuple[str, str], ...]] = []
        self.faults = Faults()
        self.auto_finish = True
        self.output_media_type = "text/plain; charset=utf-8"
        self.gate: asyncio.Event | None = None
        self.oldest_position = 0
        self.changed = asyncio.Condition()
        self.blobs = FakeBlobs(self)
        self.info = FakeServerInfo(self)
        self.queues = FakeQueues(self)
        self._server: grpc.aio.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; after a stop on the same port."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 64 << 20)])
        job_service_pb2_grpc.add_JobServiceServicer_to_server(self, server)
        blob_service_pb2_grpc.add_BlobServiceServicer_to_server(self.blobs, server)
        server_service_pb2_grpc.add_ServerServiceServicer_to_server(self.info, server)
        queue_service_pb2_grpc.add_QueueServiceServicer_to_server(self.queues, server)
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Break every connection at once."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def enter(self, method: str, request: Any, context: Context) -> None:
        """What every call goes through first."""
        self.calls[method] += 1
        self.requests.append(request)
        self.metadata.append(tuple((str(k), str(v)) for k, v in context.invocation_metadata() or ()))
        async with self.changed:
            self.changed.notify_all()
        if self.faults.calls[method]:
            await abort(context, self.faults.calls[method].popleft())

    async def until(self, happened: Callable[[], bool]) -> None:
        """Return when `happened` is true; it is asked again with every call and every change."""
        async with self.changed:
            await self.changed.wait_for(happened)

    async def leave(self, method: str, context: Context) -> None:
        """What every call goes through last: its answer may be lost."""
        if self.faults.lose_answers[method] > 0:
            self.faults.lose_answers[method] -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    # ------------------------------------------------------------------------------------------------------------- changes

    async def change(self, job_id: str, state: int, output: bytes = b"", error: status_pb2.Status | None = None) -> None:
        """Move a job on and tell the watchers."""
        job = self.jobs[job_id]
        assert job.state < TERMINAL, f"{job_id} is terminal and never changes"
        job.state = state  # type: ignore[assignment]
        job.revision = len(self.log) + 1
        event = job_service_pb2.JobEvent(job_id=job_id, state=state, revision=job.revision, batch_id=job.batch_id)  # type: ignore[arg-type]
        if state == TERMINAL:
            self._set_output(job, output)
            event.output.CopyFrom(job.output)
        if error is not None:
            job.error.CopyFrom(error)
            event.error.CopyFrom(error)
        self.log.append(event)
        async with self.changed:
            self.changed.notify_all()

    def _set_output(self, job: job_pb2.Job, output: bytes) -> None:
        job.output.media_type = self.output_media_type
        if len(output) > self.info.limits.inline_bytes_max:
            job.output.blob.CopyFrom(self.blobs.keep(output))
        else:
            job.output.data = output

    def input_of(self, job_id: str) -> bytes:
        """The bytes that a job was given, wherever they are."""
        payload = self.specs[job_id].input
        return self.blobs.complete[payload.blob.sha256] if payload.HasField("blob") else payload.data

    # ---------------------------------------------------------------------------------------------------------------- RPCs

    async def SubmitJobs(self, request: job_service_pb2.SubmitJobsRequest, context: Context) -> Any:
        await self.enter("SubmitJobs", request, context)
        self.submit_sizes.append(len(request.jobs))
        if self.gate is not None:
            await self.gate.wait()
        if request.request_id in self.answers:
            return self.answers[request.request_id]
        response = job_service_pb2.SubmitJobsResponse(batch_id=request.batch_id or str(uuid.uuid4()))
        ended: list[str] = []
        for spec in request.jobs:
            response.results.append(self._accept(spec, response.batch_id, ended))
        self.answers[request.request_id] = response
        for job_id in ended:
            await self.change(job_id, TERMINAL, self.input_of(job_id))
        await self.leave("SubmitJobs", context)
        return response

    def _accept(self, spec: job_pb2.JobSpec, batch_id: str, ended: list[str]) -> job_service_pb2.SubmitResult:
        if spec.queue not in ("", "default"):
            refusal = status_of(5, "QUEUE_NOT_FOUND", f"queue {spec.queue!r} does not exist", queue=spec.queue)
            return job_service_pb2.SubmitResult(status=refusal)
        if spec.input.blob.sha256 and spec.input.blob.sha256 not in self.blobs.complete:
            return job_service_pb2.SubmitResult(status=status_of(5, "BLOB_NOT_FOUND", "no such blob"))
        if spec.job_id in self.jobs:
            if spec.conflict_policy == job_pb2.CONFLICT_POLICY_USE_EXISTING:
                return job_service_pb2.SubmitResult(job_id=spec.job_id)
            return job_service_pb2.SubmitResult(status=status_of(6, "JOB_ID_EXISTS", f"job {spec.job_id} exists"))
        job_id = spec.job_id or str(uuid.uuid4())
        self.jobs[job_id] = job_pb2.Job(job_id=job_id, batch_id=batch_id, state=job_pb2.JOB_STATE_QUEUED, labels=spec.labels)
        self.specs[job_id] = spec
        self.log.append(
            job_service_pb2.JobEvent(job_id=job_id, state=job_pb2.JOB_STATE_QUEUED, revision=len(self.log) + 1, batch_id=batch_id)
        )
        if self.auto_finish:
            ended.append(job_id)
        return job_service_pb2.SubmitResult(job_id=job_id, created=True)

    async def FetchResults(self, request: job_service_pb2.FetchResultsRequest, context: Context) -> Any:
        await self.enter("FetchResults", request, context)
        ids = list(request.job_ids) or [job.job_id for job in self.jobs.values() if job.batch_id == request.batch_id]
        start = int(request.page_token or 0)
        page = ids[start : start + (request.page_size or self.info.limits.fetch_items_max)]
        seconds = request.wait_timeout.seconds + request.wait_timeout.nanos / 1e9
        test = any if request.wait_for == job_service_pb2.WAIT_FOR_ANY else all
        if seconds:
            try:
                async with asyncio.timeout(seconds), self.changed:
                    await self.changed.wait_for(lambda: test(self._ended(job_id) for job_id in page))
            except TimeoutError:
                pass
        response = job_service_pb2.FetchResultsResponse(results=[self._fetched(job_id) for job_id in page])
        if start + len(page) < len(ids):
            response.next_page_token = str(start + len(page))
        return response

    def _ended(self, job_id: str) -> bool:
        return job_id not in self.jobs or self.jobs[job_id].state >= TERMINAL

    def _fetched(self, job_id: str) -> job_service_pb2.FetchedResult:
        job = self.jobs.get(job_id)
        if job is None:
            return job_service_pb2.FetchedResult(job_id=job_id, error=status_of(5, "JOB_NOT_FOUND", f"no job {job_id}"))
        result = job_service_pb2.FetchedResult(job_id=job_id, state=job.state)
        if job.HasField("output"):
            result.output.CopyFrom(job.output)
        elif job.HasField("error"):
            result.error.CopyFrom(job.error)
        return result

    async def WatchJobs(
        self, request: job_service_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[job_service_pb2.WatchJobsResponse]:
        await self.enter("WatchJobs", request, context)
        sent = 0
        async for message in self._messages(request, context):
            if sent == self.faults.cut_watch_after:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            yield message
            sent += 1
            if sent == self.faults.close_watch_after:
                status = status_of(14, "SHUTTING_DOWN", "draining")
                close = job_service_pb2.WatchJobsResponse.Close(status=status)
                yield job_service_pb2.WatchJobsResponse(close=close, resume_token=message.resume_token)
                return

    async def _messages(
        self, request: job_service_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[job_service_pb2.WatchJobsResponse]:
        if self.faults.silent_watch:
            await asyncio.Event().wait()
        if missing := [job_id for job_id in request.job_ids if job_id not in self.jobs]:
            await abort(context, status_of(5, "JOB_NOT_FOUND", f"no jobs {missing}"))
        position = len(self.log)
        if request.resume_token:
            position = int(request.resume_token)
            if position < self.oldest_position:
                await abort(context, status_of(11, "RESUME_TOKEN_EXPIRED", "too old", oldest_resume_token="0"))
        else:
            present = [self._present(job) for job in self.jobs.values() if self._selected(job, request)]
            events = [event for event in present if not request.terminal_only or event.state >= TERMINAL]
            yield job_service_pb2.WatchJobsResponse(events=events, resume_token=str(position), snapshot_done=True)
        while True:
            end = len(self.log)
            for place in range(position, end):  # one message each: the worst case for tokens
                event = self.log[place]
                wanted = event.state >= TERMINAL or not request.terminal_only
                if wanted and self._selected(self.jobs[event.job_id], request):
                    yield job_service_pb2.WatchJobsResponse(events=[event], resume_token=str(place + 1))
            position = end
            mine = [job for job in self.jobs.values() if self._selected(job, request)]
            if request.stop_when_done and all(job.state >= TERMINAL for job in mine):
                return
            try:
                beat = request.heartbeat_interval.seconds + request.heartbeat_interval.nanos / 1e9 or 5.0
                async with asyncio.timeout(beat), self.changed:
                    await self.changed.wait_for(partial(self._grown, end))
            except TimeoutError:
                yield job_service_pb2.WatchJobsResponse(resume_token=str(position))

    def _grown(self, seen: int) -> bool:
        return len(self.log) > seen

    def _present(self, job: job_pb2.Job) -> job_service_pb2.JobEvent:
        event = job_service_pb2.JobEvent(
            job_id=job.job_id, state=job.state, revision=job.revision, batch_id=job.batch_id, snapshot=True
        )
        if job.HasField("output"):
            event.output.CopyFrom(job.output)
        if job.HasField("error"):
            event.error.CopyFrom(job.error)
        return event

    def _selected(self, job: job_pb2.Job, request: job_service_pb2.WatchJobsRequest) -> bool:
        if request.job_ids:
            return job.job_id in request.job_ids
        return not request.batch_id or job.batch_id == request.batch_id

    async def GetJob(self, request: job_service_pb2.GetJobRequest, context: Context) -> Any:
        await self.enter("GetJob", request, context)
        if request.job_id not in self.jobs:
            await abort(context, status_of(5, "JOB_NOT_FOUND", f"no job {request.job_id}"))
        return job_service_pb2.GetJobResponse(job=self.jobs[request.job_id])

    async def ListDeliveries(self, request: job_service_pb2.ListDeliveriesRequest, context: Context) -> Any:
        await self.enter("ListDeliveries", request, context)
        if request.job_id not in self.jobs:
            await abort(context, status_of(5, "JOB_NOT_FOUND", f"no job {request.job_id}"))
        at = int(request.page_token or 0)
        kept = self.deliveries.get(request.job_id, [])
        token = str(at + 1) if at + 1 < len(kept) else ""
        return job_service_pb2.ListDeliveriesResponse(deliveries=kept[at : at + 1], next_page_token=token)

    async def RedeliverCallbacks(self, request: job_service_pb2.RedeliverCallbacksRequest, context: Context) -> Any:
        await self.enter("RedeliverCallbacks", request, context)
        kept = self.deliveries.get(request.job_id, [])
        return job_service_pb2.RedeliverCallbacksResponse(
            delivery_ids=request.delivery_ids or [each.delivery_id for each in kept]
        )

    async def ListJobs(self, request: job_service_pb2.ListJobsRequest, context: Context) -> Any:
        await self.enter("ListJobs", request, context)
        states = set(request.filter.states)
        found = [job for job in reversed(self.jobs.values()) if not states or job.state in states]
        start = int(request.page_token or 0)
        end = start + (request.page_size or 100)
        token = str(end) if end < len(found) else ""
        watch_token = "" if start else str(len(self.log))
        return job_service_pb2.ListJobsResponse(jobs=found[start:end], next_page_token=token, watch_token=watch_token)

    async def CountJobs(self, request: job_service_pb2.CountJobsRequest, context: Context) -> Any:
        await self.enter("CountJobs", request, context)
        counted = Counter(job.state for job in self.jobs.values())
        groups = [job_service_pb2.CountJobsResponse.Group(state=s, count=n) for s, n in counted.items()]
        return job_service_pb2.CountJobsResponse(groups=groups, total_count=len(self.jobs))

    async def CancelJobs(self, request: job_service_pb2.CancelJobsRequest, context: Context) -> Any:
        await self.enter("CancelJobs", request, context)
        results = []
        for job_id in list(request.job_ids) or [job.job_id for job in self.jobs.values() if job.batch_id == request.batch_id]:
            job = self.jobs.get(job_id)
            if job is None:
                refusal = status_of(5, "JOB_NOT_FOUND", f"no job {job_id}")
                results.append(job_service_pb2.JobActionResult(job_id=job_id, status=refusal))
                continue
            await self.change(job_id, job_pb2.JOB_STATE_CANCELLED, error=status_of(1, "CANCELLED_BY_CALLER", "cancelled"))
            results.append(job_service_pb2.JobActionResult(job_id=job_id, state=job.state))
        return job_service_pb2.CancelJobsResponse(results=results)

    async def RetryJobs(self, request: job_service_pb2.RetryJobsRequest, context: Context) -> Any:
        await self.enter("RetryJobs", request, context)
        ended: list[str] = []
        results = []
        for job_id in request.job_ids:
            again = self._accept(self.specs[job_id], "retried", ended)
            results.append(job_service_pb2.JobActionResult(job_id=job_id, new_job_id=again.job_id))
        return job_service_pb2.RetryJobsResponse(results=results, batch_id="retried")

    async def DeleteJobs(self, request: job_service_pb2.DeleteJobsRequest, context: Context) -> Any:
        await self.enter("DeleteJobs", request, context)
        results = []
        for job_id in request.job_ids:
            gone = self.jobs.pop(job_id, None)
            status = None if gone else status_of(5, "JOB_NOT_FOUND", f"no job {job_id}")
            results.append(job_service_pb2.JobActionResult(job_id=job_id, status=status))
        return job_service_pb2.DeleteJobsResponse(results=results)
