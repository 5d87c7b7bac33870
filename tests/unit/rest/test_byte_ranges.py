"""Range headers and entity tags: what is ignored, what is refused, what is chosen."""

from __future__ import annotations

import pytest

from ingest_server.rest.byte_ranges import Range, Unsatisfiable, choose_range, names_tag


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=0-1;x",
        "bytes=" + "9" * 20 + "-",
        "bytes=-" + "9" * 400,
        "bytes=٣-٤",
    ],
)
def test_what_cannot_be_read_is_ignored_and_all_is_sent(header: str) -> None:
    assert choose_range(header, 10) == Range(0, 10, 10, False)


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)]
)
def test_what_begins_behind_the_end_is_refused(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        choose_range(header, size)


@pytest.mark.parametrize(
    ("header", "offset", "count", "shown"),
    [
        ("bytes=0-0", 0, 1, "bytes 0-0/10"),
        ("bytes=2-4", 2, 3, "bytes 2-4/10"),
        ("bytes=2-", 2, 8, "bytes 2-9/10"),
        ("bytes=2-99999", 2, 8, "bytes 2-9/10"),
        ("bytes=-3", 7, 3, "bytes 7-9/10"),
        ("bytes=-99", 0, 10, "bytes 0-9/10"),
        ("Bytes = 2 - 4", 2, 3, "bytes 2-4/10"),
    ],
)
def test_one_range_is_chosen(header: str, offset: int, count: int, shown: str) -> None:
    chosen = choose_range(header, 10)
    assert (chosen.offset, chosen.count, chosen.partial, chosen.content_range) == (offset, count, True, shown)


@pytest.mark.parametrize(
    ("header", "weakly", "strongly"),
    [
        ('"abc"', True, True),
        ('W/"abc"', True, False),
        ('"x", "abc"', True, True),
        ("*", True, True),
        ("abc", False, False),
        ('"abcd"', False, False),
        ("Sun, 22 Nov 2026 01:57:29 GMT", False, False),
    ],
)
def test_entity_tags_are_compared_as_the_condition_wants(header: str, weakly: bool, strongly: bool) -> None:
    assert names_tag(header, "abc", strong=False) is weakly
    assert names_tag(header, "abc", strong=True) is strongly
