"""What a run of a scenario finds is held against its limits, and no failure of a run passes for a success."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ingest_client.errors import Unavailable
from scripts.faults.ledger import Ledger, counted, p99
from scripts.faults.report import bar
from scripts.faults.rig import played
from scripts.faults.scenario import Outcome, Round


def test_every_limit_that_is_broken_is_told() -> None:
    ledger = Ledger(short=False)
    ledger.none("jobs_lost", ["a", "b"])
    ledger.most("bytes", 3, 2)
    ledger.least("events", 1, 2)
    ledger.seconds("p99_seconds", 0.2, 0.1)
    ledger.ratio("throughput_ratio", 0.8, 0.9)
    outcome = ledger.outcome()
    assert not outcome.passed
    assert len(outcome.faults) == 5
    assert list(outcome.figures) == ["jobs_lost", "bytes", "events", "p99_seconds", "throughput_ratio"]
    assert outcome.faults[0] == "jobs_lost is 2 and must be 0: a, b"


def test_limits_that_are_kept_are_figures_only() -> None:
    ledger = Ledger(short=False)
    ledger.none("jobs_lost", [])
    ledger.most("bytes", 2, 2)
    ledger.seconds("p99_seconds", 0.1, 0.1)
    ledger.ratio("throughput_ratio", 0.9, 0.9)
    assert ledger.outcome() == Outcome(True, {"jobs_lost": 0, "bytes": 2, "p99_seconds": 0.1, "throughput_ratio": 0.9}, [])


def test_a_short_run_measures_times_and_holds_counts() -> None:
    ledger = Ledger(short=True)
    ledger.seconds("p99_seconds", 0.2, 0.1)
    ledger.ratio("throughput_ratio", 0.8, 0.9)
    assert ledger.outcome().passed
    ledger.none("jobs_lost", ["a"])
    assert not ledger.outcome().passed


def test_the_99th_percentile() -> None:
    assert p99([1.0]) == 1.0
    assert p99([*[0.0] * 99, 5.0]) < 5.0
    assert p99(list(map(float, range(101)))) == 99.0
    with pytest.raises(ValueError, match="nothing was measured"):
        p99([])


def test_counts_out_of_bounds_are_named() -> None:
    assert counted("abc", {"a": 1, "b": 2}, 1, 1) == ["b (2)", "c (0)"]


async def hangs(this: Round, ledger: Ledger) -> None:
    ledger.note("begun", 1)
    await asyncio.Event().wait()


async def asserts(this: Round, ledger: Ledger) -> None:
    raise AssertionError("the server did not end")


async def loses_the_server(this: Round, ledger: Ledger) -> None:
    raise Unavailable("nobody there", code=14)


@pytest.mark.parametrize(
    ("play", "told"),
    [(hangs, "within 0.01 s"), (asserts, "the server did not end"), (loses_the_server, "nobody there")],
)
def test_a_run_that_breaks_off_has_failed(play: Callable[[Round, Ledger], Awaitable[None]], told: str, tmp_path: Path) -> None:
    with bar("x") as progress:
        this = Round(1, True, tmp_path, argparse.Namespace(), progress)
        outcome = played(play, short_seconds_max=0.01, full_seconds_max=9.0)(this)
    assert not outcome.passed
    assert told in outcome.faults[0]
    assert dict(outcome.figures) == ({"begun": 1} if play is hangs else {})
