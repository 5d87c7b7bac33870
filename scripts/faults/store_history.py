"""One seeded history of the store's writer on a forgetful disk: lives that end in a power cut or in order, checked after each."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import apsw

from ingest_server.domain.errors import IngestError
from ingest_server.store.records import Detail
from ingest_server.store.sqlite import recovery
from ingest_server.store.sqlite.reader import Reader
from ingest_server.store.sqlite.recovery import DATABASE_NAME, connect
from ingest_server.store.sqlite.selection import Selection
from ingest_server.store.sqlite.transaction import EVENT
from ingest_server.store.sqlite.writer import Told, Writer, WriterSettings
from scripts.faults.disk import Disk
from scripts.faults.disk_vfs import mounted
from scripts.faults.store_model import Chances, Model, seen

EVERYTHING = Selection("", None, b"", (), (), (), 0, 0, b"")
START_US = 1_767_225_600_000_000
COMMITS_MAX = 30
CUT_STEPS_MAX = 300
"""A life of thirty commits makes some two hundred writes and syncs."""
LARGE_BYTES_MAX = 9_000
WAL_PAGES_IDLE, WAL_PAGES_MAX = 12, 40
"""A hundredth of what a server has, so that a short life sees checkpoints and several turns of the log."""

Command: TypeAlias = tuple[str, tuple[Any, ...]]
"""(verb, arguments)"""


class Broken(AssertionError):
    """A promise was broken."""


class History:
    """Lives of one store, one after the other, on one disk.

    Args:
        seed: of all that is left to chance.
        folder: for the files; best in memory.
        synchronous: SQLite's setting, to prove that a weaker one is found out; None for the store's own.
        errors: whether operations of the disk also fail now and then, without a cut.
    """

    def __init__(self, seed: int, folder: Path, *, synchronous: str | None = None, errors: bool = False) -> None:
        self._chance = random.Random(seed)
        self.disk = Disk(random.Random(seed + 1))
        self._folder = folder
        self._synchronous = synchronous
        self._errors = errors
        self._chances = Chances(self._chance, LARGE_BYTES_MAX)
        self._now_us = START_US
        self.model = Model()
        self._maybe: list[Model] = []
        self._log = b""
        self.cuts = 0
        self.commits = 0
        self.refused = 0
        self.life = 0

    def run(self, cuts: int) -> None:
        """Suffer so many cuts, and look at the store after the last; raises Broken when a promise is broken."""
        for self.life in range(cuts + 1):
            place = self._folder / str(self.life)
            place.mkdir()
            if self.life:
                self.cuts += 1
                for name, content in self.disk.cut().items():
                    (place / name).write_bytes(content)
            self.disk.power_on()
            with mounted(self.disk), mock.patch.object(recovery, "connect", self._connect):
                self._live(place, last=self.life == cuts)

    def _connect(self, path: Path) -> apsw.Connection:
        db = connect(path)
        if self._synchronous:
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
        return db

    def _live(self, place: Path, *, last: bool) -> None:
        if not last and self._chance.random() < 0.9:
            self.disk.cut_at = self.disk.steps + self._chance.randint(1, CUT_STEPS_MAX)
        writer = Writer(WriterSettings(str(place), 60_000_000, 1_024, 1 << 30, 0.0, WAL_PAGES_IDLE, WAL_PAGES_MAX, 0))
        try:
            try:
                told = writer.open(self._now_us)
            except IngestError as error:
                self._demand(self.disk.dead, f"the store does not open: {error.message}; {error.__cause__!r}")
                return
            self._check(writer, told)
            if not last:
                self._work(writer)
        finally:
            self.disk.dead = True  # nothing that letting go of a connection writes is to reach the disk
            if hasattr(writer, "db"):
                with contextlib.suppress(apsw.Error):
                    writer.db.close(force=True)
            if hasattr(writer, "_lock"):
                os.close(writer._lock)

    def _work(self, writer: Writer) -> None:
        for _ in range(self._chance.randrange(COMMITS_MAX)):
            self._now_us += self._chance.randrange(10)
            if self._errors and self._chance.random() < 0.3:
                self.disk.break_at = self.disk.steps + self._chance.randint(1, 12)
            self._commit(writer)
            if self.disk.dead:
                return
            if writer.wal_pages >= (WAL_PAGES_IDLE if self._chance.random() < 0.2 else WAL_PAGES_MAX):
                writer.checkpoint()
        if self._chance.random() < 0.2:
            try:
                writer.close()
            except apsw.Error:  # of the files themselves: SQLite overlooks it, the file system of the play does not
                self._demand(self.disk.dead or self._errors, "the store does not close")

    def _commit(self, writer: Writer) -> None:
        commands = self._chances.draw(self.model, self._now_us)
        told, answers = writer.execute([(number, *command) for number, command in enumerate(commands)])
        outcomes = [succeeded for _, succeeded, _ in answers]
        before, refused = self.model, []
        self.model = before.copy()
        for (verb, arguments), succeeded in zip(commands, outcomes, strict=True):
            if verb == "lease":
                if succeeded:
                    self.model.leased(*answers[0][2])
            elif succeeded:
                self.model.apply(verb, arguments)
            else:
                refused.append((verb, arguments))
        if told is not None:
            self._log += told[0]
            if told[0]:
                self._maybe.clear()
        if not refused:
            self._demand(not self.disk.dead or self._errors or not (told and told[0]), "acknowledged without power")
            self.commits += 1
            return
        self._demand(self._errors or self.disk.dead, f"a command was refused: {answers}")
        self.refused += len(refused)
        self._maybe += self._under_way(before, commands, refused)

    def _under_way(self, before: Model, commands: list[Command], refused: list[Command]) -> list[Model]:
        """What a cut may bring back, until the next commit, of commands that were refused: the writes of the group's commit, or
        those of one of its commands alone, are under way. A caller who is told UNAVAILABLE sends its request id again."""
        together, alone = before.copy(), []
        for verb, arguments in commands:
            if verb != "lease":
                together.apply(verb, arguments)
        for verb, arguments in refused:
            if verb != "lease":
                alone.append(self.model.copy())
                alone[-1].apply(verb, arguments)
        return [together, *alone] if len(refused) == len(commands) else alone

    def _check(self, writer: Writer, opened: Told) -> None:
        """What was acknowledged is there, nothing is there by halves, the log goes on without a gap."""
        faults = [text for (text,) in writer.db.execute("PRAGMA integrity_check")]
        self._demand(faults == ["ok"], f"the file is damaged: {faults}")
        reader = Reader(Path(writer.settings.directory) / DATABASE_NAME)
        try:
            rows = reader.run(self._all_rows)
            events = reader.run(lambda reader: reader.events_after(0, 10**9))
            span = reader.run(Reader.span)
        finally:
            reader.close()
        found = {row.job_id: seen(row) for row in rows}
        self._demand(len(found) == len(rows), "a job is there twice")
        fitting = [model for model in (self.model, *self._maybe) if model.seen() == found]
        self._demand(bool(fitting), f"jobs differ from what was acknowledged: {self._difference(found)}")
        self.model, self._maybe = fitting[0], []
        self.model.without_leases()
        packed = b"".join(EVENT.pack(*event) for event in events)
        self._demand(packed.startswith(self._log), "acknowledged events are gone or changed")
        self._demand(packed.endswith(opened[0]), "the events of the opening are not the last ones")
        positions = [event[0] for event in events]
        self._demand(positions == list(range(1, len(positions) + 1)), f"the log has a gap: {positions}")
        self._demand(span == (0, len(positions)), f"a token of the past is refused: {span}, {len(positions)} events")
        self._log = packed
        self._check_revisions(rows, events)
        self._repeat(writer)

    def _check_revisions(self, rows: list[Any], events: list[tuple[Any, ...]]) -> None:
        last = {event[2]: (event[0], event[5]) for event in events}
        for row in rows:
            self._demand(last[row.job_id] == (row.revision, row.state), "the last event of a job is not its state")

    def _all_rows(self, reader: Reader) -> list[Any]:
        page = reader.jobs(
            EVERYTHING, limit=10**6, from_seq=0, newest_first=False, detail=Detail.FULL, bytes_max=0, now_us=self._now_us
        )
        return list(page.rows)

    def _repeat(self, writer: Writer) -> None:
        """Submits that were acknowledged are sent again: they get their first answer, and make nothing."""
        known = self.model.requests
        for request_id in self._chance.sample(list(known), min(len(known), 2)):
            fields, job_ids = known[request_id]
            again = (*fields[:11], self._now_us, fields[12])
            told, answers = writer.execute([(0, "submit", again)])
            if self.disk.dead:
                return
            self._demand(answers[0][1], f"a repeated submit was refused: {answers[0][2]}")
            answer = answers[0][2]
            self._demand(answer[3] and list(answer[1]) == job_ids, "a repeated submit has got another answer")
            self._demand(told is not None and not told[0], "a repeated submit has made an event")

    def _difference(self, found: dict[bytes, Any]) -> str:
        wanted = self.model.seen()
        lost = [job_id.hex()[:8] for job_id in wanted.keys() - found.keys()]
        known = wanted.keys() | {job_id for model in self._maybe for job_id in model.jobs}
        strange = [job_id.hex()[:8] for job_id in found.keys() - known]
        changed = [(wanted[key], found[key]) for key in wanted.keys() & found.keys() if wanted[key] != found[key]]
        return f"lost {lost}, unknown {strange}, changed {changed[:3]}"

    def _demand(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise Broken(f"life {self.life}: {otherwise}")


def suffer(seed: int, folder: Path, cuts: int, **given: Any) -> tuple[History, str]:
    """A history, and what it broke; "" if nothing. Arguments as those of `History`."""
    history = History(seed, folder, **given)
    try:
        history.run(cuts)
    except Broken as error:
        return history, str(error)
    return history, ""
