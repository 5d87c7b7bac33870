"""The arrows between states."""

from __future__ import annotations

import pytest

from ingest_server.domain.job import LIVE_STATES, TERMINAL_STATES, JobState, may_become


@pytest.mark.parametrize("ended", TERMINAL_STATES)
@pytest.mark.parametrize("wanted", list(JobState))
def test_a_terminal_state_never_changes(ended: JobState, wanted: JobState) -> None:
    assert not may_become(ended, wanted)


@pytest.mark.parametrize("state", list(JobState))
def test_no_state_becomes_itself(state: JobState) -> None:
    assert not may_become(state, state)


@pytest.mark.parametrize("state", LIVE_STATES)
def test_every_live_job_can_come_to_an_end(state: JobState) -> None:
    reached = {state}
    for _ in JobState:
        reached |= {wanted for present in reached for wanted in JobState if may_become(present, wanted)}
    assert reached & set(TERMINAL_STATES)


def test_only_a_worker_makes_a_job_succeed_or_fail() -> None:
    for outcome in (JobState.SUCCEEDED, JobState.FAILED):
        sources = {state for state in JobState if may_become(state, outcome)}
        assert sources == {JobState.RUNNING, JobState.CANCELLING}


def test_a_job_that_was_asked_to_stop_is_not_queued_again() -> None:
    assert not may_become(JobState.CANCELLING, JobState.QUEUED)
    assert not may_become(JobState.CANCELLING, JobState.SCHEDULED)
