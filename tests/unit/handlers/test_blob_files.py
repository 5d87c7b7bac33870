"""Blobs written by workers: the agreed layout, whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ingest_server.handlers.blob_files import BlobFiles

CONTENT = b"content" * 1_000
DIGEST = hashlib.sha256(CONTENT)


def expected(directory: Path) -> Path:
    text = DIGEST.hexdigest()
    return directory / text[:2] / text[2:4] / text


def test_bytes_and_files_lie_where_their_digest_says(tmp_path: Path) -> None:
    blobs = BlobFiles(tmp_path / "blobs")
    assert blobs.put_bytes(CONTENT) == DIGEST.digest()
    path = expected(tmp_path / "blobs")
    assert blobs.path_of(DIGEST.digest()) == path
    assert path.read_bytes() == CONTENT
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    assert blobs.put_file(source) == (DIGEST.digest(), len(CONTENT))
    assert source.exists()
    path.unlink()
    assert blobs.put_file(source) == (DIGEST.digest(), len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert list((tmp_path / "blobs" / "tmp").iterdir()) == []


def test_what_is_there_is_not_written_again_but_renewed(tmp_path: Path) -> None:
    import os

    blobs = BlobFiles(tmp_path)
    blobs.put_bytes(CONTENT)
    path = expected(tmp_path)
    os.utime(path, (1, 1))
    number = path.stat().st_ino
    blobs.put_bytes(CONTENT)
    assert path.stat().st_ino == number
    assert path.stat().st_mtime > 1


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    blobs = BlobFiles(tmp_path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        blobs.put_bytes(CONTENT)
    assert not expected(tmp_path).exists()
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        blobs.put_file(tmp_path / "absent")
    assert list((tmp_path / "tmp").iterdir()) == []
