"""What a scenario is: a name, a criterion, and a run that answers with figures and a verdict."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Progress(Protocol):
    """How far a run is. On a terminal a bar, elsewhere nothing."""

    def begin(self, text: str, total: int) -> None:
        """A stretch of work of `total` steps begins; the one before is over."""
        ...

    def advance(self, steps: int = 1) -> None:
        """So many more steps are done."""
        ...


@dataclass(frozen=True, slots=True)
class Round:
    """One run of a scenario.

    Attributes:
        seed: everything that is left to chance follows from it.
        short: seconds instead of minutes, as within scripts/test.
        folder: for files; removed afterwards.
        options: the scenario's own arguments.
        progress: to be told.
    """

    seed: int
    short: bool
    folder: Path
    options: argparse.Namespace
    progress: Progress


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        passed: whether the criterion holds.
        figures: what was measured, by name with its unit last, in the order to be shown.
        faults: what broke the criterion, for people; with the command that repeats it where there is one.
        skipped: why it cannot be run on this machine; "" if it was run.
    """

    passed: bool
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    faults: Sequence[str] = ()
    skipped: str = ""


def cannot_run(reason: str) -> Outcome:
    """The outcome of a scenario that this machine cannot play."""
    return Outcome(False, skipped=reason)


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """A scenario without arguments of its own."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A bad day.

    Attributes:
        name: of the subcommand; lower case, words joined by hyphens.
        summary: what happens, in a line.
        criterion: what must hold, with its figures.
        run: plays it. Raises nothing for a criterion that is broken: that is an outcome.
        arguments: adds its own arguments; each has a default.
        in_all: whether `scripts/chaos all` plays it.
    """

    name: str
    summary: str
    criterion: str
    run: Callable[[Round], Outcome]
    arguments: Callable[[argparse.ArgumentParser], None] = _no_arguments
    in_all: bool = True
