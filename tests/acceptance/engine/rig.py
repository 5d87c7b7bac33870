"""A local engine with real workers, and what a test asks of it: start this, wait until it runs, wait until it has ended."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf import struct_pb2

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Failure
from ingest_server.engines.interface import AttemptRow, EngineListener, Outcome, OutcomeCode, ProgressRow
from ingest_server.engines.local import LocalEngine, LocalEngineLimits

HANDLERS = str(Path(__file__).with_name("handlers_under_test.py"))
ECHO = "ingest_server.handlers.echo"
HOUR_US = 3_600_000_000


def spec_of(*handlers: str, options: dict[str, Any] | None = None, **given: Any) -> bytes:
    """A serialized spec whose tasks are these handlers; the first gets the options. `given` fills the input."""
    spec = job_pb2.JobSpec()
    for position, name in enumerate(handlers):
        task = spec.tasks.add().custom
        task.handler = name
        if options and position == 0:
            struct = struct_pb2.Struct()
            struct.update(options)
            task.options.CopyFrom(struct)
    if given:
        spec.input.CopyFrom(job_pb2.Payload(**given))
    return spec.SerializeToString()


class Rig:
    """See the module. Every attempt must be reported exactly once; a second report fails the test at once."""

    def __init__(self, directory: Path, workers: int = 1, *, modules: Sequence[str] = (HANDLERS,), **limits: Any) -> None:
        limits.setdefault("cancel_grace_seconds", 0.05)
        self.directory = directory
        self.limits = LocalEngineLimits(**limits)
        self.engine = LocalEngine(
            workers,
            directory / "blobs",
            handler_modules=modules,
            limits=self.limits,
            builtin_modules=(ECHO,),
            use_entry_points=False,
            scratch_directory=directory,
        )
        self.outcomes: dict[tuple[int, int], Outcome] = {}
        self.order: list[int] = []
        self.progress: dict[int, list[int]] = {}
        self.faults: list[str] = []
        self._seq = 0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Rig:
        await self.engine.open(EngineListener(self._on_outcomes, self._on_progress, self._on_capacity))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close(grace_seconds=0)
        assert not self.faults, self.faults
        assert not list(self.directory.glob("ingest-engine-*")), "the engine left its scratch directory"

    def row(
        self,
        *handlers: str,
        payload: bytes = b"",
        options: dict[str, Any] | None = None,
        timeout_us: int = HOUR_US,
        deadline_us: int = 0,
        lease: int = 1,
        spec: bytes = b"",
        **given: Any,
    ) -> AttemptRow:
        """An attempt with a number of its own."""
        self._seq += 1
        spec = spec or spec_of(*handlers, options=options, **given)
        return (self._seq, lease, uuid.UUID(int=self._seq).bytes, 1, spec, payload, timeout_us, deadline_us, 0)

    def fifo_row(self, handler: str, **more: Any) -> tuple[AttemptRow, Path]:
        """An attempt that waits for a writer of the FIFO that comes with it."""
        path = self.directory / f"fifo-{self._seq + 1}"
        os.mkfifo(path)
        return self.row(handler, payload=b"i" + str(path).encode(), **more), path

    def start(self, *rows: AttemptRow) -> None:
        """Start attempts."""
        self.engine.start(rows)

    async def run(self, *handlers: str, **more: Any) -> Outcome:
        """Start one and wait for its end."""
        row = self.row(*handlers, **more)
        self.start(row)
        return (await self.ended(row))[0]

    async def ended(self, *rows: AttemptRow) -> list[Outcome]:
        """Wait until all these have ended."""
        await self.until(lambda: all((row[0], row[1]) in self.outcomes for row in rows))
        return [self.outcomes[(row[0], row[1])] for row in rows]

    async def codes(self, *rows: AttemptRow) -> list[OutcomeCode]:
        """How they ended."""
        return [OutcomeCode(outcome[2]) for outcome in await self.ended(*rows)]

    async def running(self, row: AttemptRow, units: int = 1) -> None:
        """Wait until an attempt has told so much progress."""
        await self.until(lambda: max(self.progress.get(row[0], [0])) >= units)

    async def workers_are(self, count: int) -> None:
        """Wait until so many workers are ready."""
        await self.until(lambda: len(self.engine.workers()) == count)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                # Not every change has a report (a worker that ends in peace): look again now and then.
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.02)
                except TimeoutError:
                    continue

    def _on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            key = (outcome[0], outcome[1])
            if key in self.outcomes:
                self.faults.append(f"attempt {key} is reported twice: {self.outcomes[key]}, {outcome}")
            self.outcomes[key] = outcome
            self.order.append(outcome[0])
        self._changed.set()

    def _on_progress(self, rows: Sequence[ProgressRow]) -> None:
        for seq, _, data in rows:
            self.progress.setdefault(seq, []).append(job_pb2.Progress.FromString(data).completed_units)
        self._changed.set()

    def _on_capacity(self) -> None:
        self._changed.set()


def payload(outcome: Outcome) -> job_pb2.Payload:
    """The output of an attempt that succeeded."""
    assert outcome[2] == OutcomeCode.SUCCEEDED, failure(outcome)
    return job_pb2.Payload.FromString(outcome[3])


def value(outcome: Outcome) -> Any:
    """The same, from JSON."""
    return json.loads(payload(outcome).data)


def failure(outcome: Outcome) -> Failure:
    """Why an attempt failed."""
    assert outcome[4], f"no failure in {outcome}"
    return Failure.from_bytes(outcome[4])
