"""The power is cut while blobs are written: what was answered is on the disk, and nothing is there by halves."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import tempfile
from pathlib import Path

import pytest

from ingest_server.handlers import blob_files
from ingest_server.store.blobs.files import FileBlobStore
from scripts.faults.blob_history import BlobHistory
from scripts.faults.directory_disk import DirectoryDisk
from scripts.faults.disk import MEMORY
from scripts.faults.registry import load
from scripts.faults.report import bar
from scripts.faults.scenario import Round

SEEDS_MAX = 30
pytestmark = pytest.mark.skipif(not MEMORY.is_dir(), reason=f"needs the tmpfs {MEMORY}")


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    seed = random.SystemRandom().getrandbits(32)
    with bar("blobs") as progress:
        outcome = load()["power-cut-blobs"].run(Round(seed, True, tmp_path, argparse.Namespace(cuts=None), progress))
    assert outcome.passed, (seed, outcome.faults)
    assert outcome.figures["power_cuts"] == 60
    assert float(outcome.figures["operations_acknowledged"]) > 60


@pytest.mark.parametrize("forgotten", ["names", "bytes", "folders"])
def test_a_sync_that_is_left_out_is_found(forgotten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if forgotten == "names":
        monkeypatch.setattr(blob_files, "sync_directory", lambda _: None)
    elif forgotten == "folders":
        monkeypatch.setattr(blob_files.BlobFiles, "confirm", lambda self, path: blob_files.sync_directory(path.parent))
    else:
        monkeypatch.setattr(DirectoryDisk, "_confirm_bytes", lambda *_: None)
    for seed in range(SEEDS_MAX):
        with tempfile.TemporaryDirectory(dir=MEMORY) as place:
            history = BlobHistory(seed, Path(place))
            history.run(5)
        if history.faults:
            return
    pytest.fail(f"{SEEDS_MAX} histories have not found that {forgotten} are not synced")


def test_a_blob_that_was_taken_aside_comes_back(tmp_path: Path) -> None:
    """A sweep takes an idle blob aside, then looks whether it was wanted meanwhile: the server may be killed in between."""
    digest = hashlib.sha256(b"wanted").digest()

    async def play() -> None:
        store = FileBlobStore(tmp_path)
        await store.put("tenant", b"wanted")
        store.close()
        store.files.path_of(digest).rename(tmp_path / "tmp" / f"removed-{digest.hex()}")
        again = FileBlobStore(tmp_path)
        assert await again.read(digest, 0, 10) == b"wanted"
        again.close()

    asyncio.run(play())
    assert not list((tmp_path / "tmp").iterdir())
