"""A session batch: the coalesced jobs of a while, and the one stream that tells of their ends."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence

from ingest.v1 import job_pb2, job_service_pb2
from ingest_client._blobs import Blobs
from ingest_client._channel import Channel
from ingest_client._watch import Messages, Selection, WatchSettings
from ingest_client.errors import IngestClientError, error_from_status
from ingest_client.result import JobResult, result_from_event

_FIRST_TERMINAL = job_pb2.JOB_STATE_SUCCEEDED


class Entry:
    """One coalesced job.

    Attributes:
        encoded: the item as it goes into the request.
        ack: done when the job is accepted or refused; None if nobody waits for that alone.
        result: done when the job has ended; None while nobody waits for it.
        job_id, created: from the answer.
        outcome: the terminal result once known.
        session: whose stream tells of it; None if it has to be asked for by id.
        twins: others that were answered with the same job.
    """

    __slots__ = ("ack", "created", "encoded", "job_id", "outcome", "result", "session", "twins")

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self.ack: asyncio.Future[None] | None = None
        self.result: asyncio.Future[JobResult] | None = None
        self.job_id = ""
        self.created = False
        self.outcome: JobResult | None = None
        self.session: Session | None = None
        self.twins: list[Entry] | None = None

    def accept(self, job_id: str, created: bool) -> None:
        """The job has an id."""
        self.encoded = b""
        self.job_id = job_id
        self.created = created
        if self.ack is not None and not self.ack.done():
            self.ack.set_result(None)

    def settle(self, outcome: JobResult) -> None:
        """The job has ended."""
        self.outcome = outcome
        self.session = None
        if self.result is not None and not self.result.done():
            self.result.set_result(outcome)
        for twin in self.twins or ():
            twin.settle(outcome)

    def fail(self, error: IngestClientError) -> None:
        """The call failed, the item was refused, or nothing more will be heard of the job here. Each waiter gets a copy."""
        for future in (self.ack, self.result):
            if future is not None and not future.done():
                future.set_exception(error.copy())
                future.exception()  # a waiter that went away must not leave a warning behind
        for twin in self.twins or ():
            twin.fail(error)


class Session:
    """The jobs of one session batch.

    Attributes:
        batch_id: made here; the server makes the batch with the first call that names it.
        joined: jobs that were sent with it.
        calls: SubmitJobs calls under way.
        broken: the stream failed for good; no further job may join.
        ended: retired, and nobody waits any more.
    """

    def __init__(self, channel: Channel, blobs: Blobs, settings: WatchSettings) -> None:
        self.batch_id = str(uuid.uuid4())
        self.joined = 0
        self.calls = 0
        self.broken = False
        self.ended = False
        self._channel = channel
        self._blobs = blobs
        self._settings = settings
        self._retired = False
        self._entries: dict[str, Entry] = {}
        self._early: dict[str, job_service_pb2.JobEvent] = {}
        self._messages: Messages | None = None
        self._reader: asyncio.Task[None] | None = None

    def watch(self) -> bool:
        """See to it that the stream is open. False: it cannot be any more, ask for the job by its id."""
        if self.broken or (self.ended and self._reader is not None):
            return False
        if self._reader is None:
            selection = Selection(batch_id=self.batch_id, full=True, terminal_only=True, allow_missing_batch=True)
            self._messages = Messages(self._channel, selection, self._settings, snapshot_on_expired=True)
            self._reader = asyncio.get_running_loop().create_task(self._read(self._messages))
            self.ended = False
        return True

    def accept(self, entries: Sequence[Entry], results: Sequence[job_service_pb2.SubmitResult]) -> list[Entry]:
        """Match the answers of one call with its entries.

        Returns:
            Those whose job is not of this session, because it was there before: their end has to be asked for by id.
        """
        elsewhere: list[Entry] = []
        for entry, result in zip(entries, results, strict=True):
            if result.HasField("status") and result.status.code:
                entry.fail(error_from_status(result.status))
                continue
            job_id = result.job_id
            entry.accept(job_id, result.created)
            waiting = self._entries.get(job_id)
            if waiting is not None:
                waiting.twins = [*(waiting.twins or ()), entry]
                entry.session = self
            elif (event := self._early.pop(job_id, None)) is not None:
                entry.settle(result_from_event(event, self._blobs))
            elif not result.created or self.broken:
                elsewhere.append(entry)
            else:
                entry.session = self
                self._entries[job_id] = entry
        self.tidy()
        return elsewhere

    def tidy(self) -> None:
        """Forget what no call under way can claim any more, and end if there is nothing left to wait for."""
        if self.calls == 0:
            self._early.clear()
            if self._retired and (not self._entries or self._reader is None):
                self._finish()

    def retire(self) -> None:
        """No further job joins; the stream ends with the last job waited for."""
        self._retired = True
        self.tidy()

    def abandon(self) -> list[Entry]:
        """End the stream now and give back whoever still waits for an event of it."""
        waiting = list(self._entries.values())
        self._entries.clear()
        self.broken = True
        self._finish()
        return waiting

    async def stop(self, error: IngestClientError) -> None:
        """End the stream and wait until its reader has ended; whoever waits gets `error`."""
        for entry in self.abandon():
            entry.fail(error)
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self, messages: Messages) -> None:
        """Settle entries as their events come. One task per session, whatever the number of jobs."""
        entries, early, blobs = self._entries, self._early, self._blobs
        try:
            async for message in messages:
                for event in message.events:
                    if event.state < _FIRST_TERMINAL:
                        continue
                    entry = entries.pop(event.job_id, None)
                    if entry is not None:
                        entry.settle(result_from_event(event, blobs))
                    elif self.calls:
                        early[event.job_id] = event  # its SubmitJobs answer is still on the way
                if self._retired:
                    self.tidy()
        except IngestClientError as error:
            self.broken = True
            failed = list(entries.values())
            entries.clear()
            _fail_all(failed, error)

    def _finish(self) -> None:
        self.ended = True
        if self._messages is not None:
            self._messages.close()


def _fail_all(entries: Iterable[Entry], error: IngestClientError) -> None:
    for entry in entries:
        entry.session = None
        entry.fail(error)
