"""How much the local engine asks for: what workers can take now, and for short jobs some more, so that they need not wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ingest.v1 import job_pb2
from ingest_server.engines.local.dispatch import Dispatcher
from ingest_server.engines.local.estimator import Estimator
from ingest_server.engines.local.limits import LocalEngineLimits

SPEC = job_pb2.JobSpec(tasks=[job_pb2.Task(custom=job_pb2.CustomTask(handler="short"))]).SerializeToString()
FRAME = 256


def row(seq: int) -> Any:
    """An attempt."""
    return (seq, 1, b"", 1, SPEC, b"", 0, 0)


def rig(run_us: float, workers: int = 2) -> Dispatcher:
    """A dispatcher over busy workers, each with two frames in its hands, that knows how long the jobs run."""
    limits = LocalEngineLimits(frame_jobs_max=FRAME)
    estimator = Estimator(limits.frame_run_us, limits.frame_jobs_max)
    estimator.kind(SPEC).learn(run_us)
    links: list[Any] = [
        SimpleNamespace(ready=True, retiring=False, sync_count=2 * FRAME, async_keys=set(), ended_count=0, inflight={})
        for _ in range(workers)
    ]
    return Dispatcher(limits, estimator, lambda: links, lambda worker, rows: None)


def test_jobs_of_unknown_length_are_not_hoarded() -> None:
    dispatcher = rig(3.0)
    assert dispatcher.capacity() == 0


@pytest.mark.parametrize(("run_us", "ahead"), [(3.0, 4 * FRAME), (99.0, 100), (500.0, 0)])
def test_short_jobs_wait_here_for_ten_milliseconds_or_four_frames_of_each_worker(run_us: float, ahead: int) -> None:
    dispatcher = rig(run_us)
    dispatcher.add([row(1)])
    assert dispatcher.capacity() == max(2 * ahead - 1, 0)


def test_more_is_asked_for_when_half_of_it_is_gone() -> None:
    dispatcher = rig(3.0)
    dispatcher.add([row(seq) for seq in range(8 * FRAME)])
    assert dispatcher.capacity() == 0
    for seq in range(4 * FRAME - 1):
        dispatcher.withdraw((seq, 1))
    assert dispatcher.capacity() == 0
    dispatcher.withdraw((4 * FRAME - 1, 1))
    assert dispatcher.capacity() == 4 * FRAME
