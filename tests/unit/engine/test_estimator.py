"""The estimator: unknown jobs travel alone, known ones by the hundred, and it changes its mind quickly for the worse."""

from __future__ import annotations

from ingest_server.engines.local.estimator import Estimator
from tests.acceptance.engine.rig import spec_of


def estimator() -> Estimator:
    return Estimator(frame_run_us=3_000, frame_jobs_max=256)


def test_unknown_jobs_travel_alone() -> None:
    subject = estimator()
    kind = subject.kind(spec_of("a"))
    assert kind.estimate_us() == 0
    assert subject.frame_jobs(kind.estimate_us()) == 1


def test_frames_hold_as_much_work_as_they_should() -> None:
    subject = estimator()
    assert subject.frame_jobs(0.5) == 256
    assert subject.frame_jobs(30) == 100
    assert subject.frame_jobs(2_999) == 1
    assert subject.frame_jobs(10_000_000) == 1


def test_it_rises_fast_and_falls_slowly() -> None:
    kind = estimator().kind(spec_of("a"))
    kind.learn(99)
    assert kind.estimate_us() == 100
    kind.learn(1_099)
    assert kind.estimate_us() == 600
    kind.learn(99)
    assert kind.estimate_us() == 500


def test_a_new_spec_is_judged_by_others_of_its_handlers() -> None:
    subject = estimator()
    subject.kind(spec_of("a", name="first")).learn(9)
    assert subject.kind(spec_of("a", name="second")).estimate_us() == 10
    assert subject.kind(spec_of("a", "b", name="second")).estimate_us() == 0
    assert subject.kind(spec_of("b")).estimate_us() == 0
    # Its own measure counts more than that of others.
    slow = subject.kind(spec_of("a", name="third"))
    slow.learn(9_999)
    assert slow.estimate_us() == 10_000


def test_a_job_is_async_if_one_of_its_handlers_is() -> None:
    subject = estimator()
    subject.use_handlers(frozenset({"b"}))
    assert subject.kind(spec_of("a", "b")).is_async
    assert not subject.kind(spec_of("a")).is_async
    assert not subject.kind(b"\xff").is_async


def test_it_remembers_no_more_than_it_may() -> None:
    subject = Estimator(3_000, 256, kinds_max=10)
    kinds = [subject.kind(spec_of("a", name=str(number))) for number in range(100)]
    assert len(subject._kinds) == 10
    assert subject.kind(spec_of("a", name="99")) is kinds[99]
    assert subject.kind(spec_of("a", name="0")) is not kinds[0]
