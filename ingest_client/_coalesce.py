"""Single submits and waits of one client, joined into shared SubmitJobs calls and one watch stream.

A submit goes out at once when no call is under way; otherwise it waits for the call to return or for the linger to pass, and
goes with all that came meanwhile. That is Nagle's algorithm (RFC 896) with a bound on its delay. Results come from one
WatchJobs stream over a *session batch*, whose id this client makes up: all coalesced jobs of a while join it. After so many
jobs the next session begins, so that neither a batch nor a snapshot of it grows without bound.

Costs per job are a future and a dictionary entry; tasks, timers and calls are shared by a whole flush.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.v1 import job_service_pb2
from ingest_client import _methods
from ingest_client._blobs import Blobs
from ingest_client._channel import Channel
from ingest_client._prepare import encode_request
from ingest_client._session import Entry, Session
from ingest_client._strays import Strays
from ingest_client._watch import WatchSettings
from ingest_client.errors import ClientClosed, IngestClientError
from ingest_client.models import Limits
from ingest_client.result import JobResult

# What SubmitJobsRequest adds to its items: two UUIDs, their tags, and room to spare.
REQUEST_OVERHEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class CoalesceSettings:
    """Bounds of coalescing.

    Attributes:
        linger_seconds: longest wait for company while a call is under way.
        calls_max: SubmitJobs calls under way at once; while so many are, submits wait beyond the linger.
        pending_max: submits that wait; more callers are held back until there is room.
        session_jobs_max: jobs of one session batch.
        sessions_max: sessions watched at once; the jobs that an older one still waits for are then asked for by id.
    """

    linger_seconds: float = 0.002
    calls_max: int = 4
    pending_max: int = 100_000
    session_jobs_max: int = 20_000
    sessions_max: int = 4


class Coalescer:
    """Joins the single submits of one client. Used from one event loop."""

    def __init__(
        self,
        channel: Channel,
        blobs: Blobs,
        limits: Limits,
        watch: WatchSettings,
        settings: CoalesceSettings,
    ) -> None:
        self._channel = channel
        self._blobs = blobs
        self._watch = watch
        self._settings = settings
        self._items_max = min(limits.submit_items_max, settings.session_jobs_max)
        self._bytes_max = limits.message_bytes_max - REQUEST_OVERHEAD_BYTES
        self._loop = asyncio.get_running_loop()
        self._pending: deque[Entry] = deque()
        self._pending_bytes = 0
        self._room: asyncio.Event = asyncio.Event()
        self._timer: asyncio.Handle | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._session = self._new_session()
        self._retired: list[Session] = []
        self._strays = Strays(channel, blobs, limits)
        self._closed = False

    async def submit(self, encoded: bytes) -> Entry:
        """Submit one encoded item (`Prepared.encode`) and return when it is accepted.

        Raises:
            IngestClientError: it was refused, or the call failed.
        """
        await self._make_room()
        entry = Entry(encoded)
        entry.ack = self._loop.create_future()
        self._enqueue(entry)
        await entry.ack
        return entry

    async def run(self, encoded: bytes) -> JobResult:
        """Submit one encoded item and return its terminal result.

        Raises:
            IngestClientError: it was refused, or the call failed, or the watch did.
        """
        if len(self._pending) >= self._settings.pending_max:
            await self._make_room()
        entry = Entry(encoded)
        entry.result = self._loop.create_future()
        self._enqueue(entry)
        return await entry.result

    async def result(self, entry: Entry) -> JobResult:
        """Wait for the end of a job that `submit` accepted. Any number of callers may wait for the same one."""
        if entry.outcome is not None:
            return entry.outcome
        if entry.result is None or entry.result.done():
            entry.result = self._loop.create_future()
            session = entry.session
            if self._closed:
                raise ClientClosed("the client is closed; make a new one and fetch the job by its id")
            if session is None or not session.watch():
                self._strays.add(entry)
        return await asyncio.shield(entry.result)

    async def close(self) -> None:
        """Stop all: whoever waits gets ClientClosed. Accepted jobs go on. May be called again."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        error = ClientClosed("the client was closed while the call waited; the job may have been accepted")
        while self._pending:
            self._pending.popleft().fail(error)
        self._room.set()
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for session in (self._session, *self._retired):
            await session.stop(error)
        await self._strays.close(error)

    async def _make_room(self) -> None:
        while len(self._pending) >= self._settings.pending_max and not self._closed:
            self._room.clear()
            await self._room.wait()

    def _enqueue(self, entry: Entry) -> None:
        if self._closed:
            raise ClientClosed("the client is closed; make a new one")
        self._pending.append(entry)
        self._pending_bytes += len(entry.encoded)
        calls = len(self._calls)
        if calls >= self._settings.calls_max:
            return  # a call that returns takes it along
        if len(self._pending) >= self._items_max or self._pending_bytes >= self._bytes_max:
            self._flush()
        elif self._timer is None:
            if calls:
                self._timer = self._loop.call_later(self._settings.linger_seconds, self._flush)
            else:
                # Not this instant: those that woke up in the same turn of the loop come along at no delay.
                self._timer = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what waits, as much as one call may carry."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending or self._closed or len(self._calls) >= self._settings.calls_max:
            return
        taken: list[Entry] = []
        size = 0
        while self._pending and len(taken) < self._items_max:
            size += len(self._pending[0].encoded)
            if taken and size > self._bytes_max:
                break
            taken.append(self._pending.popleft())
        self._pending_bytes = sum(len(each.encoded) for each in self._pending) if self._pending else 0
        self._room.set()
        call = self._loop.create_task(self._send(taken, self._session_for(len(taken))))
        self._calls.add(call)
        call.add_done_callback(self._returned)

    def _returned(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if self._pending:
            self._flush()

    async def _send(self, entries: Sequence[Entry], session: Session) -> None:
        """One SubmitJobs call; every entry of it is answered, whatever happens."""
        if any(entry.result is not None for entry in entries):
            session.watch()
        request = encode_request([entry.encoded for entry in entries], str(uuid.uuid4()), session.batch_id, False)
        session.calls += 1
        response = job_service_pb2.SubmitJobsResponse()
        answered = False
        error: IngestClientError = ClientClosed("the client was closed during the call; the job may have been accepted")
        try:
            response = await self._channel.unary(_methods.SUBMIT_JOBS, request)
            answered = True
        except IngestClientError as failed:
            error = failed
        finally:
            session.calls -= 1
            if not answered:
                for entry in entries:
                    entry.fail(error)
                session.tidy()
        if answered:
            self._strays.adopt(session.accept(entries, response.results))

    def _session_for(self, count: int) -> Session:
        """The session that `count` more jobs join; begins the next one when the present one is full or broken."""
        session = self._session
        if session.broken or session.joined + count > self._settings.session_jobs_max:
            self._retired = [each for each in self._retired if not each.ended]
            session.retire()
            if not session.ended:
                self._retired.append(session)
            if len(self._retired) >= self._settings.sessions_max:
                self._strays.adopt(self._retired.pop(0).abandon())
            session = self._session = self._new_session()
        session.joined += count
        return session

    def _new_session(self) -> Session:
        return Session(self._channel, self._blobs, self._watch)
