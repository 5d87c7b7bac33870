"""The sample documents: the same bytes at every run, small enough for their rooms, and read as their manifest says."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from scripts.lib.generate_protos import ROOT
from scripts.sample_documents.making import make_all
from tests.unit.handlers.documents.conftest import Read

NEW = ["minutes.docx", "slides.pptx", "prices.xlsx", "prices.ods", "prices.csv", "arrivals.jsonl", "notice.png", "mail.eml"]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def rows(table: document_pb2.TableElement) -> list[list[str]]:
    """Texts of the cells, row by row."""
    return [[cell.text for cell in table.cells if cell.row == row] for row in range(table.rows)]


def test_they_are_the_same_at_every_run(samples: Path, tmp_path: Path) -> None:
    make_all(tmp_path)
    assert digests(tmp_path) == digests(samples)


def test_the_folder_runs_by_its_name_from_anywhere(samples: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    command = [sys.executable, str(ROOT / "scripts" / "sample_documents"), str(made)]
    ended = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{len(digests(samples)) - 1} documents in {made}\n"
    assert digests(made) == digests(samples)


def test_each_file_is_in_the_manifest(samples: Path, manifest: dict[str, Any]) -> None:
    assert {path.name for path in samples.iterdir()} == {*manifest, "manifest.json"}
    assert set(NEW) <= manifest.keys()


@pytest.mark.parametrize("name", NEW)
def test_they_are_read_as_the_manifest_says(samples: Path, manifest: dict[str, Any], read: Read, name: str) -> None:
    entry = manifest[name]
    if (needed := entry.get("needs")) and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    document = read(samples / name, "", name)
    assert (document.media_type, document.title, list(document.authors)) == (
        entry["media_type"],
        entry["title"],
        entry["authors"],
    )
    assert document.page_count == entry["page_count"]
    # A sheet of a workbook has its name as a heading, which is no part of the table.
    elements = [each for each in document.elements if not (entry["file"].startswith("prices.") and each.HasField("text"))]
    assert len(elements) == len(entry["elements"])
    for element, wanted in zip(elements, entry["elements"], strict=True):
        if "table" in wanted:
            assert rows(element.table) == wanted["table"]
        else:
            role = document_pb2.TextRole.Name(element.text.role).removeprefix("TEXT_ROLE_").lower()
            assert (role, element.text.text, element.heading_level) == (wanted["role"], wanted["text"], wanted["level"])
        assert element.page == wanted.get("page", 0)
    assert [inner.name for inner in document.documents] == entry.get("members", [])
    assert not document.issues
