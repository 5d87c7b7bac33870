"""The frame of `scripts/chaos`: its exit status and its report tell the truth about the scenarios."""

from __future__ import annotations

import json

import pytest

from scripts.faults import __main__ as chaos
from scripts.faults import registry
from scripts.faults.scenario import Outcome, Round, Scenario, cannot_run


def scenario(name: str, outcome: Outcome, seen: list[Round] | None = None) -> Scenario:
    """One that ends as told."""

    def run(this: Round) -> Outcome:
        if seen is not None:
            seen.append(this)
        this.progress.begin("working", 2)
        this.progress.advance()
        return outcome

    return Scenario(name, f"{name} happens", "nothing [at all] is lost", run)


GOOD = scenario("good", Outcome(True, {"jobs": 1_000, "p99_ms": 1.25}))
BAD = scenario("bad", Outcome(False, {"jobs_lost": 1}, ["a job was lost; scripts/chaos bad --seed 7"]))
SKIPPED = scenario("skipped", cannot_run("needs root"))


@pytest.fixture
def scenarios(monkeypatch: pytest.MonkeyPatch) -> dict[str, Scenario]:
    """What is registered; empty at first."""
    found: dict[str, Scenario] = {}
    monkeypatch.setattr(registry, "load", lambda: found)
    return found


@pytest.mark.parametrize(
    ("played", "status"),
    [([GOOD], 0), ([GOOD, BAD, SKIPPED], 1), ([GOOD, SKIPPED], 3), ([], 0)],
    ids=["held", "broken", "skipped", "none"],
)
def test_the_exit_status_is_that_of_the_worst_scenario(
    scenarios: dict[str, Scenario], played: list[Scenario], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    scenarios.update((one.name, one) for one in played)
    assert chaos.main(["all", "--json", "--seed", "7"]) == status
    rows = json.loads(capsys.readouterr().out)
    verdicts = {"good": "held", "bad": "broken", "skipped": "not run"}
    assert [(row["scenario"], row["verdict"], row["seed"]) for row in rows] == [
        (one.name, verdicts[one.name], 7) for one in played
    ]


def test_the_table_names_criterion_figures_seed_and_fault(
    scenarios: dict[str, Scenario], capsys: pytest.CaptureFixture[str]
) -> None:
    scenarios["bad"] = BAD
    assert chaos.main(["bad", "--seed", "7"]) == 1
    told = capsys.readouterr()
    for expected in ("[at all]", "BROKEN", "jobs_lost 1", "a job was lost; scripts/chaos bad --seed 7"):
        assert expected in told.out
    assert told.err == "bad: seed 7\n", "no bar where nobody looks"


def test_a_fresh_seed_is_told_and_the_folder_is_removed(
    scenarios: dict[str, Scenario], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Round] = []
    scenarios["good"] = scenario("good", Outcome(True), seen)
    assert chaos.main(["good", "--short"]) == 0
    assert chaos.main(["good"]) == 0
    first, second = seen
    assert (first.short, second.short) == (True, False)
    assert first.seed != second.seed
    assert f"seed {first.seed}\n" in capsys.readouterr().err
    assert not first.folder.exists()


def test_a_scenario_that_breaks_off_has_failed_and_the_others_are_played(
    scenarios: dict[str, Scenario], capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(this: Round) -> Outcome:
        raise KeyError("no such figure")

    scenarios.update(broken=Scenario("broken", "It breaks.", "It holds.", breaks), good=GOOD)
    assert chaos.main(["all", "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert (first["verdict"], second["verdict"]) == ("broken", "held")
    assert "no such figure" in first["faults"][0]


def test_a_wrong_command_line_ends_with_2(scenarios: dict[str, Scenario], capsys: pytest.CaptureFixture[str]) -> None:
    scenarios["good"] = GOOD
    with pytest.raises(SystemExit) as ended:
        chaos.main(["unknown"])
    assert ended.value.code == 2
    assert "good" in capsys.readouterr().err


def test_every_scenario_has_a_name_a_criterion_and_arguments_with_defaults() -> None:
    found = registry.load()
    for name, one in found.items():
        assert name == one.name == name.lower()
        assert one.summary.endswith(".")
        assert one.criterion.endswith(".")
        chaos.parser(found).parse_args([name])
