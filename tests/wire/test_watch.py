"""WatchJobs on a real server: tokens, splitting, encodings, ends."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from ingest.v1 import job_pb2
from ingest.v1 import job_service_pb2 as pb
from ingest_server.domain.errors import Code, Failure, IngestError, Reason
from ingest_server.domain.job import JobState
from ingest_server.jobs.watch import WatchBatch
from ingest_server.store.records import JobPage
from ingest_server.wire.times import to_timestamp
from tests.fakes.use_cases import job_row, watch_event
from tests.wire.conftest import JOB, Running, refusal, take_apart

OUTPUT = job_pb2.Payload(data=b"x" * 100).SerializeToString()


async def watch(running: Running, **fields: Any) -> list[pb.WatchJobsResponse]:
    """All messages of a stream that ends."""
    request = pb.WatchJobsRequest(**fields)
    return [message async for message in running.WatchJobs(request)]


async def resumed_at(running: Running, token: str, **fields: Any) -> int | None:
    """The position that a token stands for."""
    running.fake.batches = []
    await watch(running, resume_token=token, **fields)
    position: int | None = running.fake.last["position"]
    return position


async def test_every_field_of_an_event_arrives(running: Running) -> None:
    failure = Failure(Code.UNKNOWN, "HANDLER_ERROR", "boom", {"exception": "ValueError"}).to_bytes()
    progress = job_pb2.Progress(completed_units=3, total_units=9, unit="page").SerializeToString()
    running.fake.batches = [
        WatchBatch(
            [
                watch_event(300, state=JobState.FAILED, attempt=200, time_us=1_700_000_000_123_456, failure=failure),
                watch_event(301, state=JobState.RUNNING, job=2, attempt=1, progress=progress, revision=0),
                watch_event(302, state=JobState.SUCCEEDED, job=3, output=OUTPUT, snapshot=True),
            ],
            302,
        )
    ]
    (message,) = await watch(running, view=job_pb2.JOB_VIEW_FULL)
    first, second, third = message.events
    assert first.job_id == "00000000-0000-0000-0000-000000000001"
    assert (first.state, first.revision, first.attempt, first.snapshot) == (job_pb2.JOB_STATE_FAILED, 300, 200, False)
    assert first.event_time == to_timestamp(1_700_000_000_123_456)
    error = take_apart(first.error)
    assert (error.reason, error.message, error.metadata) == ("HANDLER_ERROR", "boom", {"exception": "ValueError"})
    assert (second.progress.completed_units, second.progress.unit, second.revision) == (3, "page", 0)
    assert third.snapshot
    assert third.output.data == b"x" * 100
    assert not message.snapshot_done


async def test_outputs_are_sent_only_where_asked_for_and_each_encoding_is_made_once(running: Running) -> None:
    event = watch_event(1, state=JobState.SUCCEEDED, output=OUTPUT)
    running.fake.batches = [WatchBatch([event], 1)]
    (basic,) = await watch(running)
    assert not basic.events[0].HasField("output")
    encoded = event.encoded_basic
    assert encoded
    assert event.encoded_full == b""
    (full,) = await watch(running, view=job_pb2.JOB_VIEW_FULL)
    assert full.events[0].output.data == b"x" * 100
    await watch(running)
    assert event.encoded_basic is encoded


async def test_a_token_of_the_snapshot_begins_it_anew_and_a_later_one_resumes(running: Running) -> None:
    running.fake.batches = [
        WatchBatch([watch_event(5, snapshot=True)], None),
        WatchBatch([watch_event(6, job=2, snapshot=True)], 40, snapshot_done=True),
        WatchBatch([], 41),
    ]
    within, done, heartbeat = await watch(running)
    assert [message.snapshot_done for message in (within, done, heartbeat)] == [False, True, False]
    assert all(0 < len(message.resume_token) <= 256 for message in (within, done, heartbeat))
    assert await resumed_at(running, within.resume_token) is None
    assert await resumed_at(running, done.resume_token) == 40
    assert await resumed_at(running, heartbeat.resume_token) == 41


async def test_a_token_from_before_the_first_change_of_all_is_one_to_resume_from(running: Running) -> None:
    running.fake.batches = [WatchBatch([], 0, snapshot_done=True)]
    (empty,) = await watch(running)
    assert await resumed_at(running, empty.resume_token) == 0


async def test_a_batch_too_large_is_split_and_each_part_can_be_resumed(running: Running) -> None:
    running.limit(watch_events_max=2)
    running.fake.batches = [WatchBatch([], 10, snapshot_done=True), WatchBatch([watch_event(n) for n in range(11, 16)], 20)]
    messages = await watch(running)
    assert [[event.revision for event in message.events] for message in messages] == [[], [11, 12], [13, 14], [15]]
    assert [await resumed_at(running, message.resume_token) for message in messages] == [10, 12, 14, 20]


async def test_parts_of_progress_or_of_a_new_snapshot_do_not_move_the_token(running: Running) -> None:
    running.limit(watch_events_max=1)
    running.fake.batches = [
        WatchBatch([], 10, snapshot_done=True),
        WatchBatch([watch_event(99, revision=0), watch_event(30, snapshot=True), watch_event(12)], 40),
    ]
    messages = await watch(running)
    assert [await resumed_at(running, message.resume_token) for message in messages] == [10, 10, 10, 40]


async def test_messages_stay_below_the_limit_of_bytes(running: Running) -> None:
    running.limit(response_bytes_max=4_096)
    events = [watch_event(n, state=JobState.SUCCEEDED, output=OUTPUT) for n in range(1, 101)]
    running.fake.batches = [WatchBatch(events, 100)]
    messages = await watch(running, view=job_pb2.JOB_VIEW_FULL)
    assert len(messages) > 1
    assert max(message.ByteSize() for message in messages) <= 4_096
    assert [event.revision for message in messages for event in message.events] == list(range(1, 101))


async def test_an_event_larger_than_a_message_goes_alone(running: Running) -> None:
    running.limit(response_bytes_max=2_000)
    large = job_pb2.Payload(data=b"x" * 5_000).SerializeToString()
    events = [watch_event(1), watch_event(2, state=JobState.SUCCEEDED, output=large), watch_event(3)]
    running.fake.batches = [WatchBatch(events, 3)]
    messages = await watch(running, view=job_pb2.JOB_VIEW_FULL)
    assert [len(message.events) for message in messages] == [1, 1, 1]


@pytest.mark.parametrize(("close", "reason"), [("draining", "SHUTTING_DOWN"), ("age", "")])
async def test_a_close_tells_why_and_ends_the_stream_well(running: Running, close: str, reason: str) -> None:
    running.fake.batches = [WatchBatch([], 7, close=close)]
    (message,) = await watch(running)
    assert message.HasField("close")
    if reason:
        status = take_apart(message.close.status)
        assert (status.code, status.reason) == (grpc.StatusCode.UNAVAILABLE, reason)
    else:
        assert message.close.status.code == 0
    assert await resumed_at(running, message.resume_token) == 7


async def test_a_token_belongs_to_its_selection(running: Running) -> None:
    running.fake.batches = [WatchBatch([], 7, snapshot_done=True)]
    (message,) = await watch(running, batch_id=JOB)
    assert await resumed_at(running, message.resume_token, batch_id=JOB, terminal_only=True) == 7
    for other in ({}, {"batch_id": JOB[:-1] + "0"}, {"job_ids": [JOB]}):
        error = await refusal(running.WatchJobs(pb.WatchJobsRequest(resume_token=message.resume_token, **other)))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "RESUME_TOKEN_INVALID")
        assert "another selection" in error.fields["resume_token"]


async def test_every_altered_token_is_refused(running: Running) -> None:
    running.fake.batches = [WatchBatch([], 7, snapshot_done=True)]
    (message,) = await watch(running)
    token = message.resume_token
    for index in range(len(token) - 2):  # the last characters are the position
        altered = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        error = await refusal(running.WatchJobs(pb.WatchJobsRequest(resume_token=altered)))
        assert error.reason == "RESUME_TOKEN_INVALID"


async def test_a_watch_token_of_a_list_continues_it(running: Running) -> None:
    job_filter = pb.JobFilter(queues=["a", "b"], labels={"x": "1", "y": "2"}, states=[job_pb2.JOB_STATE_QUEUED])
    running.fake.answers["list"] = JobPage([job_row()], 0, 55)
    listed = await running.ListJobs(pb.ListJobsRequest(filter=job_filter))
    same = pb.JobFilter(queues=["b", "a"], labels={"y": "2", "x": "1"})
    assert await resumed_at(running, listed.watch_token, filter=same) == 55


async def test_an_expired_token_is_told_the_oldest_one(running: Running) -> None:
    running.fake.batches = [
        IngestError("too old", reason=Reason.RESUME_TOKEN_EXPIRED, code=Code.OUT_OF_RANGE, metadata={"oldest_position": "33"})
    ]
    error = await refusal(running.WatchJobs(pb.WatchJobsRequest()))
    assert (error.code, error.reason) == (grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED")
    assert list(error.metadata) == ["oldest_resume_token"]
    assert await resumed_at(running, error.metadata["oldest_resume_token"]) == 33


async def test_what_is_asked_reaches_the_use_case(running: Running) -> None:
    await watch(running, job_ids=[JOB, JOB], heartbeat_interval={"nanos": 123_000_000}, stop_when_done=True, terminal_only=True)
    asked = running.fake.last
    assert asked["heartbeat_seconds"] == 0.2  # rounded up to a multiple of 100 ms
    assert (asked["stop_when_done"], asked["terminal_only"], asked["with_output"]) == (True, True, False)
    assert len(asked["selection"].query.job_ids) == 1
    await watch(running)
    assert running.fake.last["heartbeat_seconds"] == 5.0


async def test_a_reader_that_goes_away_ends_the_use_case(running: Running) -> None:
    running.fake.batches = [WatchBatch([], 1, snapshot_done=True)]
    running.fake.stays = True
    stream = running.WatchJobs(pb.WatchJobsRequest())
    assert (await stream.read()).snapshot_done
    await running.fake.entered.wait()
    stream.cancel()
    await running.fake.watch_ended.wait()
