"""Frames: whole again however they are cut; nonsense is a FrameError and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_server.engines.interface import OutcomeCode
from ingest_server.engines.local.frames import HEADER, FrameError, FrameReader, Kind, pack, unpack

ROW = (2**63 - 1, 1, b"j" * 16, 1, b"spec", b"ipayload", 1_000, 0, 2)
OUTCOME = (1, 2, 0, b"", b"", b"", b"", "local/1", 0, 1)


@given(bodies=st.lists(st.binary(max_size=300), max_size=6), cuts=st.lists(st.integers(1, 50), min_size=1))
def test_frames_are_whole_however_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(HEADER.pack(len(body), Kind.JOBS) + body for body in bodies)
    reader, frames, position, turn = FrameReader(300), [], 0, 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        frames += reader.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert frames == [(Kind.JOBS, body) for body in bodies]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.JOBS, [ROW, ROW]),
        (Kind.OUTCOMES, [OUTCOME]),
        (Kind.RETURNED, [(1, 2)]),
        (Kind.READY, 7),
        (Kind.PROGRESS, [(1, 2, b"p")]),
        (Kind.CANCEL, [(1, 2)]),
        (Kind.INTERRUPT, []),
        (Kind.NUDGE, 0),
    ],
)
def test_what_is_packed_is_unpacked(kind: Kind, body: object) -> None:
    ((found, data),) = FrameReader(10_000).feed(pack(kind, body))
    assert (found, unpack(found, data)) == (kind, body)


def test_a_frame_above_the_limit_is_refused_by_its_header_alone() -> None:
    reader = FrameReader(100)
    assert reader.feed(HEADER.pack(100, 1)) == []
    with pytest.raises(FrameError, match="a frame of 101 bytes; at most 100 are allowed"):
        FrameReader(100).feed(HEADER.pack(101, 1))


@pytest.mark.parametrize("kind", [0, max(Kind) + 1, 255])
def test_a_kind_that_there_is_not_is_refused_by_the_header(kind: int) -> None:
    with pytest.raises(FrameError, match="does not exist"):
        FrameReader(100).feed(HEADER.pack(50, kind))


def test_the_beginning_of_a_frame_is_told() -> None:
    reader, frame = FrameReader(100), pack(Kind.READY, 7)
    assert not reader.unfinished
    for size in (1, HEADER.size):
        reader.feed(frame[:size])
        assert reader.unfinished
        reader.feed(frame[size:])
        assert not reader.unfinished


@given(kind=st.integers(0, 255), data=st.binary(max_size=200))
def test_nonsense_raises_nothing_but_frame_errors(kind: int, data: bytes) -> None:
    try:
        unpack(kind, data)
    except FrameError:
        pass


@pytest.mark.parametrize(
    "row",
    [
        OUTCOME[:9],
        (*OUTCOME, 1),
        (1, 2, max(OutcomeCode) + 1, *OUTCOME[3:]),
        (1, 2, -1, *OUTCOME[3:]),
        ("1", *OUTCOME[1:]),
        (*OUTCOME[:3], "text", *OUTCOME[4:]),
        (*OUTCOME[:7], b"name", *OUTCOME[8:]),
        (1.5, *OUTCOME[1:]),
        None,
    ],
)
def test_an_outcome_of_another_shape_is_refused(row: object) -> None:
    ((kind, data),) = FrameReader(10_000).feed(pack(Kind.OUTCOMES, [row]))
    with pytest.raises(FrameError):
        unpack(kind, data)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(FrameError):
        unpack(Kind.OUTCOMES, b"\x91" * 1_000_000)
