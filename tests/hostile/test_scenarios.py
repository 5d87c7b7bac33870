"""A short round of each scenario of `scripts/chaos` that plays with real processes and clients."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from scripts.faults import registry
from scripts.faults.report import bar
from scripts.faults.scenario import Round

NAMES = (
    "answers-dropped",
    "clock-jumps",
    "fairness",
    "handlers-misbehave",
    "long-run",
    "network-cut",
    "one-id",
    "overload",
    "parts-killed",
    "poison-job",
    "restart-live",
    "rolling-restart",
    "server-killed",
    "watch-cut",
    "worker-killed",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_its_criterion_holds(name: str, tmp_path: Path) -> None:
    scenario = registry.load()[name]
    parser = argparse.ArgumentParser()
    scenario.arguments(parser)
    with bar(name) as progress:
        outcome = scenario.run(Round(1, True, tmp_path, parser.parse_args([]), progress))
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.passed, (outcome.faults, outcome.figures)
