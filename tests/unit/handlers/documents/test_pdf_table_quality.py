"""Tables of PDFs against tables whose cells are known: a few of each kind that scripts/bench/table_quality measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.bench.column_samples import OTHER_KINDS
from scripts.bench.table_quality import measure, relations
from scripts.bench.table_samples import TABLE_KINDS

PAGES = 10


def test_relations_join_cells_with_their_next_neighbours_with_text() -> None:
    cells = [(0, 0, 1, 2, "over both"), (1, 0, 1, 1, "a"), (1, 1, 1, 1, "b"), (2, 1, 1, 1, "c"), (2, 3, 1, 1, "d")]
    assert relations(cells) == {
        ("overboth", "a", "below"): 1,
        ("overboth", "b", "below"): 1,
        ("a", "b", "right"): 1,
        ("b", "c", "below"): 1,
        ("c", "d", "right"): 1,
    }


@pytest.mark.parametrize("kind", TABLE_KINDS)
def test_tables_are_found_as_they_are(kind: str, tmp_path: Path) -> None:
    found = measure(kind, PAGES, 1, tmp_path)
    assert found.met, found


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_what_stands_in_columns_and_is_no_table_is_none(kind: str, tmp_path: Path) -> None:
    assert measure(kind, PAGES, 1, tmp_path).tables == 0
