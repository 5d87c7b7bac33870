"""Sends what the outbox owes: deliveries that are due, some at a time, each until it ends.

outbox → due → call the receiver → judge → record in the outbox → next

Nothing is held here that the store does not have: a sender that ends, however it ends, leaves its deliveries due, and the next
one sends them again with the same id. So a receiver may be told twice, never not at all.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.clock import MICROSECONDS_PER_SECOND, Clock
from ingest_server.domain.delivery_policy import Answer, DeliveryPolicy, read_status
from ingest_server.domain.destination import Endpoint
from ingest_server.domain.errors import IngestError
from ingest_server.domain.ids import uuid_text
from ingest_server.domain.webhook import SigningKeys, message_id
from ingest_server.scheduler.callback_message import body
from ingest_server.store.interface import JobStore
from ingest_server.store.outbox import DeliveryAttempt, DeliveryResult, DeliveryRow, DeliveryStatus
from ingest_server.store.records import Changes

log = logging.getLogger(__name__)

STORE_RETRY_SECONDS = 0.5
"""Wait after the store could not be asked or refused to record."""
LOOK_SECONDS_MAX = 60.0
"""Due times are wall time, waiting is not: a wall clock that was set is noticed after so long."""


class Reply(NamedTuple):
    """A receiver's answer: its status, and the seconds of Retry-After (0: none)."""

    http_status: int
    retry_after_seconds: float


class NoReply(Exception):
    """The receiver could not be reached, did not answer in time, or must not be called. The text tells why, without the URL."""


