"""scripts/lib/environment.sh finds a Python, says what is missing, and installs only when something changed.

Programs it would call are replaced by small shell scripts that write down how they were called; the shell is the real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.lib.generate_protos import ROOT

SHELLS = [shell for shell in ("sh", "bash", "dash", "busybox") if shutil.which(shell)]
TOOLS = ("cat", "rm", "dirname", "mkdir", "env")

FAKE_PYTHON = """#!/bin/sh
case "$*" in
    *sys.version_info*) exec "{real}" "$@" ;;
    *platform*) echo 3.11.2 ;;
    *ensurepip*) exit {ensurepip} ;;
    *"-m venv"*) mkdir -p .venv/bin && cp "{self}" .venv/bin/python && echo "venv" >>"{log}" ;;
    *"-m pip"*) echo "pip $*" >>"{log}"; exit {pip} ;;
    *) exec "{real}" "$@" ;;
esac
"""
FAKE_UV = """#!/bin/sh
echo "uv $*" >>"{log}"
if [ "$1" = venv ]; then mkdir -p .venv/bin && ln -s "{real}" .venv/bin/python; fi
"""
PROGRAM = """#!/bin/sh
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/scripts/lib/environment.sh"
echo "python=$python"
"""


@dataclass(frozen=True)
class Machine:
    """A project folder and a PATH of its own."""

    project: Path
    path: Path
    log: Path

    def add_python(self, name: str, *, ensurepip: int = 0, pip: int = 0) -> None:
        program = self.path / name
        program.write_text(FAKE_PYTHON.format(real=sys.executable, self=program, log=self.log, ensurepip=ensurepip, pip=pip))
        program.chmod(0o755)

    def run(self, shell: str = "sh", **environment: str) -> subprocess.CompletedProcess[str]:
        words = [shell, "sh"] if shell == "busybox" else [shell]
        words[0] = str(shutil.which(words[0]))
        return subprocess.run(
            [*words, str(self.project / "scripts/program")],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": str(self.path), **environment},
        )

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    project, path = tmp_path / "a project's folder", tmp_path / "bin"
    (project / "scripts/lib").mkdir(parents=True)
    path.mkdir()
    shutil.copyfile(ROOT / "scripts/lib/environment.sh", project / "scripts/lib/environment.sh")
    (project / "scripts/program").write_text(PROGRAM)
    (project / "pyproject.toml").write_text("[project]\n")
    for tool in (*TOOLS, "cp", "ln"):
        os.symlink(str(shutil.which(tool)), path / tool)
    return Machine(project, path, tmp_path / "log")


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_makes_the_environment_once_and_installs_again_only_after_a_change(machine: Machine, shell: str) -> None:
    machine.add_python("python3")
    first = machine.run(shell)
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"python={machine.project}/.venv/bin/python\n"
    assert [call.split()[0] for call in machine.calls()] == ["venv", "pip"]

    assert machine.run(shell).returncode == 0
    assert len(machine.calls()) == 2

    (machine.project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert machine.run(shell).returncode == 0
    assert [call.split()[0] for call in machine.calls()] == ["venv", "pip", "pip"]


def test_no_python_says_what_was_looked_for(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 1
    assert "No Python from 3.11 on was found" in done.stderr
    assert "PYTHON=/path/to/python3.12" in done.stderr


def test_a_python_that_is_too_old_is_passed_over(machine: Machine) -> None:
    (machine.path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (machine.path / "python3").chmod(0o755)
    machine.add_python("python3.12")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert f"({machine.path}/python3.12)" in done.stderr


def test_the_named_python_comes_first(machine: Machine) -> None:
    machine.add_python("python3")
    machine.add_python("my-python")
    done = machine.run(PYTHON=str(machine.path / "my-python"))
    assert done.returncode == 0, done.stderr
    assert f"({machine.path}/my-python)" in done.stderr


def test_a_python_without_venv_says_what_to_install(machine: Machine) -> None:
    machine.add_python("python3", ensurepip=1)
    done = machine.run()
    assert done.returncode == 1
    assert "apt install python3.11-venv" in done.stderr


def test_a_failed_installation_is_tried_again(machine: Machine) -> None:
    machine.add_python("python3", pip=1)
    for attempt in (1, 2):
        done = machine.run()
        assert done.returncode == 1
        assert "Installing failed" in done.stderr
        assert len(machine.calls()) == attempt + 1  # one venv, then a pip per attempt


def test_uv_is_preferred(machine: Machine) -> None:
    machine.add_python("python3", ensurepip=1)
    uv = machine.path / "uv"
    uv.write_text(FAKE_UV.format(log=machine.log, real=sys.executable))
    uv.chmod(0o755)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert [call.split()[:2] for call in machine.calls()] == [["uv", "venv"], ["uv", "pip"]]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "name", ["scripts/demo", "scripts/test", "scripts/check", "scripts/gen_protos", "scripts/hostile", ".ci/run"]
)
def test_scripts_parse_in_every_shell(shell: str, name: str) -> None:
    words = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]
    done = subprocess.run([*words, str(ROOT / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
