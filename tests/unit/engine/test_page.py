"""The shared page, seen from two mappings as from two processes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ingest_server.engines.local.page import SLOT, SharedPage, create_page


@pytest.fixture
def pages() -> Iterator[tuple[SharedPage, SharedPage]]:
    fd = create_page(3)
    ends = SharedPage(fd, 3), SharedPage(fd, 3)
    os.close(fd)
    yield ends
    for end in ends:
        end.close()


def test_what_is_entered_is_seen_until_it_leaves(pages: tuple[SharedPage, SharedPage]) -> None:
    worker, server = pages
    assert server.entered() == {}
    worker.enter(0, (7, 1), 1_000)
    worker.enter(2, (8, 2**62), 2_000)
    assert server.entered() == {(7, 1): 1_000, (8, 2**62): 2_000}
    worker.leave(0)
    assert server.entered() == {(8, 2**62): 2_000}


def test_a_slot_is_taken_over(pages: tuple[SharedPage, SharedPage]) -> None:
    worker, server = pages
    worker.enter(0, (7, 1), 1_000)
    worker.enter(0, (8, 1), 2_000)
    assert server.entered() == {(8, 1): 2_000}


def test_a_torn_slot_looks_empty(pages: tuple[SharedPage, SharedPage]) -> None:
    worker, server = pages
    # As in the middle of `enter`: values are there, the generation is not.
    SLOT.pack_into(worker._map, 0, 7, 1, 1_000, 0)
    assert server.entered() == {}
