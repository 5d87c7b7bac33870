"""UUIDs of version 7."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from ingest_server.domain.ids import IdentifierSource


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 1 << 47)), min_size=1, max_size=8))
def test_ids_grow_strictly_whatever_the_clock_does(calls: list[tuple[int, int]]) -> None:
    factory = IdentifierSource()
    ids = [made for count, now_us in calls for made in factory.take(count, now_us)]
    assert ids == sorted(set(ids))


def test_an_id_is_a_uuid_of_version_7_that_tells_its_time() -> None:
    milliseconds = 1_700_000_000_123
    made = uuid.UUID(bytes=IdentifierSource().take(1, milliseconds * 1_000 + 999)[0])
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == milliseconds


def test_two_factories_do_not_meet() -> None:
    first, second = IdentifierSource(), IdentifierSource()
    assert not set(first.take(1_000, 5_000)) & set(second.take(1_000, 5_000))
