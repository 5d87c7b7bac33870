"""Makes all sample documents, and manifest.json that tells what is in them. The same bytes at every run.

The manifest holds one object per file: its media type, title, authors, pages and, in reading order, its elements with role,
heading level and page; for tests and for the demonstration. `needs` names a program without which it cannot be read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from scripts.sample_documents.mails import make_mail
from scripts.sample_documents.manifest import Entry
from scripts.sample_documents.pdfs import make_columns, make_drawing, make_encrypted, make_hyphens, make_report, make_rotated
from scripts.sample_documents.pictures import make_picture
from scripts.sample_documents.slides import make_slides
from scripts.sample_documents.tables import make_csv, make_json_lines, make_ods, make_xlsx
from scripts.sample_documents.texts import make_article, make_letters, make_notes
from scripts.sample_documents.word import make_word

PASSWORD = "open sesame"


def make_all(folder: Path) -> list[Entry]:
    """Make all documents and the manifest in a folder, which is made if missing. Returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    makers: tuple[Callable[[Path], Entry], ...] = (
        make_report,
        make_hyphens,
        make_rotated,
        make_drawing,
        make_article,
        make_notes,
        make_word,
        make_slides,
        make_xlsx,
        make_ods,
        make_csv,
        make_json_lines,
        make_picture,
        make_mail,
    )
    entries = [make(folder) for make in makers]
    entries.append(make_columns(folder, "columns.pdf", by_row=False))
    entries.append(make_columns(folder, "columns_by_row.pdf", by_row=True))
    entries.append(make_encrypted(folder, "encrypted.pdf", PASSWORD))
    entries.append(make_encrypted(folder, "owner_password.pdf", ""))
    entries += make_letters(folder)
    (folder / "manifest.json").write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return entries


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make sample documents and a manifest of their content.")
    parser.add_argument("folder", type=Path, help="where to; made if missing")
    folder: Path = parser.parse_args().folder
    entries = make_all(folder)
    print(f"{len(entries)} documents in {folder}")
