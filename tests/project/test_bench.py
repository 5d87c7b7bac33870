"""The benchmark runner: small sizes of its cheap benchmarks, its table and its JSON; what it refuses; its arithmetic."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.bench.figures import COLUMNS, Figure, Requirement, number, table
from scripts.lib.generate_protos import ROOT

RUNNER = [sys.executable, "-m", "scripts.bench"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUNNER, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


@pytest.mark.slow
def test_a_quick_run_prints_a_table_and_writes_what_it_measured(tmp_path: Path) -> None:
    output, data = tmp_path / "results" / "figures.json", tmp_path / "data"
    benchmarks = ("throughput", "latency", "idle")
    ended = run("--quick", "--rounds", "1", "--data-dir", str(data), "--output", str(output), *benchmarks)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    header = next(index for index, line in enumerate(lines) if tuple(cells(line)) == COLUMNS)
    rows = [cells(line) for line in lines[header + 2 : lines.index("", header)]]

    found: dict[str, Any] = json.loads(output.read_text())
    assert list(found["seconds"]) == list(benchmarks)
    assert found["quick"] is True
    assert {"python", "grpcio", "apsw", "sqlite", "ingest"} <= found["versions"].keys()
    assert found["machine"]["processors_usable"] >= 1
    assert found["data_dir"]["fsync_us_median"] > 0
    assert found["at_end"]["fsync_us_median"] > 0
    figures = {figure["name"]: figure for figure in found["figures"]}
    assert [row[0] for row in rows] == [figure["what"].strip() for figure in found["figures"]]
    assert {"throughput.jobs", "throughput.cpu.store", "latency.ack", "latency.end", "idle.pss", "idle.ready"} <= figures.keys()
    for figure in figures.values():
        assert len(figure["ours"]["rounds"]) == 1
        assert figure["ours"]["min"] <= figure["ours"]["median"] <= figure["ours"]["max"]
    throughput = figures["throughput.jobs"]
    assert throughput["ratio"]["median"] == throughput["ours"]["median"] / throughput["ceiling"]["median"]
    assert figures["latency.end"]["ours"]["median"] > figures["latency.ack"]["ours"]["median"] > 0
    assert not any(data.iterdir()), "data was left behind"


@pytest.mark.slow
def test_unary_calls_over_http_are_measured_beside_a_route_written_by_hand(tmp_path: Path) -> None:
    output = tmp_path / "figures.json"
    ended = run("--quick", "--rounds", "1", "--data-dir", str(tmp_path / "data"), "--output", str(output), "rest-unary")
    assert ended.returncode == 0, ended.stderr
    figures = {figure["name"]: figure for figure in json.loads(output.read_text())["figures"]}
    for name in ("rest.get.cpu", "rest.submit.cpu"):
        assert figures[name]["ours"]["median"] > 0
        assert figures[name]["ceiling"]["median"] > 0
    assert "without Envoy" in ended.stderr or {"rest.get.core", "rest.submit.core"} <= figures.keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("thruput",), "no benchmark is called thruput"),
        (("--rounds", "0"), "--rounds is 0"),
        (("pdf", "--pdfs", "/nowhere/at/all"), "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(arguments: tuple[str, ...], words: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert words in ended.stderr


def test_a_ratio_is_taken_within_each_round() -> None:
    figure = Figure("f", "what", "s", (1.0, 4.0, 9.0), (2.0, 4.0, 3.0), "c", (Requirement("ratio", most=1.0),))
    assert figure.ratios == (0.5, 1.0, 3.0)
    assert figure.met is True
    assert figure.as_json()["ratio"]["median"] == 1.0


@pytest.mark.parametrize(
    ("requirements", "met"),
    [
        ((), None),
        ((Requirement("ours", least=2.0),), True),
        ((Requirement("ours", least=2.0), Requirement("ratio", most=0.4)), False),
        ((Requirement("ours", most=1.9),), False),
    ],
)
def test_all_requirements_of_a_figure_must_be_met(requirements: tuple[Requirement, ...], met: bool | None) -> None:
    figure = Figure("f", "what", "", (2.0,), (4.0,), "c", requirements)
    assert figure.met is met
    last = table([figure]).splitlines()[-1]
    assert last.endswith({None: "–", True: "yes", False: "NO"}[met])


def test_rounds_without_their_ceiling_are_a_fault() -> None:
    with pytest.raises(ValueError, match="2 rounds"):
        Figure("f", "what", "", (1.0, 2.0), (1.0,))
    with pytest.raises(ValueError, match="no round"):
        Figure("f", "what", "", ())


@pytest.mark.parametrize(("value", "text"), [(123_456.7, "123,457"), (99.94, "99.9"), (0.01234, "0.0123"), (-1_000.0, "-1,000")])
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
