"""Run a job: submit it and wait for its end, request and answer over the queue."""

from __future__ import annotations

from dataclasses import replace

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import NotFound
from ingest_server.domain.ids import IdentifierSource, uuid_text
from ingest_server.jobs.event_hub import EventHub, TerminalWait
from ingest_server.jobs.submit import SubmitCommand, SubmitJobs
from ingest_server.jobs.waiting import within
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Detail, JobQuery, JobRow, SubmitAnswer, SubmitCode

_REFUSED = (SubmitCode.CONFLICT, SubmitCode.QUEUE_NOT_FOUND, SubmitCode.BLOB_NOT_FOUND)


class RunJob:
    """The use case."""

    def __init__(self, store: JobStore, hub: EventHub, submit: SubmitJobs, clock: Clock) -> None:
        self._store = store
        self._hub = hub
        self._submit = submit
        self._clock = clock
        self._ids = IdentifierSource()

    async def __call__(self, caller: Caller, command: SubmitCommand, wait_seconds: float) -> tuple[SubmitAnswer, JobRow | None]:
        """Submit the one job of `command` and wait at most `wait_seconds` for its end.

        Returns:
            What became of the submit, and the job as it stands when the wait ends, with output; None if it was refused.

        Raises:
            IngestError: as `SubmitJobs`.
        """
        policy, job_id, payload, dedupe_key, blob = command.jobs[0]
        if not job_id:  # known before the submit, so that its end cannot be missed
            job_id = self._ids.take(1, self._clock.now_us())[0]
            command = replace(command, jobs=[(policy, job_id, payload, dedupe_key, blob)])
        wait = TerminalWait(self._hub, [job_id])
        try:
            answer = await self._submit(caller, command)
            if answer.codes and answer.codes[0] in _REFUSED:
                return answer, None
            if answer.job_ids[0] != job_id or answer.repeated or answer.codes:
                wait.close()  # an older job answers for this one
                wait = TerminalWait(self._hub, [answer.job_ids[0]])
                row = await self._read(caller, answer.job_ids[0])
                if row.state.terminal:
                    return answer, row
            await within(self._clock, wait_seconds, wait.ended(lambda still_open: not still_open))
            return answer, await self._read(caller, answer.job_ids[0])
        finally:
            wait.close()

    async def _read(self, caller: Caller, job_id: bytes) -> JobRow:
        query = JobQuery(caller.tenant, job_ids=(job_id,))
        page = await self._store.jobs(query, limit=1, detail=Detail.FULL, now_us=self._clock.now_us())
        if not page.rows:
            raise NotFound(f"job {uuid_text(job_id)} was deleted, or its retention ended, while its end was waited for")
        return page.rows[0]
