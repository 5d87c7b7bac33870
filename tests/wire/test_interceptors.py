"""What stands around every call: barrier, admission, deadline, authentication, drain gate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import pytest

from ingest.v1 import job_service_pb2 as pb
from ingest.v1 import queue_service_pb2 as queues
from ingest_server.auth.interface import Authenticator, PeerCertificate
from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import SystemClock
from ingest_server.domain.errors import Code, Denied, InternalError
from ingest_server.store.records import JobPage
from ingest_server.wire.calls import Method
from ingest_server.wire.interceptors.call_record import CallRecord
from ingest_server.wire.interceptors.crash_barrier import CrashBarrier
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults, WireLimits
from ingest_server.wire.server import WireServer
from ingest_server.wire.transport import Listener
from tests.fakes.use_cases import FakeHandlers, FakeUseCases
from tests.wire.conftest import JOB, Running, refusal

GET = pb.GetJobRequest(job_id=JOB)
LIST_QUEUES = queues.ListQueuesRequest()


class Recorder:
    """Notes what calls an observer is told of."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[tuple[str, str, str]] = []

    def call_started(self, method: Method) -> None:
        self.started.append(method.name)

    def call_ended(self, method: Method, code: Code, seconds: float, reason: str) -> None:
        self.ended.append((method.name, code.name, reason))
        assert seconds >= 0


class ByToken(Authenticator):
    """Knows everybody who names a tenant."""

    def authenticate(self, metadata: Mapping[str, str], peer_certificate: PeerCertificate | None) -> Caller:
        assert peer_certificate is None
        if "authorization" not in metadata:
            raise Denied("a bearer token is missing")
        return Caller(tenant=metadata["authorization"].removeprefix("Bearer "))


@asynccontextmanager
async def served(**parts: Any) -> AsyncIterator[Running]:
    """A server with parts of its own."""
    fake = FakeUseCases()
    configuration = LiveConfiguration(WireLimits(), SpecDefaults(), FakeHandlers())
    authenticator = parts.pop("authenticator", ByToken())
    server = WireServer(fake.use_cases(), authenticator, configuration, [Listener("127.0.0.1:0")], **parts)
    address = await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Running(server, address, channel, fake, configuration)
    finally:
        await server.stop(0)


# ---------------------------------------------------------------------------------------------------------------------- barrier


async def test_a_caller_that_vanishes_in_the_middle_of_a_write_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    class NotYetDone:
        def done(self) -> bool:
            return False

    async def write(_request: Any, _context: Any) -> bytes | None:
        raise grpc.aio.InternalError("a write found the call ended")

    recorder = Recorder()
    method = Method("ingest.v1.JobService", "WatchJobs", response_streaming=True)
    guarded = CrashBarrier().wrap(method, CallRecord(recorder, SystemClock()).wrap(method, write))
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        await guarded(None, cast("Any", NotYetDone()))
    assert [code for _, code, _ in recorder.ended] == ["CANCELLED"]
    assert not caplog.records


