"""The power is cut while the store writes. First: the disk that forgets does find a store that relies on what it must not."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import pytest

from ingest_server.store.sqlite import wal
from scripts.faults.disk import Disk, PowerLost
from scripts.faults.registry import load
from scripts.faults.report import Bar, bar
from scripts.faults.scenario import Round
from scripts.faults.store_history import suffer

SEEDS_MAX = 40
CUTS = 5


def first_broken(folder: Path, synchronous: str | None) -> str:
    """What the first history in a row of seeds broke; "" if all held."""
    for seed in range(SEEDS_MAX):
        place = folder / str(seed)
        place.mkdir()
        _, broken = suffer(seed, place, CUTS, synchronous=synchronous)
        if broken:
            return broken
    return ""


@pytest.mark.parametrize(("synchronous", "told"), [("OFF", ""), ("NORMAL", "differ from what was acknowledged")])
def test_a_store_that_does_not_sync_is_found_out(tmp_path: Path, synchronous: str, told: str) -> None:
    broken = first_broken(tmp_path, synchronous)
    assert broken, f"{SEEDS_MAX * CUTS} cuts have not found that commits are not synced"
    assert told in broken


@pytest.mark.parametrize("name", ["power-cut", "disk-errors"])
def test_nothing_acknowledged_is_lost(name: str, tmp_path: Path) -> None:
    scenario = load()[name]
    with bar(name) as progress:
        assert isinstance(progress, Bar)
        seed = random.SystemRandom().getrandbits(32)
        outcome = scenario.run(Round(seed, True, tmp_path, argparse.Namespace(cuts=None), progress))
    assert outcome.passed, (seed, outcome.faults)
    assert outcome.figures["power_cuts"] == 60
    assert float(outcome.figures["commits_acknowledged"]) > 60
    assert float(outcome.figures["writes_in_doubt"]) > 60, "the cuts had nothing to drop"
    assert (float(outcome.figures["commands_refused"]) > 60) or name == "power-cut"


def test_the_same_seed_has_the_same_history(tmp_path: Path) -> None:
    figures = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        history, broken = suffer(11, tmp_path / name, CUTS)
        assert not broken
        figures.append((history.commits, history.disk.steps, history.disk.writes_in_doubt, sorted(history.model.jobs)))
    assert figures[0][:3] == figures[1][:3]
    assert figures[0][3] == figures[1][3]


def test_the_room_for_the_log_is_written_through_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    allocate = wal.allocate

    def allocate_and_tell(path: Path, pages: int) -> bool:
        seen.append(allocate(path, pages))
        return seen[-1]

    monkeypatch.setattr(wal, "allocate", allocate_and_tell)
    _, broken = suffer(3, tmp_path, CUTS)
    assert not broken
    assert any(seen), "the zeros behind the log were never written: they are not proved harmless"


class TestDisk:
    """The rules of the disk itself."""

    @staticmethod
    def survivors(tries: int = 200) -> list[dict[str, bytes]]:
        left = []
        for seed in range(tries):
            disk = Disk(random.Random(seed))
            disk.create("a")
            disk.write("a", 0, b"1" * 1_024)
            disk.sync("a")
            disk.sync_names()
            disk.write("a", 0, b"2" * 512)
            disk.write("a", 0, b"3" * 2_048)
            disk.create("b")
            left.append(disk.cut())
        return left

    def test_what_was_synced_stays_or_gives_way_to_what_was_written(self) -> None:
        for left in self.survivors():
            assert set(left["a"][:512]) <= set(b"123")
            assert set(left["a"][512:1_024]) <= set(b"13")
            assert len(left["a"]) in (1_024, 2_048)

    def test_all_that_may_happen_does(self) -> None:
        left = self.survivors()
        first = {bytes(sorted(set(one["a"][:512]))) for one in left}
        assert first >= {b"1", b"2", b"3"}, "each version of a sector"
        assert any(len(kinds) > 1 for kinds in first), "a torn sector"
        assert any(one["a"][:512] == b"1" * 512 and one["a"][512:1_024] == b"3" * 512 for one in left), "out of order"
        assert {len(one["a"]) for one in left} == {1_024, 2_048}, "the size grew, or not"
        assert {"b" in one for one in left} == {True, False}, "a name that was not synced"

    def test_without_power_nothing_is_done(self) -> None:
        disk = Disk(random.Random(1))
        disk.create("a")
        disk.sync_names()
        disk.cut_at = disk.steps + 1
        with pytest.raises(PowerLost, match="was cut"):
            disk.write("a", 0, b"x")
        with pytest.raises(PowerLost, match="is off"):
            disk.sync("a")
        assert disk.cut() == {"a": b""}
