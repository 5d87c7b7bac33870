"""Writes the table of peers into docs/performance.md between its two marks, from a record and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.bench.peer_queues.record import markdown

BEGIN = "<!-- peers: written by scripts/bench/peers --page, not by hand -->"
END = "<!-- end of peers -->"


def with_table(page: str, table: str) -> str:
    """The page with its table replaced.

    Raises:
        ValueError: a mark is missing, or there twice.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"the page must have the line {BEGIN!r} once, and after it {END!r} once")
    return f"{page.partition(BEGIN)[0]}{BEGIN}\n{table}{END}{page.partition(END)[2]}"


def write_page(path: Path, record: Mapping[str, Any]) -> None:
    """Put the record's table into the page at `path`."""
    path.write_text(with_table(path.read_text(encoding="utf-8"), markdown(record)), encoding="utf-8")
