"""What a server leaves behind: temporary files while it lives, folders and processes when it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from scripts.hostile_set.processes import marked

ESCAPED = Path("/tmp/ingest-escaped.txt")
"""Where names in archives and mail lead that want out."""
PROCESSES_END_SECONDS_MAX = 10.0


def temporary_files(data_dir: Path, temporary: Path) -> Iterator[str]:
    """Files an idle server has no use for: in the folders of its workers, of unfinished blobs, and where temporary files go."""
    for folder in (data_dir / "scratch", data_dir / "blobs" / "tmp", temporary):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield f"temporary file left: {path.relative_to(folder.parent)} ({path.stat().st_size} bytes)"
    if ESCAPED.exists():
        yield f"a document wrote {ESCAPED}"


def folders_left(data_dir: Path, temporary: Path) -> Iterator[str]:
    """What is there of the same folders when the server has ended."""
    for folder in (data_dir / "scratch", temporary):
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            yield f"left by the server: {path.relative_to(folder.parent)}"


def processes_left(mark: str) -> Iterator[str]:
    """Processes of the round that outlived its server. Orphans get a moment: what adopts them may be in no hurry."""
    deadline = time.monotonic() + PROCESSES_END_SECONDS_MAX
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid, command in left.items():
        yield f"process left: {pid} {command}"
