"""The hand-made encodings against protobuf itself, and the laws of ids, tokens, times and digests."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.v1 import errors_pb2, job_pb2, job_service_pb2
from ingest_server.domain.caller import Caller
from ingest_server.domain.errors import IngestError, InvalidRequest, Reason
from ingest_server.domain.job import JobState
from ingest_server.handlers.protobuf_bytes import varint
from ingest_server.jobs.watch import WatchBatch
from ingest_server.store.records import JobQuery
from ingest_server.wire.encoding import bytes_field, text_field, varint_field
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults, WireLimits
from ingest_server.wire.parse_submit import ParsedSubmit, SubmitParser, request_digest
from ingest_server.wire.spec_template import SpecTemplate, TemplateCache
from ingest_server.wire.split_schema import SplitRequest, SplitSpec
from ingest_server.wire.status import DETAILS_BYTES_MAX, status_of_error
from ingest_server.wire.times import duration_us, timestamp_us, to_duration, to_timestamp
from ingest_server.wire.tokens import (
    TokenKind,
    decode_page_token,
    decode_resume_token,
    encode_token,
    items_digest,
    selection_digest,
)
from ingest_server.wire.uuid_text import UUID_PLACE, format_uuid, parse_uuid, repeat_with_uuids
from ingest_server.wire.watch_encoding import EventEncoder, MessageWriter
from tests.fakes.clock import FakeClock
from tests.fakes.use_cases import FakeHandlers, watch_event

ids = st.binary(min_size=16, max_size=16)
positions = st.integers(min_value=0, max_value=2**63 - 1)


@given(ids)
def test_a_uuid_reads_back_what_was_written(data: bytes) -> None:
    assert format_uuid(data) == str(uuid.UUID(bytes=data))
    assert parse_uuid(format_uuid(data)) == data
    assert parse_uuid(format_uuid(data).upper()) == data


@given(st.text(alphabet="0123456789abcdefABCDEF-{} \tgß٣", min_size=34, max_size=38))
def test_only_the_canonical_form_is_a_uuid(text: str) -> None:
    try:
        data = parse_uuid(text)
    except ValueError:
        return
    assert format_uuid(data) == text.lower()


@pytest.mark.parametrize("count", [0, 1, 23, 24, 25, 1_000])
def test_repeated_patterns_hold_every_id_in_order(count: int) -> None:
    found = [number.to_bytes(16, "big") for number in range(count)]
    filled = repeat_with_uuids(b"<" + UUID_PLACE + b">>", 1, found)
    assert filled == b"".join(b"<" + format_uuid(data).encode() + b">>" for data in found)
    if count:
        with pytest.raises(ValueError):
            repeat_with_uuids(b"<" + UUID_PLACE + b">>", 1, [b"short"] * count)


@given(positions, st.text(), st.binary())
def test_fields_are_those_of_protobuf(number: int, text: str, data: bytes) -> None:
    progress = job_pb2.Progress(completed_units=number, unit=text)
    assert job_pb2.Progress.FromString(varint_field(1, number) + text_field(3, text)) == progress
    assert job_pb2.Payload.FromString(bytes_field(3, data)) == job_pb2.Payload(data=data)


def test_a_negative_number_is_no_varint() -> None:
    with pytest.raises(ValueError):
        varint(-1)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(JobState)),
            st.integers(1, 300),
            positions,
            st.integers(0, 4_000_000_000_000_000),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_events_are_read_as_they_were_meant(rows: list[tuple[JobState, int, int, int, bool]]) -> None:
    events = [
        watch_event(revision, state=state, attempt=attempt, time_us=time_us, snapshot=snapshot)
        for state, attempt, revision, time_us, snapshot in rows
    ]
    writer = MessageWriter(
        EventEncoder(lambda number: bytes(15) + bytes((number,))),
        bytes(12),
        position=1,
        with_output=True,
        bytes_max=1 << 20,
        events_max=1_000,
    )
    (message,) = writer.messages(WatchBatch(events, 5))
    told = job_service_pb2.WatchJobsResponse.FromString(message).events
    assert [
        (JobState(event.state), event.attempt, event.revision, timestamp_us(event.event_time), event.snapshot) for event in told
    ] == rows
    assert {event.batch_id for event in told} <= {format_uuid(bytes(15) + b"\x01")}


def test_a_batch_that_is_learnt_late_is_told_from_then_on() -> None:
    names: dict[int, bytes] = {}
    encoder = EventEncoder(lambda number: names.get(number, b""))
    without = encoder.encode([watch_event(1)], with_output=False)[0]
    names[1] = bytes(16)
    assert format_uuid(bytes(16)).encode() in encoder.encode([watch_event(2)], with_output=False)[0]
    assert job_service_pb2.WatchJobsResponse.FromString(without).events[0].batch_id == ""


# ----------------------------------------------------------------------------------------------------------------------- tokens


@given(ids, positions)
def test_a_token_brings_its_number_back_and_belongs_to_its_selection(tenant: bytes, position: int) -> None:
    digest = selection_digest(JobQuery(tenant.hex()))
    token = encode_token(TokenKind.RESUME, digest, position)
    assert len(token) <= 40
    assert decode_resume_token(token, digest) == position
    with pytest.raises(InvalidRequest):
        decode_resume_token(token, selection_digest(JobQuery("another")))
    with pytest.raises(InvalidRequest):
        decode_page_token(TokenKind.LIST, token, digest)


@given(st.text(max_size=300) | st.binary(max_size=60).map(lambda data: data.hex()))
def test_no_made_up_token_is_taken(token: str) -> None:
    if token:
        with pytest.raises(InvalidRequest):
            decode_resume_token(token, bytes(12))


def test_a_selection_is_named_by_all_its_parts() -> None:
    query = JobQuery("t", batch_id=b"b" * 16, queues=frozenset("ab"), labels=(("a", "b"),), create_from_us=1, create_before_us=2)
    others = [
        replace(query, tenant="u"),
        replace(query, batch_id=b""),
        replace(query, queues=frozenset("a")),
        replace(query, labels=(("ab", ""),)),
        replace(query, labels=()),
        replace(query, states=frozenset({JobState.QUEUED})),
        replace(query, create_from_us=0),
        replace(query, create_before_us=3),
        JobQuery("t", job_ids=()),
        JobQuery("t", job_ids=(bytes(16),)),
        JobQuery("t"),
    ]
    assert len({selection_digest(each) for each in [query, *others]}) == len(others) + 1
    assert selection_digest(JobQuery("t", job_ids=(b"a" * 16, b"b" * 16))) == selection_digest(
        JobQuery("t", job_ids=(b"b" * 16, b"a" * 16))
    )
    assert items_digest("t", [b"a" * 16, b"b" * 16], b"") != items_digest("t", [b"b" * 16, b"a" * 16], b"")


# ------------------------------------------------------------------------------------------------------------------------ times


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_times_survive_the_way(time_us: int) -> None:
    assert timestamp_us(to_timestamp(time_us)) == time_us
    assert Timestamp.FromString(to_timestamp(time_us).SerializeToString()).ToMicroseconds() == time_us


@given(st.integers(0, 10**14))
def test_spans_survive_the_way(span_us: int) -> None:
    assert duration_us(to_duration(span_us / 1_000_000)) == pytest.approx(span_us, abs=1)
    assert duration_us(Duration(seconds=span_us // 10**6, nanos=span_us % 10**6 * 1_000)) == span_us


# ----------------------------------------------------------------------------------------------------------------------- submit


def parser() -> SubmitParser:
    return SubmitParser(LiveConfiguration(WireLimits(), SpecDefaults(), FakeHandlers()), FakeClock())


def parsed(*specs: job_pb2.JobSpec, by: SubmitParser | None = None, **fields: Any) -> ParsedSubmit:
    request = job_service_pb2.SubmitJobsRequest(jobs=specs, request_id=str(uuid.UUID(int=1)), **fields)
    return (by or parser()).parse_submit(request.SerializeToString(), Caller())


def echo(**fields: Any) -> job_pb2.JobSpec:
    spec = job_pb2.JobSpec(**fields)
    spec.tasks.add().custom.handler = "echo"
    return spec


def test_the_second_reading_has_the_numbers_and_types_of_the_contract() -> None:
    pairs = [
        (SplitRequest.DESCRIPTOR, job_service_pb2.SubmitJobsRequest.DESCRIPTOR),
        (SplitSpec.DESCRIPTOR, job_pb2.JobSpec.DESCRIPTOR),
        (SplitSpec.DESCRIPTOR.fields_by_name["input"].message_type, job_pb2.Payload.DESCRIPTOR),
    ]
    for mine, contract in pairs:
        described, meant_by = DescriptorProto(), DescriptorProto()
        mine.CopyToProto(described)
        contract.CopyToProto(meant_by)
        originals = {field.name: field for field in meant_by.field}
        for own in described.field:
            meant = originals[own.name]
            assert (own.number, own.label) == (meant.number, meant.label)
            # A submessage may be left unread, as bytes: the same on the wire.
            assert own.type == meant.type or (own.type, meant.type) == (own.TYPE_BYTES, own.TYPE_MESSAGE)


def test_a_repeat_has_the_digest_of_the_first_whatever_the_order_of_its_maps() -> None:
    entries = [bytes_field(6, text_field(1, f"k{number}") + text_field(2, "v")) for number in range(20)]  # JobSpec.labels
    spec = echo(input=job_pb2.Payload(data=b"x")).SerializeToString()
    head = text_field(1, str(uuid.UUID(int=1)))
    requests = [head + bytes_field(3, spec + b"".join(order)) for order in (entries, reversed(entries))]
    assert requests[0] != requests[1]
    first, second = (parser().parse_submit(request, Caller()) for request in requests)
    assert len(first.policies[0].labels) == 20
    assert request_digest(first) == request_digest(second)


def test_any_difference_changes_the_digest() -> None:
    base = [echo(input=job_pb2.Payload(data=b"ab")), echo(input=job_pb2.Payload(data=b"c"))]
    variants = [
        parsed(*base),
        parsed(*base, batch_id=str(uuid.UUID(int=2))),
        parsed(echo(input=job_pb2.Payload(data=b"a")), echo(input=job_pb2.Payload(data=b"bc"))),
        parsed(*reversed(base)),
        parsed(*base, echo()),
        parsed(*base, echo(priority=99)),
        parsed(base[0], echo(input=job_pb2.Payload(data=b"c"), priority=1)),
        parsed(base[0], echo(input=job_pb2.Payload(data=b"c", name="n"))),
        parsed(base[0], echo(input=job_pb2.Payload(data=b"c"), job_id=str(uuid.UUID(int=3)))),
        parsed(base[0], echo(input=job_pb2.Payload(data=b"c"), start_delay=Duration(seconds=1))),
    ]
    assert len({request_digest(each) for each in variants}) == len(variants)


def test_delays_and_deadlines_are_reckoned_from_each_call_though_the_template_is_kept() -> None:
    clock = FakeClock()
    by = SubmitParser(LiveConfiguration(WireLimits(), SpecDefaults(), FakeHandlers()), clock)
    spec = echo(start_delay=Duration(seconds=5), total_timeout=Duration(seconds=60))
    first = parsed(spec, by=by)
    clock.step_wall(100)
    second = parsed(spec, by=by)
    assert first.policies[0].start_us == second.policies[0].start_us - 100_000_000
    assert second.policies[0].start_us == clock.now_us() + 5_000_000
    assert second.policies[0].deadline_us == clock.now_us() + 60_000_000
    assert request_digest(first) == request_digest(second)


def test_tenants_do_not_share_policies() -> None:
    by = parser()
    request = job_service_pb2.SubmitJobsRequest(jobs=[echo()]).SerializeToString()
    tenants = [by.parse_submit(request, Caller(tenant=name)).policies[0].tenant for name in ("a", "b", "a")]
    assert tenants == ["a", "b", "a"]


def test_the_stored_spec_has_its_defaults_and_parts_of_its_own() -> None:
    spec = echo(input=job_pb2.Payload(name="a.pdf", media_type="application/pdf"), dedupe_key="k")
    spec.dedupe_window.FromSeconds(5)
    stored = job_pb2.JobSpec.FromString(parsed(spec).policies[0].spec)
    assert (stored.queue, stored.priority, stored.dedupe_key) == ("default", 5, "k")
    assert (stored.input.name, stored.input.media_type) == ("a.pdf", "application/pdf")
    assert stored.attempt_timeout.seconds == 3_600
    assert stored.retry_policy.max_attempts == 3


def test_templates_are_bounded_and_dropped_when_the_configuration_changes() -> None:
    cache = TemplateCache(entries_max=2, key_bytes_max=4)
    template = SpecTemplate("q", "", "", 5, (), 0, 0, 0, 1, False, 0, b"")
    for key in (b"a", b"b"):
        cache.put(key, template)
    assert cache.get(b"a", 0) is template
    cache.put(b"c", template)
    assert cache.get(b"b", 0) is None  # the least recently used
    cache.put(b"large", template)
    assert len(cache) == 2
    assert cache.get(b"a", 1) is None
    assert len(cache) == 0


# ----------------------------------------------------------------------------------------------------------------------- status


def test_reasons_and_states_are_those_of_the_contract() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name, _ in errors_pb2.ErrorReason.items()} - {"UNSPECIFIED"}
    assert {reason.value for reason in Reason} == names
    assert {f"JOB_STATE_{state.name}": int(state) for state in JobState} == {
        name: number for name, number in job_pb2.JobState.items() if number
    }


@settings(max_examples=30)
@given(st.text(), st.dictionaries(st.text(max_size=20), st.text(max_size=2_000), max_size=3))
def test_a_status_fits_the_trailers(message: str, metadata: dict[str, str]) -> None:
    error = IngestError(message * 100, metadata=metadata, retry_after_seconds=-1.0)
    assert status_of_error(error).ByteSize() < 2 * DETAILS_BYTES_MAX + 4 * 1_024
