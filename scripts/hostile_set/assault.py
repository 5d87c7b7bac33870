"""A round: a real server as a process, hostile files sent by the real client, group after group, and witnesses between."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from ingest_client import Batch, Client, Input, JobFilter, JobSpec, RetryPolicy
from scripts.bench.server import RunningServer, server
from scripts.hostile_set.bombs.canary import secret
from scripts.hostile_set.hostile_file import HostileFile
from scripts.hostile_set.leftovers import folders_left, processes_left, temporary_files
from scripts.hostile_set.processes import MARK, EngineWatch
from scripts.hostile_set.verdict import Limits, Row
from scripts.hostile_set.witnesses import Witness, sworn_in

MIB = 1024 * 1024
WORKERS = 2
SLACK_BYTES = 96 * MIB
"""By which a worker may grow over thousands of attempts: caches of libraries, and memory that is free and not given back."""
FILES_PER_WITNESS = 5
BATCH_FILES_MAX = 200
"""Files in one batch: the next one is made while their results are looked at."""
END_SECONDS_MAX = 3_600.0
ONE_ATTEMPT = RetryPolicy(max_attempts=1)
"""A file that failed by its nature fails again; crashes are tried again by themselves."""


@dataclass(slots=True)
class Round:
    """What a round showed.

    Attributes:
        rows: one per group.
        faults: what was not as promised of the server itself.
        crashes: of workers, as the server counted them.
    """

    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    crashes: int = 0

    @property
    def all_faults(self) -> list[str]:
        """Those of the server, and those of files and witnesses."""
        return [*self.faults, *(fault for row in self.rows for fault in row.faults)]


Tell = Callable[[str, int], None]
"""Told the group and how many files of it have ended since the last call."""


async def run_round(groups: dict[str, Sequence[HostileFile]], folder: Path, limits: Limits, tell: Tell) -> Round:
    """Send all files and judge what became of them.

    Args:
        groups: files by row of the table, in order.
        folder: an empty one, for data, temporary files and the server's log.
        limits: that the server is given.
        tell: hears of progress.

    Raises:
        RuntimeError: the server did not start.
        IngestClientError: it could no longer be asked.
    """
    mark, found = uuid.uuid4().hex, Round()
    temporary, data_dir = folder / "tmp", folder / "data"
    temporary.mkdir()
    flags = [f"--workers={WORKERS}", f"--attempt-timeout-seconds={limits.attempt_timeout_seconds}"]
    flags += [f"--attempt-memory-bytes-max={limits.attempt_memory_bytes_max}", f"--result-bytes-max={limits.result_bytes_max}"]
    flags += [f"--cancel-grace-seconds={limits.cancel_grace_seconds}"]
    variables = {MARK: mark, "TMPDIR": str(temporary)}
    with server(*flags, data_dir=data_dir, environment=variables, log=folder / "log") as running:
        family = _family(running)
        async with Client(running.address) as client:
            witnesses = await sworn_in(client, folder / "documents")
            with EngineWatch(family["zygote"], limits.attempt_memory_bytes_max, SLACK_BYTES) as watch:
                for group, files in groups.items():
                    found.rows.append(await _Assault(client, watch, limits, witnesses, tell).group(group, files))
            found.crashes = (await client.stats()).worker_crash_count
        if (now := _family(running)) != family:
            found.faults.append(f"processes of the server were replaced: {family} became {now}")
        found.faults += temporary_files(data_dir, temporary)
    found.faults += folders_left(data_dir, temporary)
    found.faults += processes_left(mark)
    return found


def _family(running: RunningServer) -> dict[str, int]:
    """Pids of what must live as long as the server."""
    return {role: pid for role, pid in running.roles() if role in ("server", "store", "zygote")}


class _Assault:
    """Sends groups of files to a server and judges what became of them."""

    def __init__(self, client: Client, watch: EngineWatch, limits: Limits, witnesses: Sequence[Witness], tell: Tell) -> None:
        self._client = client
        self._watch = watch
        self._limits = limits
        self._witnesses = cycle(witnesses)
        self._tell = tell
        self._secret = secret()

    async def group(self, group: str, files: Sequence[HostileFile]) -> Row:
        """All files of a group, in batches."""
        row = Row(group)
        self._watch.take()
        begin = time.monotonic()
        for start in range(0, len(files), BATCH_FILES_MAX):
            await self._batch(row, files[start : start + BATCH_FILES_MAX])
        row.seconds = time.monotonic() - begin
        peak, worst = self._watch.take()
        row.peak_bytes = peak.bytes
        if worst.above_bytes > 0:
            row.faults.append(f"a process was {worst.above_bytes / MIB:.0f} MiB beyond its memory limit ({worst.who})")
        return row

    async def _batch(self, row: Row, files: Sequence[HostileFile]) -> None:
        order = list(self._mixed(files))
        batch = await self._client.submit(_specs(order))
        sent: dict[str, HostileFile | Witness] = {}
        for item, answer in zip(order, batch.results, strict=True):
            if answer.error is not None:
                row.faults.append(f"{_name(item)}: refused: {answer.error}")
            else:
                sent[answer.job_id] = item
        async for result in self._client.as_completed(list(sent)):
            item = sent[result.job_id]
            if isinstance(item, HostileFile):
                if result.succeeded:
                    row.check_result(item, result, await result.read(), self._secret, self._limits)
                self._tell(row.group, 1)
            elif not result.succeeded:
                row.faults.append(f"witness {_name(item)}: {result.state.name}: {result.error}")
            elif await result.read() != item.expected:
                row.faults.append(f"witness {_name(item)}: another result than on a quiet server")
        await self._history(row, batch, sent)

    async def _history(self, row: Row, batch: Batch, sent: dict[str, HostileFile | Witness]) -> None:
        """Attempts and crashes of all jobs of a batch; parts that a job was divided into belong to it."""
        async for job in self._client.list(JobFilter(batch_id=batch.batch_id), full=True):
            item = sent.get(job.job_id)
            if isinstance(item, HostileFile):
                row.count_ended(item, job, self._limits)
            elif isinstance(item, Witness):
                row.witnesses += 1
                if job.crash_count:
                    row.faults.append(f"witness {_name(item)}: blamed for {job.crash_count} crashes")

    def _mixed(self, files: Iterable[HostileFile]) -> Iterable[HostileFile | Witness]:
        for number, file in enumerate(files):
            if number % FILES_PER_WITNESS == 0:
                yield next(self._witnesses)
            yield file
        yield next(self._witnesses)


async def _specs(order: Iterable[HostileFile | Witness]) -> AsyncIterator[JobSpec]:
    """Jobs, each made when it is asked for, so that few large files are in memory."""
    for item in order:
        if isinstance(item, Witness):
            yield item.spec()
        else:
            yield JobSpec(Input(name=item.name, data=item.make()), retry_policy=ONE_ATTEMPT)


def _name(item: HostileFile | Witness) -> str:
    return item.identity if isinstance(item, HostileFile) else item.path.name
