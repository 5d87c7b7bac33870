"""The table of docs/reliability.md comes from the JSON of runs, and has its place there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.faults import page

ROW = {
    "scenario": "good",
    "criterion": "nothing | is lost",
    "verdict": "held",
    "seed": 7,
    "seconds": 61.4,
    "figures": {"jobs": 100_000, "p99_seconds": 0.01234},
    "faults": [],
    "skipped": "",
}


def test_a_row_tells_figures_and_the_command_that_repeats_it() -> None:
    (line,) = page.table([ROW]).removeprefix(page.HEAD).splitlines()
    for expected in ("nothing \\| is lost", "held", "jobs 100,000<br>p99_seconds 0.0123", "`scripts/chaos good --seed 7` (61 s)"):
        assert expected in line


def test_the_later_run_of_a_scenario_wins() -> None:
    made = page.table([ROW, {**ROW, "verdict": "broken"}])
    assert made.count("good --seed") == 1
    assert "broken" in made


def test_the_page_is_written_and_the_rest_of_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, run = tmp_path / "page.md", tmp_path / "run.json"
    target.write_text(f"before\n{page.BEGIN}old\n{page.END}after\n")
    run.write_text(json.dumps([ROW]))
    monkeypatch.setattr(page, "PAGE", target)
    assert page.main([str(run)]) == 0
    assert target.read_text() == f"before\n{page.BEGIN}{page.table([ROW])}{page.END}after\n"
    assert page.main([]) == 2


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="end of figures"):
        page.with_table(page.BEGIN, "table")


def test_the_page_has_a_place_for_the_table() -> None:
    page.with_table(page.PAGE.read_text(), "")
