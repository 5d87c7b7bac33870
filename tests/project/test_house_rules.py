"""The laws of the house hold, and the rules that prove it can fail."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.lib import house_rules
from scripts.lib.generate_protos import ROOT

Rule = Callable[[Path], Iterator[house_rules.Fault]]


def faults(rule: Rule, paths: Iterator[Path]) -> list[str]:
    return [str(fault) for path in paths for fault in rule(path.relative_to(ROOT))]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in messages are relative to the project."""
    monkeypatch.chdir(ROOT)


def test_files_and_functions_are_small() -> None:
    assert faults(house_rules.size_faults, house_rules.sources(ROOT)) == []
    assert faults(house_rules.size_faults, house_rules.programs(ROOT)) == []


def test_every_module_says_its_role() -> None:
    code = (path for path in house_rules.sources(ROOT) if "tests" not in path.relative_to(ROOT).parts)
    assert faults(house_rules.docstring_faults, code) == []


def test_every_test_module_says_its_role() -> None:
    modules = (path for path in house_rules.sources(ROOT) if "tests" in path.relative_to(ROOT).parts)
    found = [fault for fault in faults(house_rules.docstring_faults, modules) if "module's role" in fault]
    assert found == []


def test_no_name_says_nothing() -> None:
    assert faults(house_rules.name_faults, house_rules.sources(ROOT)) == []


def test_nothing_is_unfinished_or_foreign() -> None:
    assert faults(house_rules.word_faults, house_rules.texts(ROOT)) == []


def test_the_top_level_is_fixed() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is committed cannot be told from what lies about")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} <= house_rules.TOP_LEVEL


def test_every_folder_of_a_package_is_a_package() -> None:
    """Import rules see only packages: a folder without __init__.py would escape them."""
    folders = {path.parent for name in ("ingest_server", "ingest_client") for path in (ROOT / name).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_shell_scripts_are_executable_and_begin_with_their_shell() -> None:
    for path in house_rules.programs(ROOT):
        if path.suffix != ".sh":
            assert path.stat().st_mode & 0o111, f"{path} is not executable"
            assert path.read_text().startswith("#!"), f"{path} does not name its interpreter"


@pytest.mark.parametrize(
    ("rule", "text", "wanted"),
    [
        (house_rules.size_faults, '"""Doc."""\n' * 401, "401 lines"),
        (house_rules.size_faults, "def long():\n" + "    pass\n" * 60, "long has 61 lines"),
        (house_rules.docstring_faults, "import os\n", "module's role"),
        (house_rules.docstring_faults, '"""No sentence"""\n', "module's role"),
        (house_rules.docstring_faults, '"""Role."""\ndef public(): ...\n', "public is public"),
        (house_rules.word_faults, "# TO" + "DO: later\n", "unfinished"),
        (house_rules.word_faults, "path = '/ro" + "ot/x'\n", "does not belong"),
        (house_rules.word_faults, "see is" + "sue 7\n", "does not belong"),
    ],
)
def test_each_rule_can_fail(tmp_path: Path, rule: Rule, text: str, wanted: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(text)
    found = [str(fault) for fault in rule(path)]
    assert len(found) == 1
    assert wanted in found[0]


def test_an_empty_name_is_found(tmp_path: Path) -> None:
    assert [str(fault) for fault in house_rules.name_faults(Path("ingest_server/utils.py"))]
    assert not [str(fault) for fault in house_rules.name_faults(Path("ingest_server/jobs/submit.py"))]
