"""Watch jobs on a stream that breaks and comes back: nothing lost, nothing twice, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import grpc.aio
from grpc.aio import EOF

from ingest.v1 import job_pb2, job_service_pb2
from ingest_client import _methods
from ingest_client._channel import Channel
from ingest_client._convert import event_from_proto, filter_to_proto
from ingest_client._retry import RetryLimits, wait_seconds
from ingest_client.errors import IngestClientError, ResumeTokenExpired, Unavailable, error_from_rpc
from ingest_client.models import JobEvent, JobFilter
from ingest_client.specs import duration

_UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How a watch keeps alive.

    Attributes:
        heartbeat_seconds: longest silence that the server is asked to keep.
        silence_factor: after so many times that silence the connection is given up as dead and made anew.
        retry: bounds of reconnects without a message between them. The default rides out about two minutes.
    """

    heartbeat_seconds: float = 5.0
    silence_factor: float = 3.0
    retry: RetryLimits = field(default_factory=lambda: RetryLimits(attempts_max=50))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs to watch and what to be told of; see `ingest.v1.WatchJobsRequest`."""

    job_ids: tuple[str, ...] = ()
    batch_id: str = ""
    filter: JobFilter | None = None
    stop_when_done: bool = False
    full: bool = False
    terminal_only: bool = False
    allow_missing_batch: bool = False

    def request(self, resume_token: str, heartbeat_seconds: float) -> job_service_pb2.WatchJobsRequest:
        """The message that opens a stream at `resume_token`."""
        message = job_service_pb2.WatchJobsRequest(
            job_ids=self.job_ids,
            batch_id=self.batch_id,
            resume_token=resume_token,
            stop_when_done=self.stop_when_done,
            view=job_pb2.JOB_VIEW_FULL if self.full else job_pb2.JOB_VIEW_BASIC,
            terminal_only=self.terminal_only,
            allow_missing_batch=self.allow_missing_batch,
            heartbeat_interval=duration(heartbeat_seconds),
        )
        if self.filter is not None:
            message.filter.CopyFrom(filter_to_proto(self.filter))
        return message


class Messages:
    """The messages of a watch over as many streams as it takes: an async iterator of `WatchJobsResponse`.

    A message that was handed out is never fetched again: its token is what the next stream begins after.
    """

    def __init__(
        self,
        channel: Channel,
        selection: Selection,
        settings: WatchSettings,
        *,
        resume_token: str = "",
        snapshot_on_expired: bool = False,
    ) -> None:
        self._channel = channel
        self._selection = selection
        self._settings = settings
        self._snapshot_on_expired = snapshot_on_expired
        self._call: grpc.aio.UnaryStreamCall[job_service_pb2.WatchJobsRequest, job_service_pb2.WatchJobsResponse] | None = None
        self._failures = 0
        self._closed = False
        self._silent = False
        self._heard_at = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self.resume_token = resume_token

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> job_service_pb2.WatchJobsResponse:
        """The next message.

        Raises:
            StopAsyncIteration: all selected jobs are terminal, or it was closed.
            ResumeTokenExpired: and no new snapshot is wanted.
            IngestClientError: the request is refused, or reconnecting failed too often.
        """
        while not self._stopped():
            if self._call is None:
                self._open()
            try:
                message: Any = await self._call.read()  # type: ignore[union-attr]
            except grpc.aio.AioRpcError as rpc_error:
                await self._reconnect(error_from_rpc(rpc_error))
                continue
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    self.close()
                    raise
                if self._stopped():
                    break
                await self._reconnect(Unavailable("the stream fell silent", code=_UNAVAILABLE))
                continue
            if message is EOF:
                if await self._ended():
                    break
                continue
            self._failures = 0
            self._heard_at = self._channel.settings.monotonic()
            self.resume_token = message.resume_token or self.resume_token
            if message.HasField("close"):
                await self._leave(message.close)
            response: job_service_pb2.WatchJobsResponse = message
            return response
        raise StopAsyncIteration

    def close(self) -> None:
        """End the stream. May be called again, from any state."""
        self._closed = True
        self._drop()

    def _stopped(self) -> bool:
        return self._closed

    def _open(self) -> None:
        heartbeat = self._settings.heartbeat_seconds
        self._call = self._channel.server_stream(_methods.WATCH_JOBS, self._selection.request(self.resume_token, heartbeat))
        self._silent = False
        self._heard_at = self._channel.settings.monotonic()
        self._watch_silence()

    def _watch_silence(self) -> None:
        """Cancel the call when nothing came for too long: a peer that lost its power sends no farewell.

        One timer per interval, not per message.
        """
        allowed = self._settings.heartbeat_seconds * self._settings.silence_factor
        left = self._heard_at + allowed - self._channel.settings.monotonic()
        if left <= 0:
            self._silent = True
            if self._call is not None:
                self._call.cancel()
            return
        self._watchdog = asyncio.get_running_loop().call_later(left, self._watch_silence)

    def _drop(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    async def _leave(self, close: job_service_pb2.WatchJobsResponse.Close) -> None:
        """The server said it ends the stream: go at once, and at leisure if it drains."""
        self._drop()
        if close.status.code:
            self._failures += 1
            settings = self._channel.settings
            await settings.sleep(self._settings.retry.backoff_seconds * settings.random())

    async def _ended(self) -> bool:
        """The stream ended with OK: whether that was the end of the watch."""
        self._drop()
        if self._selection.stop_when_done:
            self._closed = True
            return True
        await self._reconnect(Unavailable("the server ended the stream", code=_UNAVAILABLE))
        return False

    async def _reconnect(self, error: IngestClientError) -> None:
        """Wait before the next stream, or raise `error` if there shall be none."""
        self._drop()
        if isinstance(error, ResumeTokenExpired) and self._snapshot_on_expired:
            self.resume_token = ""
            return
        self._failures += 1
        settings = self._channel.settings
        wait = wait_seconds(self._settings.retry, self._failures, error, settings.random)
        if wait is None:
            self._closed = True
            raise error
        await settings.sleep(wait)


class Watch:
    """Events of a watch: an async iterator of `JobEvent`, and an async context manager that ends it.

    Attributes:
        snapshot_done: the present state of everything selected has been told.
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._events: list[JobEvent] = []
        self._next = 0
        self._token = messages.resume_token
        self._pending_token = messages.resume_token
        self.snapshot_done = False

    @property
    def resume_token(self) -> str:
        """Stands for all events handed out so far, to the whole message: begin the next watch with it and none is lost.

        In the midst of a message it is the token before it, so that those events come again rather than not at all.
        """
        return self._pending_token if self._next >= len(self._events) else self._token

    def __aiter__(self) -> AsyncIterator[JobEvent]:
        return self

    async def __anext__(self) -> JobEvent:
        while self._next >= len(self._events):
            await self._advance()
        event = self._events[self._next]
        self._next += 1
        return event

    async def batches(self) -> AsyncIterator[tuple[JobEvent, ...]]:
        """The same events as they came, many at once; for readers that are in a hurry. Not beside plain iteration."""
        while True:
            try:
                await self._advance()
            except StopAsyncIteration:
                return
            events, self._next = tuple(self._events), len(self._events)
            if events:
                yield events

    async def _advance(self) -> None:
        self._token = self._pending_token
        message = await self._messages.__anext__()
        self._events = [event_from_proto(each) for each in message.events]
        self._next = 0
        self._pending_token = self._messages.resume_token
        self.snapshot_done = self.snapshot_done or message.snapshot_done

    async def aclose(self) -> None:
        """End the watch. The jobs go on."""
        self._messages.close()

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()
