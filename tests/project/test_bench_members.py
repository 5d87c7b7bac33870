"""The benchmark of mails and archives reads what it makes, and prints its rates."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from scripts.lib.generate_protos import ROOT


@pytest.mark.slow
def test_each_kind_has_its_line() -> None:
    command = [sys.executable, "-m", "scripts.bench.members", "--messages", "12", "--rounds", "1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    found = re.findall(r"^([\d,]+) (.+) per second of processor time$", ended.stdout, re.MULTILINE)
    assert [name.split(" ")[0] for _, name in found] == ["mails", "members", "members", "MB"]
    assert all(int(rate.replace(",", "")) > 0 for rate, _ in found)
