"""Callbacks on the wire: what a job may ask for, and the deliveries' own RPCs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from ingest.v1 import delivery_pb2, job_pb2
from ingest.v1 import job_service_pb2 as pb
from ingest_server.auth.open import OpenAuthenticator
from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.errors import NotFound, Unsupported
from ingest_server.domain.job import JobState
from ingest_server.domain.webhook import message_id
from ingest_server.store import delivery_log
from ingest_server.store.outbox import DeliveryAttempt, DeliveryPage, DeliveryRow, DeliveryStatus
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults, WireLimits
from ingest_server.wire.parse_callbacks import read_callbacks
from ingest_server.wire.server import WireServer
from ingest_server.wire.transport import Listener
from ingest_server.wire.uuid_text import format_uuid, parse_uuid
from tests.fakes.use_cases import BATCH_ID, FakeHandlers, FakeUseCases
from tests.wire.conftest import JOB, Running, refusal, take_apart

URL = "https://hooks.example.com/a"
JOB_ID = parse_uuid(JOB)
TERMINAL = sum(1 << state for state in JobState if state.terminal)


@asynccontextmanager
async def allowing(*hosts: str, networks: tuple[str, ...] = ()) -> AsyncIterator[Running]:
    """A server that delivers callbacks."""
    fake = FakeUseCases()
    configuration = LiveConfiguration(WireLimits(), SpecDefaults(), FakeHandlers(), CallbackRules(hosts, networks))
    server = WireServer(fake.use_cases(), OpenAuthenticator(), configuration, [Listener("127.0.0.1:0")])
    address = await server.start()
    server.set_ready(True)
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Running(server, address, channel, fake, configuration)
    finally:
        await server.stop(0)


def spec(*callbacks: job_pb2.Callback) -> job_pb2.JobSpec:
    made = job_pb2.JobSpec(callbacks=callbacks)
    made.tasks.add().custom.handler = "echo"
    return made


def callback(url: str = URL, *events: Any) -> job_pb2.Callback:
    return job_pb2.Callback(url=url, events=events)


@pytest.mark.parametrize(
    ("callbacks", "field", "words"),
    [
        ([callback("")], "callbacks[0].url", "absolute http or https URL"),
        ([callback("ftp://hooks.example.com/")], "callbacks[0].url", "absolute http or https URL"),
        ([callback(URL), callback("https://evil.example/")], "callbacks[1].url", "allow-list"),
        ([callback("http://hooks.example.com/a")], "callbacks[0].url", "allow-list"),
        ([callback("https://hooks.example.com:8443/a")], "callbacks[0].url", "allow-list"),
        ([callback("https://10.0.0.1/")], "callbacks[0].url", "callback_networks"),
        ([callback("https://[::ffff:10.0.0.1]/")], "callbacks[0].url", "callback_networks"),
        ([callback("https://a:b@hooks.example.com/")], "callbacks[0].url", "user name"),
        ([callback(URL), callback(URL, JobState.RUNNING)], "callbacks[1].url", "callbacks[0]"),
        ([callback(URL, 0)], "callbacks[0].events", "not 0"),
        ([callback(URL, JobState.FAILED, 9)], "callbacks[0].events", "not 9"),
        ([callback(f"{URL}/{number}") for number in range(9)], "callbacks", "at most 8 entries, not 9"),
    ],
)
async def test_what_a_job_may_not_ask_for(callbacks: list[job_pb2.Callback], field: str, words: str) -> None:
    async with allowing("hooks.example.com", "10.0.0.1", "[::ffff:10.0.0.1]") as running:
        response = await running.SubmitJobs(pb.SubmitJobsRequest(jobs=[spec(*callbacks)]))
    refused = take_apart(response.results[0].status)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "INVALID_FIELD"
    assert words in refused.fields[f"jobs[0].{field}"]


async def test_a_server_without_callbacks_says_so(running: Running) -> None:
    refused = await refusal(running.RunJob(pb.RunJobRequest(job=spec(callback()))))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED")
    assert refused.metadata == {"feature": "callbacks"}


async def test_allowed_callbacks_reach_the_store_with_their_states() -> None:
    asked = spec(callback(), callback("https://b.example.com:8443/", JobState.RUNNING, JobState.FAILED, JobState.FAILED))
    async with allowing("*.example.com:*") as running:
        await running.SubmitJobs(pb.SubmitJobsRequest(jobs=[asked, spec()]))
        command = running.fake.last["command"]
    with_callbacks, without = (command.policies[job[0]] for job in command.jobs)
    assert without.callbacks == ()
    assert with_callbacks.callbacks == (
        (URL, "hooks.example.com:443", TERMINAL),
        ("https://b.example.com:8443/", "b.example.com:8443", 1 << JobState.RUNNING | 1 << JobState.FAILED),
    )
    assert read_callbacks(with_callbacks.spec) == with_callbacks.callbacks


def row(number: int, status: DeliveryStatus, *attempts: DeliveryAttempt, **fields: Any) -> DeliveryRow:
    log = ""
    for attempt in attempts:
        log = delivery_log.append(log, attempt)
    values: dict[str, Any] = {
        "number": number, "job_id": JOB_ID, "batch_id": BATCH_ID, "tenant": "default", "labels": (), "url": URL,
        "host": "hooks.example.com:443", "status": status, "state": JobState.SUCCEEDED, "job_attempt": 1, "event_us": 1_500_000,
        "failure": b"", "tries": len(attempts), "begin_us": 1, "due_us": 0, "end_us": 0, "log": log,
    }  # fmt: skip
    return DeliveryRow(**(values | fields))


async def test_deliveries_are_told_with_every_attempt(running: Running) -> None:
    failed, good = DeliveryAttempt(2_000_000, 250_000, 0, "no connection: refused"), DeliveryAttempt(3_000_000, 5, 200, "")
    rows = [
        row(8, DeliveryStatus.DELIVERED, failed, good, end_us=4_000_000),
        row(16, DeliveryStatus.PENDING, due_us=9_000_000),
        row(24, DeliveryStatus.WAITING),
        row(32, DeliveryStatus.FAILED, end_us=1),
        row(40, DeliveryStatus.GONE, end_us=1),
    ]
    running.fake.answers["list_deliveries"] = DeliveryPage(rows, 48)
    response = await running.ListDeliveries(pb.ListDeliveriesRequest(job_id=JOB))
    first, second = response.deliveries[:2]
    assert [delivery_pb2.DeliveryState.Name(each.state)[15:] for each in response.deliveries] == [
        "DELIVERED", "PENDING", "WAITING", "FAILED", "GONE",
    ]  # fmt: skip
    assert (first.delivery_id, first.url, first.event) == (message_id(JOB_ID, 8), URL, job_pb2.JOB_STATE_SUCCEEDED)
    assert (first.event_time.ToMilliseconds(), first.end_time.ToSeconds()) == (1_500, 4)
    assert [(each.http_status, each.error, each.duration.ToMicroseconds()) for each in first.attempts] == [
        (0, "no connection: refused", 250_000), (200, "", 5),
    ]  # fmt: skip
    assert not first.HasField("next_attempt_time")
    assert second.next_attempt_time.ToSeconds() == 9
    assert not second.HasField("end_time")

    await running.ListDeliveries(pb.ListDeliveriesRequest(job_id=JOB, page_token=response.next_page_token, page_size=7))
    assert (running.fake.last["from_number"], running.fake.last["page_size"]) == (48, 7)


async def test_a_page_ends_before_it_grows_too_large(running: Running) -> None:
    running.limit(response_bytes_max=1_000)
    errors = [DeliveryAttempt(1, 1, 0, "x" * 300)] * 2
    running.fake.answers["list_deliveries"] = DeliveryPage([row(number, DeliveryStatus.FAILED, *errors) for number in (8, 16)], 0)
    response = await running.ListDeliveries(pb.ListDeliveriesRequest(job_id=JOB))
    assert len(response.deliveries) == 1
    await running.ListDeliveries(pb.ListDeliveriesRequest(job_id=JOB, page_token=response.next_page_token))
    assert running.fake.last["from_number"] == 16


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"job_id": ""}, "job_id"), ({"job_id": "x"}, "job_id"), ({"page_size": 101}, "page_size"), ({"page_size": -1}, "page_size"),
     ({"page_token": "x"}, "page_token")],
)  # fmt: skip
async def test_a_wrong_list_is_refused(running: Running, fields: dict[str, Any], field: str) -> None:
    refused = await refusal(running.ListDeliveries(pb.ListDeliveriesRequest(**({"job_id": JOB} | fields))))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in refused.fields


async def test_a_token_is_of_one_job(running: Running) -> None:
    running.fake.answers["list_deliveries"] = DeliveryPage([row(8, DeliveryStatus.PENDING)], 16)
    token = (await running.ListDeliveries(pb.ListDeliveriesRequest(job_id=JOB))).next_page_token
    other = format_uuid(bytes(16))
    refused = await refusal(running.ListDeliveries(pb.ListDeliveriesRequest(job_id=other, page_token=token)))
    assert refused.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(
    ("ids", "field"),
    [
        (["x"], "delivery_ids[0]"),
        ([message_id(JOB_ID, 8), message_id(bytes(16), 8)], "delivery_ids[1]"),
        ([message_id(JOB_ID, 8)] * 101, ""),
    ],
)
async def test_wrong_ids_are_refused(running: Running, ids: list[str], field: str) -> None:
    refused = await refusal(running.RedeliverCallbacks(pb.RedeliverCallbacksRequest(job_id=JOB, delivery_ids=ids)))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert not field or field in refused.fields


async def test_deliveries_are_sent_again(running: Running) -> None:
    ids = [message_id(JOB_ID, 8), message_id(JOB_ID, 1 << 40)]
    response = await running.RedeliverCallbacks(pb.RedeliverCallbacksRequest(job_id=JOB, delivery_ids=ids))
    assert list(response.delivery_ids) == ids
    assert running.fake.last == {"job_id": JOB_ID, "numbers": [8, 1 << 40]}
    running.fake.answers["redeliver"] = NotFound("no job")
    refused = await refusal(running.RedeliverCallbacks(pb.RedeliverCallbacksRequest(job_id=JOB)))
    assert refused.code is grpc.StatusCode.NOT_FOUND
    running.fake.answers["redeliver"] = Unsupported("off", metadata={"feature": "callbacks"})
    refused = await refusal(running.RedeliverCallbacks(pb.RedeliverCallbacksRequest(job_id=JOB)))
    assert refused.reason == "NOT_SUPPORTED"
