"""The benchmark of peers, without the peers: what it chooses, what it reads, its arithmetic, its table, what it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scripts.bench.peer_queues import page, record, setups
from scripts.bench.peer_queues.brokers import Brokers
from scripts.bench.peer_queues.clients import harness
from scripts.bench.peer_queues.environments import Missing, environment
from scripts.bench.peer_queues.processes import answers, free_port, running, wait_until
from scripts.bench.peer_queues.rounds import Plan, Rounds
from scripts.bench.peer_queues.turn import CLIENTS, Amount, Turn, read
from scripts.lib.generate_protos import ROOT


def turn(rate: float, latency: float = 2.0) -> dict[str, Any]:
    return Turn(1_000, 1_000 / rate, (latency / 1e3,)).as_json()


def peer_row(name: str, rates: list[float | None], durable: bool, ours: float = 10_000.0) -> dict[str, Any]:
    turns = [turn(rate) if rate else None for rate in rates]
    mine, bare = [turn(ours)] * len(rates), [turn(2 * ours)] * len(rates)
    return record.row(name, turns, mine, stubs=bare, durable=durable, durability="as told", versions={"queue": "1.2"})


def whole_record() -> dict[str, Any]:
    rows = [peer_row("slow/default", [100.0, None], False), peer_row("quick/fast", [500.0, 250.0], False)]
    rows.append(peer_row("safe/durable", [100.0, 100.0], True))
    return {
        "begun": "2030-01-02 03:04 UTC",
        "machine": {"processors_usable": 2, "processor": "Abacus", "load_average_at_start": 0.5},
        "data_dir": {"file_system": "ext4", "fsync_us_median": 200.0},
        "versions": {"python": "3.11"},
        "servers": {"redis-server": "7"},
        "quick": False,
        "jobs_max": 20_000,
        "turn_seconds": 4.0,
        "ours": [peer_row("ingest/client", [10_000.0, 10_000.0], True)],
        "peers": rows,
        "verdicts": record.verdicts(rows),
        "skipped": [{"name": "rq", "reason": "no redis"}],
    }


def test_every_peer_has_a_client_that_python_can_compile_and_every_setting_a_name_of_its_own() -> None:
    for peer in setups.PEERS:
        path = CLIENTS / f"{peer.program}.py"
        compile(path.read_text(), str(path), "exec")
        assert "Documentation: https://" in path.read_text(), peer.name
    everything = list(setups.chosen([]))
    assert len({setup.name for setup in everything}) == len(everything) == 3 * len(setups.PEERS)
    assert all(setup.durability for setup in everything)
    assert {setup.name for setup in everything if setup.durable} >= {"huey/default", "procrastinate/default", "arq/durable"}


def test_names_choose_a_peer_or_one_of_its_settings_and_others_are_refused() -> None:
    assert [setup.name for setup in setups.chosen(["arq", "saq/fast"])] == ["arq/default", "arq/fast", "arq/durable", "saq/fast"]
    with pytest.raises(ValueError, match="there is no peer 'ark'; there are celery-redis"):
        list(setups.chosen(["ark"]))


def test_a_turn_is_read_and_what_is_none_is_refused() -> None:
    found = read('{"jobs": 10, "seconds": 2.0, "latencies": [0.001, 0.003, 0.002]}')
    assert (found.jobs_per_second, found.latency_ms) == (5.0, 2.0)
    for line in (
        "",
        "[]",
        '{"jobs": 10}',
        '{"jobs": 0, "seconds": 1, "latencies": [1]}',
        '{"jobs": 1, "seconds": 1, "latencies": []}',
    ):
        with pytest.raises(ValueError):
            read(line)


def test_a_slow_peer_gets_as_many_jobs_as_fit_and_a_quick_one_all() -> None:
    asked = harness.Amount(20_000, 4.0, 10, 1.0)
    assert harness.jobs_within(asked, 200, 0.4) == 2_000
    assert harness.jobs_within(asked, 200, 0.001) == 20_000
    assert harness.jobs_within(asked, 200, 1_000.0) == harness.PROBE_JOBS
    assert harness.jobs_within(harness.Amount(20_000, 0.0, 10, 1.0), 200, 1_000.0) == 20_000


def test_the_harness_measures_a_client_and_a_wrong_answer_ends_it() -> None:
    code = "import harness\nharness.serve(lambda jobs: harness.check([{answer}] * jobs))"
    variables = {**os.environ, "PYTHONPATH": str(CLIENTS)}

    def ended(answer: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code.format(answer=answer), "300", "1", "6", "1"]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30)

    found = read(ended(harness.ANSWER).stdout)
    assert (found.jobs, len(found.latencies)) == (300, 6)
    wrong = ended(8)
    assert wrong.returncode != 0
    assert "is not 7" in wrong.stderr


def test_ratios_are_of_turns_of_one_round_and_rounds_without_a_turn_are_left_out() -> None:
    ours, stubs = [turn(1_000.0), turn(4_000.0), turn(9_000.0)], [turn(2_000.0)] * 3
    found = record.row("p/fast", [turn(100.0), None, turn(300.0)], ours, stubs=stubs, durable=False, durability="")
    assert found["ours_times"]["rounds"] == pytest.approx([10.0, 30.0])
    assert found["stubs_times"]["rounds"] == pytest.approx([20.0, 2_000 / 300])
    with pytest.raises(ValueError, match="has no turn"):
        record.row("p/fast", [None], [turn(1.0)], stubs=[turn(1.0)], durable=False, durability="")


def test_verdicts_take_the_fastest_peer_of_each_kind_and_say_when_a_requirement_is_missed() -> None:
    fastest, durable = whole_record()["verdicts"]
    assert (fastest["peer"], fastest["times"], fastest["met"]) == ("quick/fast", pytest.approx(30.0), True)
    assert (durable["peer"], durable["times"], durable["met"]) == ("safe/durable", pytest.approx(100.0), True)
    missed = record.verdicts([peer_row("rapid/fast", [5_000.0], False)])
    assert [each["met"] for each in missed] == [False]


def test_the_page_says_which_run_it_shows_and_only_its_table_changes() -> None:
    before = f"# Title\n\n{page.BEGIN}\nthe one before\n{page.END}\n\nafter\n"
    after = page.with_table(before, record.markdown(whole_record()))
    assert after.startswith("# Title\n\n")
    assert after.endswith("\n\nafter\n")
    assert "the one before" not in after
    assert "Run of 2030-01-02 03:04 UTC: 2 cores of Abacus, ext4, an fsync of 0.20 ms" in after
    assert "| quick 1.2 | fast | no: as told | 375 (250–500) | 30, 60 | 2.0 ms | 1,000 × 2 |" in after
    assert "- rq was not measured: no redis" in after
    assert page.with_table(after, record.markdown(whole_record())) == after
    with pytest.raises(ValueError, match="must have the line"):
        page.with_table("no marks", "")
    page.with_table((ROOT / "docs" / "performance.md").read_text(), "")


def test_a_peer_that_cannot_be_installed_is_missing_with_a_reason(tmp_path: Path) -> None:
    peer = setups.Peer("nobody", "nobody_peer", (str(tmp_path / "absent.whl"),), "sqlite", ())
    with pytest.raises(Missing, match=r"could not be installed .*absent"):
        environment(peer, tmp_path)


def test_a_peer_that_fails_is_named_and_left_out_of_later_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arq, saq = setups.chosen(["arq/fast", "saq/durable"])
    asked: list[str] = []

    def measure(setup: setups.Setup, *others: object) -> Turn:
        asked.append(setup.name)
        if setup is arq:
            raise RuntimeError("no\n answer")
        return Turn(100, 1.0, (0.001,))

    monkeypatch.setattr("scripts.bench.peer_queues.turn.measure", measure)
    monkeypatch.setattr("scripts.bench.peer_queues.ours.measure", lambda *given: Turn(100, 0.01, (0.001,)))
    with ExitStack() as until:
        plan = Plan((arq, saq), 2, Amount(100, 1.0, 1, 1.0), tmp_path, False)
        programs = {setup.name: tmp_path for setup in plan.setups}
        rounds = Rounds(plan, tmp_path, Brokers(tmp_path, until), programs, lambda line: None)
        rounds.round(1, plan.setups)
        assert rounds.leaders() == [saq]
        rounds.round(2, plan.setups)
    assert asked == ["arq/fast", "saq/durable", "saq/durable"]
    assert rounds.faults == {"arq/fast": "no answer"}
    assert rounds.peers["arq/fast"] == [None, None]


def test_a_process_is_ended_with_all_it_started(tmp_path: Path) -> None:
    port = free_port()
    inner = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    deaf = "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    outer = f"{deaf}; subprocess.run([sys.executable, '-c', {inner!r}])"
    log = tmp_path / "log"
    with running([sys.executable, "-c", outer], log) as process:
        wait_until("the listener", lambda: answers(port), process, log, seconds=30.0)
    assert not answers(port)
    with (
        running([sys.executable, "-c", "raise SystemExit('told why')"], log) as process,
        pytest.raises(RuntimeError, match=r"it ended: .*told why"),
    ):
        wait_until("it", lambda: False, process, log, seconds=30.0)


def test_the_command_line_lists_and_refuses() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scripts.bench.peer_queues", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert run("--list", "--only", "huey").stdout.split() == ["huey/default", "huey/fast", "huey/durable"]
    refused = run("--only", "ark")
    assert refused.returncode == 2
    assert "there is no peer 'ark'" in refused.stderr


def test_a_record_is_json() -> None:
    assert json.loads(json.dumps(whole_record()))["verdicts"]
