"""Interleaved rounds: ours and then one peer after the other; the first has all of them, the later ones those that lead."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.bench import machine
from scripts.bench.peer_queues import ours, record, turn
from scripts.bench.peer_queues.brokers import Brokers
from scripts.bench.peer_queues.environments import Missing, environment, system_program, versions
from scripts.bench.peer_queues.setups import Setup

LEADERS = 4
"""Settings with fsync, and as many without, that every round measures; who is slower in the first has no say in the verdicts."""

FAULT_MAX = 600
"""Characters kept of what a failed turn wrote."""

SERVERS = {"redis": "redis-server", "rabbitmq": "rabbitmq-server", "postgres": "initdb"}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, how often, how much, and where environments and data go."""

    setups: tuple[Setup, ...]
    rounds: int
    amount: turn.Amount
    build: Path
    quick: bool


class Rounds:
    """The turns of a run as they come in."""

    def __init__(self, plan: Plan, folder: Path, brokers: Brokers, programs: Mapping[str, Path], tell: Tell) -> None:
        self._plan, self._folder, self._brokers, self._programs, self._tell = plan, folder, brokers, programs, tell
        self.ours: dict[str, list[dict[str, Any]]] = {ours.CLIENT: [], ours.STUBS: []}
        self.peers: dict[str, list[dict[str, Any] | None]] = {setup.name: [] for setup in plan.setups}
        self.faults: dict[str, str] = {}

    def round(self, number: int, setups: Sequence[Setup]) -> None:
        """One round: ours, then each of `setups`. Who fails is named once and left out from then on."""
        for name, turns in self.ours.items():
            self._tell(f"round {number} of {self._plan.rounds}: {name}")
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                turns.append(ours.measure(name, Path(folder), self._plan.amount).as_json())
        for setup in self._plan.setups:
            found = None
            if setup in setups and setup.name not in self.faults:
                self._tell(f"round {number} of {self._plan.rounds}: {setup.name}")
                try:
                    found = turn.measure(setup, self._programs[setup.name], self._brokers, self._plan.amount).as_json()
                except (Missing, RuntimeError, ValueError, OSError) as error:
                    self.faults[setup.name] = " ".join(str(error).split())[:FAULT_MAX]
            self.peers[setup.name].append(found)

    def leaders(self) -> list[Setup]:
        """Of those with fsync and those without, the fastest of the first round."""
        answer: list[Setup] = []
        for durable in (False, True):
            those = [setup for setup in self._plan.setups if setup.durable is durable and self.peers[setup.name][0]]
            rate = {setup: first["jobs_per_second"] for setup in those if (first := self.peers[setup.name][0])}
            answer += sorted(those, key=lambda setup: -rate[setup])[:LEADERS]
        return answer


def run(plan: Plan, tell: Tell) -> dict[str, Any]:
    """The whole run, as a record. Whatever it starts has ended when it returns."""
    plan.build.mkdir(parents=True, exist_ok=True)
    programs, skipped, found_versions = _installed(plan, tell)
    with ExitStack() as until:
        folder = Path(tempfile.mkdtemp(prefix="ingest-peers-"))
        until.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)
        described = machine.describe(folder)
        able = replace(plan, setups=tuple(each for each in plan.setups if each.name in programs))
        rounds = Rounds(able, folder, Brokers(folder, until), programs, tell)
        rounds.round(1, able.setups)
        for number in range(2, plan.rounds + 1):
            rounds.round(number, rounds.leaders())
    return _record(able, described, rounds, skipped, found_versions)


def _installed(plan: Plan, tell: Tell) -> tuple[dict[str, Path], list[dict[str, str]], dict[str, dict[str, str]]]:
    """Programs by setup, what is skipped and why, and versions by setup."""
    programs: dict[str, Path] = {}
    found: dict[str, dict[str, str]] = {}
    reasons: dict[str, str] = {}
    for peer in dict.fromkeys(setup.peer for setup in plan.setups):
        tell(f"{peer.name}: installing what is missing")
        try:
            if peer.broker in SERVERS:
                system_program(SERVERS[peer.broker])
            if peer.broker == "rabbitmq":
                system_program("redis-server")  # keeps its results
            place = environment(peer, plan.build)
            known = versions(place, peer)
        except Missing as error:
            reasons[peer.name] = str(error)
            tell(f"{peer.name} is skipped: {error}")
            continue
        mine = [setup.name for setup in plan.setups if setup.peer == peer]
        programs |= dict.fromkeys(mine, place)
        found |= dict.fromkeys(mine, known)
    return programs, [{"name": name, "reason": reason} for name, reason in reasons.items()], found


def _record(
    plan: Plan, described: dict[str, Any], rounds: Rounds, skipped: list[dict[str, str]], found: dict[str, dict[str, str]]
) -> dict[str, Any]:
    base, bare = rounds.ours[ours.CLIENT], rounds.ours[ours.STUBS]
    mine = [
        record.row(name, list(turns), base, stubs=bare, durable=True, durability="SQLite in WAL, synchronous FULL")
        for name, turns in rounds.ours.items()
    ]
    rows = [
        record.row(
            setup.name,
            rounds.peers[setup.name],
            base,
            stubs=bare,
            durable=setup.durable,
            durability=setup.durability,
            versions=found[setup.name],
        )
        for setup in plan.setups
        if any(rounds.peers[setup.name])
    ]
    return {
        **described,
        "servers": _server_versions(plan),
        "quick": plan.quick,
        "rounds": plan.rounds,
        "jobs_max": plan.amount.jobs_max,
        "turn_seconds": plan.amount.seconds,
        "ours": mine,
        "peers": rows,
        "verdicts": record.verdicts(rows),
        "failed": rounds.faults,
        "skipped": [*skipped, *({"name": name, "reason": reason} for name, reason in rounds.faults.items())],
    }


def _server_versions(plan: Plan) -> dict[str, str]:
    """Versions of the brokers, as the distribution names them; nothing where it does not tell."""
    packages = {"redis": "redis-server", "rabbitmq": "rabbitmq-server", "postgres": "postgresql-15"}
    used = [packages[kind] for kind in dict.fromkeys(setup.peer.broker for setup in plan.setups) if kind in packages]
    if not shutil.which("dpkg-query"):
        return {}
    answer = {}
    for package in used:
        asked = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
        if asked.returncode == 0 and asked.stdout:
            answer[package] = asked.stdout
    return answer
