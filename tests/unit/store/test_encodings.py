"""Identifiers, histories and frames: the small encodings of the store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_server.domain.ids import IdentifierSource
from ingest_server.store import history
from ingest_server.store.records import Verdict
from ingest_server.store.sqlite import frames

NOW_US = 1_760_000_000_123_456

records = st.builds(
    history.AttemptRecord,
    st.integers(0, 2**32 - 1), st.sampled_from(Verdict), st.integers(0, 2**62), st.integers(0, 2**62), st.text(max_size=20),
    st.binary(max_size=50),
)  # fmt: skip


def test_identifiers_grow_even_beyond_4096_in_one_millisecond_and_when_time_goes_back() -> None:
    source = IdentifierSource()
    ids = (
        source.take(5_000, NOW_US) + source.take(5_000, NOW_US) + source.take(3, NOW_US - 10**9) + source.take(1, NOW_US + 10**7)
    )
    assert ids == sorted(set(ids))
    assert all((job_id[6] >> 4, job_id[8] >> 6) == (7, 2) for job_id in ids)
    assert int.from_bytes(ids[-1][:6], "big") == (NOW_US + 10**7) // 1_000


@given(st.lists(records, max_size=8))
def test_a_history_is_read_as_it_was_written(attempts: list[history.AttemptRecord]) -> None:
    packed = b""
    for record in attempts:
        packed = history.append(packed, record)
    assert history.decode(packed) == attempts == history.decode(history.encode(attempts))


@pytest.mark.parametrize("cut", [1, 20, 30])
def test_a_history_that_is_cut_off_is_refused(cut: int) -> None:
    packed = history.encode([history.AttemptRecord(1, Verdict.FAILED, 1, 2, "worker", b"failure")])
    with pytest.raises(ValueError, match="ends inside an entry"):
        history.decode(packed[:-cut] if cut < 30 else packed[:5])


@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(1, 50))
def test_frames_come_out_whole_however_they_are_cut(values: list[bytes], piece: int) -> None:
    stream = b"".join(frames.pack(value) for value in values)
    buffer = frames.FrameBuffer()
    found: list[bytes] = []
    for start in range(0, len(stream), piece):
        buffer.feed(stream[start : start + piece])
        found += buffer.take()
    assert found == values


def test_a_frame_takes_plain_types_only() -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        frames.pack([Verdict.FAILED])