async def test_an_unexpected_exception_shows_an_id_and_nothing_else(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    running.fake.answers["get"] = RuntimeError("the password is 1234")
    error = await refusal(running.GetJob(GET))
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "1234" not in error.message
    assert error.metadata["error_id"] in caplog.text
    assert "the password is 1234" in caplog.text  # the traceback is in the log


async def test_the_private_cause_of_an_internal_error_goes_to_the_log(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    fault = InternalError("a fault of the server")
    fault.__cause__ = ValueError("private")
    running.fake.answers["get"] = fault
    error = await refusal(running.GetJob(GET))
    assert error.message == "a fault of the server"
    assert "private" in caplog.text


async def test_a_cancelled_call_stays_cancelled(running: Running) -> None:
    running.fake.hold["get"] = asyncio.Event()
    call = running.GetJob(GET)
    await running.fake.entered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    running.fake.hold.clear()
    assert (await running.GetJob(GET)).job.job_id


async def test_a_fault_after_the_first_message_still_has_its_details(running: Running) -> None:
    running.fake.batches = [RuntimeError("boom")]
    assert (await refusal(running.WatchJobs(pb.WatchJobsRequest()))).reason == "INTERNAL"


# -------------------------------------------------------------------------------------------------------------------- admission


async def test_overload_is_refused_at_once_with_a_hint(running: Running) -> None:
    running.limit(concurrent_calls_max=1, overload_retry_seconds=0.25)
    running.fake.hold["get"] = asyncio.Event()
    first = running.GetJob(GET)
    await running.fake.entered.wait()
    error = await refusal(running.ListQueues(LIST_QUEUES))
    assert (error.code, error.reason, error.retry_seconds) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", 0.25)
    running.fake.hold["get"].set()
    await first
    await running.ListQueues(LIST_QUEUES)


async def test_streams_are_counted_apart(running: Running) -> None:
    running.limit(streams_max=1, concurrent_calls_max=1)
    running.fake.stays = True
    stream = running.WatchJobs(pb.WatchJobsRequest())
    reading = asyncio.ensure_future(stream.read())
    await running.fake.entered.wait()
    assert (await refusal(running.WatchJobs(pb.WatchJobsRequest()))).reason == "OVERLOADED"
    await running.ListQueues(LIST_QUEUES)
    stream.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_a_tenant_cannot_shut_out_another() -> None:
    async with served() as running:
        running.limit(concurrent_calls_per_tenant_max=1)
        running.fake.hold["get"] = asyncio.Event()
        first = running.GetJob(GET, metadata=(("authorization", "Bearer a"),))
        await running.fake.entered.wait()
        error = await refusal(running.ListQueues(LIST_QUEUES, metadata=(("authorization", "Bearer a"),)))
        assert error.reason == "OVERLOADED"
        assert "of tenant a" in error.message
        await running.ListQueues(LIST_QUEUES, metadata=(("authorization", "Bearer b"),))
        running.fake.hold["get"].set()
        await first
        await running.ListQueues(LIST_QUEUES, metadata=(("authorization", "Bearer a"),))


# --------------------------------------------------------------------------------------------------------------- authentication


async def test_the_caller_comes_from_the_credentials() -> None:
    async with served() as running:
        error = await refusal(running.GetJob(GET))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
        assert running.fake.calls == []
        await asyncio.gather(*(running.GetJob(GET, metadata=(("authorization", f"Bearer t{number}"),)) for number in range(20)))
        assert {caller.tenant for _, caller, _ in running.fake.calls} == {f"t{number}" for number in range(20)}


async def test_a_token_of_another_tenant_is_refused() -> None:
    async with served() as running:
        running.fake.answers["list"] = JobPage([], 9, 9)
        listed = await running.ListJobs(pb.ListJobsRequest(), metadata=(("authorization", "Bearer a"),))
        for field, rpc, request in (
            ("page_token", "ListJobs", pb.ListJobsRequest(page_token=listed.next_page_token)),
            ("resume_token", "WatchJobs", pb.WatchJobsRequest(resume_token=listed.watch_token)),
        ):
            error = await refusal(getattr(running, rpc)(request, metadata=(("authorization", "Bearer b"),)))
            assert field in error.fields


# --------------------------------------------------------------------------------------------------------------------- deadline


async def test_a_call_without_a_deadline_gets_ours(running: Running) -> None:
    running.limit(call_seconds_max=0.01)
    running.fake.hold["get"] = asyncio.Event()
    error = await refusal(running.GetJob(GET))
    assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


async def test_a_timeout_inside_a_use_case_is_not_taken_for_the_deadline(running: Running) -> None:
    running.fake.answers["get"] = TimeoutError("of something else")
    assert (await refusal(running.GetJob(GET))).code is grpc.StatusCode.INTERNAL


# -------------------------------------------------------------------------------------------------------------------- drain gate


async def test_a_drain_waits_for_short_calls_and_refuses_new_ones(running: Running) -> None:
    running.fake.hold["get"] = asyncio.Event()
    call = running.GetJob(GET)
    await running.fake.entered.wait()
    drain = asyncio.create_task(running.server.drain(60))
    error = await refusal(running.ListQueues(LIST_QUEUES))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert error.retry_seconds
    assert not drain.done()
    running.fake.hold["get"].set()
    assert (await call).job.job_id
    assert await drain


async def test_a_drain_does_not_wait_for_streams_and_waiting_calls(running: Running) -> None:
    running.fake.stays = True
    running.fake.hold["run"] = asyncio.Event()
    stream = running.WatchJobs(pb.WatchJobsRequest())
    reading = asyncio.ensure_future(stream.read())
    await running.fake.entered.wait()
    running.fake.entered.clear()
    job = pb.RunJobRequest()
    job.job.tasks.add().custom.handler = "echo"
    run = running.RunJob(job)
    await running.fake.entered.wait()
    assert await running.server.drain(60)
    assert (await refusal(running.RunJob(job))).reason == "SHUTTING_DOWN"
    running.fake.hold["run"].set()
    assert (await run).job.job_id  # what was admitted is answered
    stream.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_a_drain_gives_up_on_a_call_that_hangs_but_still_refuses(running: Running) -> None:
    running.fake.hold["get"] = asyncio.Event()
    call = running.GetJob(GET)
    await running.fake.entered.wait()
    assert not await running.server.drain(0.01)
    assert (await refusal(running.ListQueues(LIST_QUEUES))).reason == "SHUTTING_DOWN"
    running.fake.hold["get"].set()
    await call


async def test_a_reload_waits_for_calls_and_calls_for_a_reload(running: Running) -> None:
    running.fake.hold["get"] = asyncio.Event()
    call = running.GetJob(GET)
    await running.fake.entered.wait()
    order: list[str] = []
    reload = asyncio.create_task(running.server.reconfigure(lambda _: order.append("reload")))
    await asyncio.sleep(0)

    def list_queues() -> list[object]:
        order.append("call")
        return []

    running.fake.answers["list_queues"] = list_queues
    second = asyncio.ensure_future(running.ListQueues(LIST_QUEUES))
    running.fake.hold["get"].set()
    await asyncio.gather(call, reload, second)
    assert order == ["reload", "call"]


# ----------------------------------------------------------------------------------------------------------------------- record


async def test_every_call_is_recorded_once(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    caplog.set_level(logging.DEBUG, logger="ingest_server.wire")
    metadata = (("authorization", "Bearer a"),)
    async with served(observer=recorder) as running:
        await running.GetJob(GET, metadata=metadata)
        await refusal(running.GetJob(GET))
        await refusal(running.GetJob(pb.GetJobRequest(job_id="x"), metadata=metadata))
        running.fake.answers["get"] = RuntimeError("boom")
        await refusal(running.GetJob(GET, metadata=metadata))
    assert recorder.started == ["GetJob"] * 4
    assert [(code, reason) for _, code, reason in recorder.ended] == [
        ("OK", ""),
        ("UNAUTHENTICATED", "UNAUTHENTICATED"),
        ("INVALID_ARGUMENT", "INVALID_FIELD"),
        ("INTERNAL", "INTERNAL"),
    ]
    assert "/ingest.v1.JobService/GetJob for a/anonymous ended with INVALID_ARGUMENT" in caplog.text


async def test_a_failed_call_is_logged_with_the_id_its_caller_gave_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="ingest_server.wire")
    async with served() as running:
        request = pb.GetJobRequest(job_id="x")
        await refusal(running.GetJob(request, metadata=(("authorization", "Bearer a"), ("x-request-id", "id-7"))))
        await refusal(running.GetJob(request, metadata=(("authorization", "Bearer a"), ("x-request-id", "y" * 1_000))))
    assert "GetJob for a/anonymous (request id-7) ended with INVALID_ARGUMENT" in caplog.text
    assert "y" * 129 not in caplog.text
