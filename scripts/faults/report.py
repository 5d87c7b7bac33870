"""What people and programs see of a run: a bar while it lasts, a table or JSON when it has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from scripts.faults.scenario import Outcome, Scenario

_TIMES = (TimeElapsedColumn(), TimeRemainingColumn())

PASSED, FAILED, NOT_RUN = 0, 1, 3
"""Exit statuses; 2 is a wrong command line."""


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario that was played."""

    scenario: Scenario
    seed: int
    outcome: Outcome
    seconds: float

    @property
    def verdict(self) -> str:
        """In a word."""
        return "not run" if self.outcome.skipped else "held" if self.outcome.passed else "BROKEN"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        outcome = self.outcome
        return {
            "scenario": self.scenario.name,
            "criterion": self.scenario.criterion,
            "verdict": self.verdict.lower(),
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "figures": dict(outcome.figures),
            "faults": list(outcome.faults),
            "skipped": outcome.skipped,
        }


class Bar:
    """Progress on a terminal; silent where standard error is none."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, text: str, total: int) -> None:
        """See `scenario.Progress.begin`."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(text, total=total)

    def advance(self, steps: int = 1) -> None:
        """See `scenario.Progress.advance`."""
        if self._task is not None:
            self._progress.advance(self._task, steps)


@contextmanager
def bar(name: str) -> Iterator[Bar]:
    """A bar for one scenario, gone when it has ended."""
    console = Console(stderr=True)
    columns = (TextColumn(f"{name}: {{task.description}}"), BarColumn(), MofNCompleteColumn(), *_TIMES)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress)


def status(rows: Sequence[Row]) -> int:
    """The exit status: a broken criterion tells before one that could not be tried."""
    verdicts = {row.verdict for row in rows}
    return FAILED if "BROKEN" in verdicts else NOT_RUN if "not run" in verdicts else PASSED


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print what came of it."""
    if as_json:
        print(json.dumps([row.as_json() for row in rows], indent=2, ensure_ascii=False))
        return
    console = Console(width=None if Console().is_terminal else 160)
    table = Table("scenario", "criterion", "verdict", "figures", "seed", "time", show_lines=len(rows) > 1)
    for row in rows:
        figures = "\n".join(f"{name} {_number(value)}" for name, value in row.outcome.figures.items())
        told = figures or row.outcome.skipped
        cells = (row.scenario.name, row.scenario.criterion, row.verdict, told, str(row.seed), f"{row.seconds:.1f} s")
        table.add_row(*map(Text, cells))  # as Text, so that brackets mean nothing
    console.print(table)
    for row in rows:
        for fault in row.outcome.faults:
            console.print(f"\n{row.scenario.name}: {fault}", markup=False, highlight=False, soft_wrap=True)


def _number(value: float | int | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
