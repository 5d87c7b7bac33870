"""Every setting does something: one that nobody reads is a promise not kept."""

from __future__ import annotations

import ast
from pathlib import Path

from ingest_server.settings_sources import FIELDS
from scripts.lib.generate_protos import ROOT

SERVER = ROOT / "ingest_server"


def attributes_read(path: Path) -> set[str]:
    """Names that a module reads from an object called `settings` (or ending so)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            holder = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if holder.endswith("settings"):
                found.add(node.attr)
    return found


def test_every_setting_is_read() -> None:
    readers = [path for path in SERVER.rglob("*.py") if not path.name.startswith("settings")]
    read = set().union(*(attributes_read(path) for path in readers))
    read.add("insecure_listen_anywhere")  # settings_rules.py asks for it before a Settings object exists
    assert sorted(FIELDS.keys() - read) == []
