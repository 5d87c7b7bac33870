"""How far a set of jobs is: a bar on a terminal, a line now and then in a pipe; always on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ingest_client.cli.printer import Printer

_LINES_MAX = 10
_EVERY_JOBS_UNKNOWN = 1000


class JobProgress:
    """Counts jobs that ended. Used as a context manager, so that the bar is taken down whatever happens."""

    def __init__(self, printer: Printer, verb: str, total: int | None) -> None:
        """Args:
        printer: where to tell.
        verb: what happens to the jobs, such as "ended".
        total: how many there are; None while unknown.
        """
        self._printer = printer
        self._verb = verb
        self._total = total
        self._done = self._failed = self._told = 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> JobProgress:
        if self._printer.shows_progress and self._printer.err.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(file=self._printer.err), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._verb, total=self._total)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif kind is None and self._done > max(self._told, 1):  # of a single job its result tells enough
            self._tell()

    def advance(self, *, failed: bool = False) -> None:
        """One more job."""
        self._done += 1
        self._failed += failed
        if self._bar is not None:
            text = f"{self._verb}, {self._failed} failed" if self._failed else self._verb
            self._bar.update(self._task, advance=1, description=text)
        else:
            step = max(1, -(-self._total // _LINES_MAX)) if self._total else _EVERY_JOBS_UNKNOWN
            if self._done % step == 0 and self._total != 1:
                self._tell()

    def _tell(self) -> None:
        self._told = self._done
        of = f" of {self._total}" if self._total is not None else ""
        failed = f", {self._failed} failed" if self._failed else ""
        self._printer.note(f"{self._done}{of} {plural(self._total or self._done)} {self._verb}{failed}")


def plural(count: int) -> str:
    """The word for so many."""
    return "job" if count == 1 else "jobs"
