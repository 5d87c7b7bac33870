"""The benchmark of what is read of PDFs beside text: it counts what is there, and tells of every case."""

from __future__ import annotations

from pathlib import Path

from scripts.bench.pdf_structure import costs
from tests.unit.handlers.documents.pdf_structure_files import everything


def test_every_case_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "everything.pdf"
    path.write_bytes(everything())
    found = {cost.name: cost for cost in costs(path, rounds=1)}
    assert {name: cost.found for name, cost in found.items() if name != "drawn"} == {
        "text": 3, "outline": 3, "links": 4, "images": 2, "text of drawn": 3,
    }  # fmt: skip
    assert found["drawn"].found > 1_000
    assert found["text"].ratio == found["text of drawn"].ratio == 1
    assert all(cost.seconds > 0 and cost.ratio > 0 for cost in found.values())
