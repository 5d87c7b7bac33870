"""Writes and syncs of the store fail now and then (EIO), and the power is cut as well."""

from __future__ import annotations

from scripts.faults.scenario import Outcome, Round, Scenario
from scripts.faults.store_rounds import arguments, play


def run(this: Round) -> Outcome:
    """See `SCENARIO`."""
    return play(this, SCENARIO.name, errors=True)


SCENARIO = Scenario(
    name="disk-errors",
    summary="Single writes and syncs of the store fail with EIO; what a failed sync left behind never reaches the disk; then the "
    "power is cut.",
    criterion="What is refused changes nothing, what is acknowledged survives 1,000 cuts, the store goes on by itself.",
    run=run,
    arguments=arguments,
)
