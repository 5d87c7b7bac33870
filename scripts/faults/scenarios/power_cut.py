"""The power is cut while the store writes: what was not synced is dropped, torn, or there out of order."""

from __future__ import annotations

from scripts.faults.scenario import Outcome, Round, Scenario
from scripts.faults.store_rounds import arguments, play


def run(this: Round) -> Outcome:
    """See `SCENARIO`."""
    return play(this, SCENARIO.name, errors=False)


SCENARIO = Scenario(
    name="power-cut",
    summary="The power fails while the store writes: of what was not synced, any sector is old, new or torn; names may be lost.",
    criterion="After 1,000 cuts nothing acknowledged is lost, nothing is there by halves, the event log has no gap, "
    "a repeated submit makes nothing, and SQLite finds the file sound.",
    run=run,
    arguments=arguments,
)