class Transport(Protocol):
    """Makes one HTTP call."""

    async def post(self, endpoint: Endpoint, headers: Mapping[str, str], content: bytes) -> Reply:
        """POST once: no redirect followed, no address connected to that the rules refuse. Raises NoReply."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class NoTransport:
    """Stands where callbacks are off: the rules let no URL through, so nothing comes here."""

    async def post(self, endpoint: Endpoint, headers: Mapping[str, str], content: bytes) -> Reply:
        """See `Transport.post`."""
        raise NoReply("not called: callbacks are off")

    async def close(self) -> None:
        """See `Transport.close`."""


class DeliveryObserver(Protocol):
    """Counts attempts."""

    def delivery_attempted(self, outcome: str, seconds: float) -> None:
        """One attempt ended: delivered, retried, failed or gone."""
        ...


@dataclass(frozen=True, slots=True)
class CallbackLimits:
    """Bounds of the sender.

    Attributes:
        concurrent_max, concurrent_per_host_max: calls under way at once, in all and to one host and port.
        policy: how often and how long a delivery is tried.
    """

    concurrent_max: int
    concurrent_per_host_max: int
    policy: DeliveryPolicy


class CallbackSender:
    """The part that delivers callbacks. With rules that allow no host it calls nobody, and notes that as a failed attempt.

    Args:
        store: open, or to be opened after this was made (it subscribes to its changes).
        rules: where callbacks may go.
        keys: what signs them.
        transport: what calls.
        observer: told of each attempt.
        on_failure: called if the loop ends by a fault; the server must end then.
        random: numbers in [0, 1) for the spread of waits.
    """

    def __init__(
        self,
        store: JobStore,
        rules: CallbackRules,
        keys: SigningKeys,
        transport: Transport,
        clock: Clock,
        limits: CallbackLimits,
        *,
        observer: DeliveryObserver,
        on_failure: Callable[[BaseException], None],
        random: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._rules = rules
        self._keys = keys
        self._transport = transport
        self._clock = clock
        self._limits = limits
        self._observer = observer
        self._on_failure = on_failure
        self._random = random
        self._wake = asyncio.Event()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._just_ended: set[int] = set()
        self._per_host: Counter[str] = Counter()
        self._last_host = ""
        self._loop_task: asyncio.Task[None] | None = None
        store.subscribe(self.on_changes)

    def on_changes(self, changes: Changes) -> None:
        """Listener of the store."""
        if changes.deliveries:
            self._wake.set()

    def start(self) -> None:
        """Begin to send. The store is open."""
        self._loop_task = asyncio.create_task(self._run(), name="callbacks")
        self._loop_task.add_done_callback(self._ended)

    def running_count(self) -> int:
        """Calls under way."""
        return len(self._running)

    def use_keys(self, keys: SigningKeys) -> None:
        """Sign with these from the next attempt on."""
        self._keys = keys

    async def drain(self, grace_seconds: float) -> None:
        """Begin no more calls, let those under way end within the grace time, and give up the others: they stay due.
        A second call with less grace cuts the first one short."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)
        if self._running and grace_seconds > 0:
            await asyncio.wait(self._running.values(), timeout=grace_seconds)
        left = list(self._running.values())
        if left:
            log.info("%d callbacks were under way at the end; they will be sent again", len(left))
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._transport.close()

    # ---- the loop

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait_seconds = await self._start_due()
            except IngestError as error:
                log.warning("looking for due callbacks failed, will be repeated: %s", error.message)
                wait_seconds = STORE_RETRY_SECONDS
            await self._wait(wait_seconds)

    async def _start_due(self) -> float | None:
        """Begin what may begin. Answers when to look again, in seconds; None: only when something changes."""
        room = self._limits.concurrent_max - len(self._running)
        if room <= 0:
            return None
        now_us = self._clock.now_us()
        # Those under way are answered again, and are the longest due of their hosts: so twice as many are asked for.
        per_host = 2 * self._limits.concurrent_per_host_max
        self._just_ended.clear()
        page = await self._store.due_deliveries(per_host, 2 * self._limits.concurrent_max, self._last_host, now_us)
        for row in page.rows:
            if room <= 0:
                break
            if row.number in self._running or row.number in self._just_ended:
                continue  # what ended while the page was read stands in it as it was before
            if self._per_host[row.host] >= self._limits.concurrent_per_host_max:
                continue
            self._begin(row)
            room -= 1
        if not page.next_due_us:
            return None
        return min((page.next_due_us - now_us) / MICROSECONDS_PER_SECOND, LOOK_SECONDS_MAX)

    def _begin(self, row: DeliveryRow) -> None:
        self._last_host = row.host
        self._per_host[row.host] += 1
        task = asyncio.create_task(self._deliver(row), name=f"callback {message_id(row.job_id, row.number)}")
        self._running[row.number] = task

        def ended(task: asyncio.Task[None]) -> None:
            del self._running[row.number]
            self._just_ended.add(row.number)
            self._per_host[row.host] -= 1
            if not self._per_host[row.host]:
                del self._per_host[row.host]
            self._wake.set()
            self._ended(task)

        task.add_done_callback(ended)

    async def _wait(self, seconds: float | None) -> None:
        """Until something changes, at most so long."""
        woken = asyncio.ensure_future(self._wake.wait())
        waits: set[asyncio.Future[Any]] = {woken}
        if seconds is not None:
            waits.add(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("%s ended by a fault", task.get_name(), exc_info=error)
            self._on_failure(error)

    # ---- one delivery

    async def _deliver(self, row: DeliveryRow) -> None:
        start_us, begin = self._clock.now_us(), self._clock.monotonic()
        reply, error = Reply(0, 0.0), ""
        try:
            reply = await self._post(row, start_us)
        except NoReply as failure:
            error = str(failure)
        except Exception as fault:
            # One delivery must not end the server, and again at each start.
            log.exception("callback of job %s could not be sent", uuid_text(row.job_id))
            error = f"a fault of the server: {type(fault).__name__}"
        seconds = self._clock.monotonic() - begin
        attempt = DeliveryAttempt(start_us, int(seconds * MICROSECONDS_PER_SECOND), reply.http_status, error)
        result = self._judge(row, attempt, reply.retry_after_seconds)
        self._tell(row, result, seconds)
        await self._record(result)

    async def _post(self, row: DeliveryRow, now_us: int) -> Reply:
        try:
            endpoint = self._rules.check_url(row.url)
        except ValueError as error:
            raise NoReply(f"not called: the url {error}") from None
        content = body(row)
        name = message_id(row.job_id, row.number)
        headers = self._keys.sign(row.tenant, name, now_us // MICROSECONDS_PER_SECOND, content)
        return await self._transport.post(endpoint, headers, content)

    def _judge(self, row: DeliveryRow, attempt: DeliveryAttempt, retry_after_seconds: float) -> DeliveryResult:
        """Decide what follows an attempt."""
        answer = read_status(attempt.http_status)
        if answer is Answer.DELIVERED:
            return row.number, row.tries, DeliveryStatus.DELIVERED, 0, attempt
        if answer is Answer.GONE:
            return row.number, row.tries, DeliveryStatus.GONE, 0, attempt
        due_us = self._limits.policy.next_us(row.tries + 1, row.begin_us, self._clock.now_us(), retry_after_seconds, self._random)
        if due_us is None:
            return row.number, row.tries, DeliveryStatus.FAILED, 0, attempt
        return row.number, row.tries, DeliveryStatus.PENDING, due_us, attempt

    def _tell(self, row: DeliveryRow, result: DeliveryResult, seconds: float) -> None:
        status, attempt = DeliveryStatus(result[2]), result[4]
        outcome = "retried" if status is DeliveryStatus.PENDING else status.name.lower()
        self._observer.delivery_attempted(outcome, seconds)
        level = logging.WARNING if status in (DeliveryStatus.FAILED, DeliveryStatus.GONE) else logging.DEBUG
        # The host, not the URL: its path and query may hold what only its owner should see.
        log.log(
            level,
            "callback of job %s (%s) to %s: %s after %d attempts (%s)",
            uuid_text(row.job_id),
            row.state.name,
            row.host,
            outcome,
            row.tries + 1,
            attempt.error or f"HTTP {attempt.http_status}",
        )

    async def _record(self, result: DeliveryResult) -> None:
        """Until the store takes it: what is not recorded would be sent again."""
        while True:
            try:
                await self._store.record_deliveries([result], self._clock.now_us())
                return
            except IngestError as error:
                log.warning("recording a callback failed, will be repeated: %s", error.message)
                await self._clock.sleep(error.retry_after_seconds or STORE_RETRY_SECONDS)
