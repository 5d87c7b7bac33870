"""The sender over the store in memory, a transport that answers as the test says, and a clock that the test turns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.delivery_policy import DeliveryPolicy
from ingest_server.domain.destination import Endpoint
from ingest_server.domain.errors import Exhausted
from ingest_server.domain.job import JobState
from ingest_server.domain.webhook import SigningKeys, parse_secret, signature
from ingest_server.scheduler.callbacks import CallbackLimits, CallbackSender, NoReply, Reply
from ingest_server.store import delivery_log
from ingest_server.store.memory import MemoryStore
from ingest_server.store.outbox import DeliveryRow, DeliveryStatus
from ingest_server.store.records import Verdict
from tests.contract.store.driver import FAILURE, SECOND, TENANT, Driver
from tests.fakes.clock import FakeClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TERMINAL = sum(1 << state for state in JobState if state.terminal)
ALL = sum(1 << state for state in JobState)


@dataclass
class FakeTransport:
    """Answers what the test has put there; `held` URLs wait until they are released."""

    answers: dict[str, list[Reply | Exception]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    closed: bool = False

    async def post(self, endpoint: Endpoint, headers: Mapping[str, str], content: bytes) -> Reply:
        self.calls.append((endpoint.url, dict(headers), content))
        self.running[endpoint.key] = self.running.get(endpoint.key, 0) + 1
        try:
            if endpoint.url in self.held:
                await self.held[endpoint.url].wait()
        finally:
            self.running[endpoint.key] -= 1
        answers = self.answers.get(endpoint.url, [])
        answer = answers.pop(0) if answers else Reply(200, 0.0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True

    def urls(self) -> list[str]:
        return [call[0] for call in self.calls]


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def delivery_attempted(self, outcome: str, seconds: float) -> None:
        self.outcomes.append(outcome)


@dataclass
class Rig:
    """All parts of a test."""

    clock: FakeClock
    driver: Driver
    transport: FakeTransport
    sender: CallbackSender
    observer: Observer

    async def end_job(self, *urls: str, states: int = TERMINAL, verdict: Verdict = Verdict.SUCCEEDED, **fields: Any) -> bytes:
        """Submit and run one job with these callbacks."""
        targets = tuple((url, url.split("/")[2] + ":443", states) for url in urls)
        self.driver.now = self.clock.now_us()
        (job_id,) = await self.driver.submit(callbacks=targets, **fields)
        await self.driver.run(verdict)
        await self.clock.settle()
        return job_id

    async def rows(self, job_id: bytes) -> list[DeliveryRow]:
        page = await self.driver.store.deliveries(TENANT, job_id, limit=100, from_number=0, now_us=self.clock.now_us())
        return list(page.rows)


POLICY = DeliveryPolicy(attempts_max=3, total_us=100 * SECOND, backoff_initial_us=10 * SECOND, backoff_max_us=40 * SECOND)


@asynccontextmanager
async def rig(
    *, concurrent: int = 8, per_host: int = 4, policy: DeliveryPolicy = POLICY, hosts: tuple[str, ...] = ("*",)
) -> AsyncIterator[Rig]:
    clock, store, transport, observer = FakeClock(), MemoryStore(), FakeTransport(), Observer()
    failures: list[BaseException] = []
    sender = CallbackSender(
        store,
        CallbackRules(hosts),
        SigningKeys([SECRET]),
        transport,
        clock,
        CallbackLimits(concurrent, per_host, policy),
        observer=observer,
        on_failure=failures.append,
        random=lambda: 0.0,
    )
    driver = Driver(store, clock.now_us())
    await store.open(clock.now_us())
    sender.start()
    try:
        yield Rig(clock, driver, transport, sender, observer)
    finally:
        await sender.drain(0.0)
        await store.close()
    assert failures == []


async def test_an_answer_other_than_success_is_tried_again_with_growing_waits_then_given_up() -> None:
    async with rig() as r:
        r.transport.answers["https://a/"] = [Reply(500, 0.0), NoReply("no connection: refused"), Reply(302, 0.0)]
        job_id = await r.end_job("https://a/")
        assert len(r.transport.calls) == 1
        await r.clock.advance(9.9)
        assert len(r.transport.calls) == 1
        await r.clock.advance(0.2)
        assert len(r.transport.calls) == 2
        await r.clock.advance(20)
        assert len(r.transport.calls) == 3
        (row,) = await r.rows(job_id)
        log = [(attempt.http_status, attempt.error) for attempt in delivery_log.decode(row.log)]
        assert log == [(500, ""), (0, "no connection: refused"), (302, "")]
        assert (row.status, row.end_us) == (DeliveryStatus.FAILED, row.begin_us + 30 * SECOND)
        assert r.observer.outcomes == ["retried", "retried", "failed"]
        await r.clock.advance(1_000)
        assert len(r.transport.calls) == 3


async def test_every_attempt_sends_the_same_id_and_body_and_a_signature_of_its_own_time() -> None:
    async with rig() as r:
        r.transport.answers["https://a/"] = [Reply(503, 0.0)]
        await r.end_job("https://a/", verdict=Verdict.FAILED, labels=(("k", "v"),))
        await r.clock.advance(10)
        (_, first, content), (_, second, again) = r.transport.calls
        assert first["webhook-id"] == second["webhook-id"]
        assert content == again
        assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 10
        for headers in (first, second):
            stamp = int(headers["webhook-timestamp"])
            assert headers["webhook-signature"] == signature(parse_secret(SECRET), headers["webhook-id"], stamp, content)
        message = json.loads(content)
        assert (message["type"], message["timestamp"]) == ("job.failed", "2026-01-01T00:00:00.000000Z")
        data = message["data"]
        assert (data["state"], data["attempt"], data["labels"]) == ("JOB_STATE_FAILED", 1, {"k": "v"})
        assert data["error"]["code"] == json.loads(FAILURE)[0]
        assert data["error"]["details"][0]["reason"] == "HANDLER_ERROR"


async def test_a_receiver_may_ask_for_a_longer_wait() -> None:
    async with rig() as r:
        r.transport.answers["https://a/"] = [Reply(429, 50.0)]
        await r.end_job("https://a/")
        await r.clock.advance(49)
        assert len(r.transport.calls) == 1
        await r.clock.advance(2)
        assert len(r.transport.calls) == 2


async def test_time_ends_a_delivery_before_its_attempts_do() -> None:
    async with rig(policy=DeliveryPolicy(100, 25 * SECOND, 10 * SECOND, 10 * SECOND)) as r:
        r.transport.answers["https://a/"] = [Reply(500, 0.0)] * 100
        job_id = await r.end_job("https://a/")
        await r.clock.advance(1_000)
        assert len(r.transport.calls) == 3
        assert [row.status for row in await r.rows(job_id)] == [DeliveryStatus.FAILED]


async def test_410_ends_the_line_and_only_that() -> None:
    async with rig() as r:
        r.transport.answers["https://a/"] = [Reply(410, 0.0)]
        job_id = await r.end_job("https://a/", "https://b/", states=ALL)
        assert r.transport.urls().count("https://a/") == 1
        assert r.transport.urls().count("https://b/") == 3
        gone = [row.status for row in await r.rows(job_id) if row.url == "https://a/"]
        assert gone == [DeliveryStatus.GONE] * 3


async def test_states_of_a_job_arrive_in_order_even_when_the_first_is_retried() -> None:
    async with rig() as r:
        r.transport.answers["https://a/"] = [Reply(500, 0.0), Reply(500, 0.0)]
        await r.end_job("https://a/", states=ALL)
        await r.clock.advance(100)
        types = [json.loads(call[2])["type"] for call in r.transport.calls]
        assert types == ["job.queued"] * 3 + ["job.running", "job.succeeded"]


async def test_a_slow_host_holds_up_no_other() -> None:
    async with rig(concurrent=6, per_host=2) as r:
        r.transport.held["https://slow/"] = asyncio.Event()
        for _ in range(20):
            await r.end_job("https://slow/")
        for _ in range(5):
            await r.end_job("https://quick/")
        assert r.transport.running["slow:443"] == 2
        assert r.transport.urls().count("https://quick/") == 5
        assert r.sender.running_count() == 2
        r.transport.held["https://slow/"].set()
        await r.clock.settle()
        assert r.transport.urls().count("https://slow/") == 20


async def test_calls_under_way_are_bounded_in_all() -> None:
    async with rig(concurrent=3, per_host=2) as r:
        for host in "abcdef":
            r.transport.held[f"https://{host}/"] = asyncio.Event()
            await r.end_job(f"https://{host}/")
        assert sum(r.transport.running.values()) == 3
        for event in r.transport.held.values():
            event.set()
        await r.clock.settle()
        assert sorted(r.transport.urls()) == [f"https://{host}/" for host in "abcdef"]


async def test_a_host_that_is_no_longer_allowed_is_a_failed_attempt() -> None:
    async with rig(hosts=("other.example",)) as r:
        job_id = await r.end_job("https://a/")
        assert r.transport.calls == []
        (row,) = await r.rows(job_id)
        assert row.status is DeliveryStatus.PENDING
        assert "allow-list" in delivery_log.decode(row.log)[0].error
        await r.clock.advance(100)
        assert [each.status for each in await r.rows(job_id)] == [DeliveryStatus.FAILED]


async def test_a_fault_of_ours_costs_one_attempt_and_not_the_server() -> None:
    async with rig() as r:
        r.transport.answers["https://a/"] = [RuntimeError("a bug"), Reply(200, 0.0)]
        job_id = await r.end_job("https://a/")
        await r.clock.advance(10)
        (row,) = await r.rows(job_id)
        assert [attempt.error for attempt in delivery_log.decode(row.log)] == ["a fault of the server: RuntimeError", ""]
        assert row.status is DeliveryStatus.DELIVERED


async def test_what_is_sent_again_by_hand_goes_at_once() -> None:
    async with rig() as r:
        r.transport.answers["https://a/"] = [Reply(500, 0.0)] * 3
        job_id = await r.end_job("https://a/")
        await r.clock.advance(100)
        await r.driver.store.redeliver(TENANT, job_id, [], 10, r.clock.now_us())
        await r.clock.settle()
        assert len(r.transport.calls) == 4
        assert len({call[1]["webhook-id"] for call in r.transport.calls}) == 1
        assert [row.status for row in await r.rows(job_id)] == [DeliveryStatus.DELIVERED]


async def test_a_drain_lets_calls_end_and_gives_the_others_back() -> None:
    async with rig() as r:
        for host in ("quick", "stuck"):
            r.transport.held[f"https://{host}/"] = asyncio.Event()
        quick, stuck = await r.end_job("https://quick/"), await r.end_job("https://stuck/")
        draining = asyncio.ensure_future(r.sender.drain(60.0))
        await r.clock.settle()
        late = await r.end_job("https://late/")
        r.transport.held["https://quick/"].set()
        await r.clock.settle()
        assert not draining.done()
        await r.sender.drain(0.0)  # the second signal
        await draining
        assert r.transport.closed
        states = [(await r.rows(job_id))[0].status for job_id in (quick, stuck, late)]
        assert states == [DeliveryStatus.DELIVERED, DeliveryStatus.PENDING, DeliveryStatus.PENDING]
        assert (await r.rows(stuck))[0].tries == 0
        assert "https://late/" not in r.transport.urls()


async def test_a_full_disk_delays_the_record_and_sends_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig() as r:
        record, left = r.driver.store.record_deliveries, [Exhausted("full", retry_after_seconds=5.0)] * 2

        async def refuse(*arguments: Any) -> Any:
            if left:
                raise left.pop()
            return await record(*arguments)

        monkeypatch.setattr(r.driver.store, "record_deliveries", refuse)
        job_id = await r.end_job("https://a/")
        await r.end_job("https://b/")
        await r.clock.advance(11)
        assert r.transport.urls().count("https://a/") == 1
        assert [row.status for row in await r.rows(job_id)] == [DeliveryStatus.DELIVERED]


async def test_what_ends_while_the_outbox_is_read_is_not_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig() as r:
        due, read, go = r.driver.store.due_deliveries, asyncio.Event(), asyncio.Event()
        r.transport.held["https://a/"] = asyncio.Event()
        await r.end_job("https://a/")

        async def slow(*arguments: Any) -> Any:
            page = await due(*arguments)
            read.set()
            await go.wait()
            return page

        monkeypatch.setattr(r.driver.store, "due_deliveries", slow)
        await r.end_job("https://b/")
        await read.wait()
        r.transport.held["https://a/"].set()
        await r.clock.settle()
        go.set()
        await r.clock.settle()
        assert r.transport.urls() == ["https://a/", "https://b/"]
        assert r.observer.outcomes == ["delivered"] * 2


async def test_a_store_that_cannot_be_asked_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig() as r:
        due, left = r.driver.store.due_deliveries, [Exhausted("busy", retry_after_seconds=0.1)]

        async def refuse(*arguments: Any) -> Any:
            if left:
                raise left.pop()
            return await due(*arguments)

        monkeypatch.setattr(r.driver.store, "due_deliveries", refuse)
        await r.end_job("https://a/")
        await r.clock.advance(1)
        assert r.transport.urls() == ["https://a/"]


async def test_a_wall_clock_set_forward_is_noticed_within_a_minute() -> None:
    async with rig(policy=DeliveryPolicy(9, 10_000 * SECOND, 3_600 * SECOND, 3_600 * SECOND)) as r:
        r.transport.answers["https://a/"] = [Reply(500, 0.0)]
        await r.end_job("https://a/")
        r.clock.jump_wall(3_600)
        await r.clock.advance(61)
        assert len(r.transport.calls) == 2


async def test_changed_keys_sign_from_the_next_attempt_on() -> None:
    other = "whsec_" + "A" * 32
    async with rig() as parts:
        await parts.end_job("https://one.example/a")
        parts.sender.use_keys(SigningKeys([SECRET, other]))
        await parts.end_job("https://one.example/b")
        old, new = (headers for _, headers, _ in parts.transport.calls)
        body = parts.transport.calls[1][2]
        stamp = int(new["webhook-timestamp"])
        assert len(old["webhook-signature"].split()) == 1
        assert new["webhook-signature"].split() == [
            signature(parse_secret(secret), new["webhook-id"], stamp, body) for secret in (SECRET, other)
        ]
