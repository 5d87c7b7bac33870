"""Callbacks in: where they may go, checked when a job is handed in; and read again from a stored spec when it is retried."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ingest.v1 import job_pb2
from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.destination import parse_endpoint
from ingest_server.domain.job import TERMINAL_STATES
from ingest_server.store.outbox import TARGETS_MAX
from ingest_server.store.records import CallbackTarget
from ingest_server.wire.faults import Faults, shown

SPECS_MAX = 1_024
"""Specs remembered when a batch is retried, whose jobs mostly share one; the key is the spec, which the row holds anyway."""

_TERMINAL_MASK = sum(1 << state for state in TERMINAL_STATES)


def checked_callbacks(faults: Faults, spec: job_pb2.JobSpec, rules: CallbackRules) -> tuple[CallbackTarget, ...]:
    """The callbacks of a spec as the store keeps them; notes every rule of job.proto and of this server that one breaks."""
    if not spec.callbacks:
        return ()
    if not rules.enabled:
        faults.add_unsupported("callbacks", "callbacks")
    if len(spec.callbacks) > TARGETS_MAX:
        faults.add("callbacks", f"must have at most {TARGETS_MAX} entries, not {len(spec.callbacks):,}")
    targets: list[CallbackTarget] = []
    urls: dict[str, int] = {}
    for index, callback in enumerate(spec.callbacks[:TARGETS_MAX]):
        path = f"callbacks[{index}]"
        before = urls.setdefault(callback.url, index)
        if before != index:
            faults.add(f"{path}.url", f"is that of callbacks[{before}]: name each URL once, with all its events")
        for event in callback.events:
            if event not in job_pb2.JobState.values() or event == job_pb2.JOB_STATE_UNSPECIFIED:
                faults.add(f"{path}.events", f"must hold states of jobs, not {event}")
        try:
            endpoint = rules.check_url(callback.url) if rules.enabled else parse_endpoint(callback.url)
        except ValueError as error:
            faults.add(f"{path}.url", f"{error}; given: {shown(callback.url)}")
            continue
        targets.append((callback.url, endpoint.key, _mask(callback.events)))
    return () if faults else tuple(targets)


@lru_cache(maxsize=SPECS_MAX)
def read_callbacks(spec: bytes) -> tuple[CallbackTarget, ...]:
    """The callbacks of a stored spec. They were allowed when it was accepted; whether they still are is asked at each attempt."""
    found = job_pb2.JobSpec.FromString(spec).callbacks
    return tuple((each.url, parse_endpoint(each.url).key, _mask(each.events)) for each in found)


def _mask(events: Sequence[int]) -> int:
    return sum(1 << event for event in set(events) if 0 < event < 32) or _TERMINAL_MASK
