"""A large blob up and down through the REST shim: what the shim's memory grows by, and how fast it goes."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from scripts.bench.server import RunningServer

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BlobPass:
    """Growth of the shim's peak resident set, up and down together, and seconds of each way."""

    grown_bytes: int
    up_seconds: float
    down_seconds: float


def peak_bytes(process: psutil.Process, *, reset: bool = False) -> int:
    """The largest resident set so far; `reset` begins anew with the present one (proc_pid_clear_refs(5))."""
    if reset:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def blob_pass(server: RunningServer, size: int, *, digest_told: bool) -> BlobPass:
    """Send `size` bytes, with their digest told beforehand or not, and fetch them. Raises AssertionError if they have changed."""
    block = os.urandom(BLOCK_BYTES)
    count = max(size // BLOCK_BYTES, 1)
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(block)
    sha256 = digest.hexdigest()
    address = urlsplit(server.rest_url)
    assert address.hostname is not None
    shim = server.shim()
    _call(address.hostname, address.port, "PUT", "/v1/blobs", iter([b"first"]), 5)  # loads what is loaded once
    before = peak_bytes(shim, reset=True)
    begin = time.perf_counter()
    path = f"/v1/blobs?sha256={sha256}" if digest_told else "/v1/blobs"
    _call(address.hostname, address.port, "PUT", path, (block for _ in range(count)), count * BLOCK_BYTES)
    middle = time.perf_counter()
    received = _call(address.hostname, address.port, "GET", f"/v1/blobs/{sha256}", None, 0)
    end = time.perf_counter()
    assert received == sha256, f"{received} came for {sha256}"
    return BlobPass(peak_bytes(shim) - before, middle - begin, end - middle)


def _call(host: str, port: int | None, verb: str, path: str, body: Iterator[bytes] | None, size: int) -> str:
    """Answers the digest of the answer's body."""
    connection = http.client.HTTPConnection(host, port, timeout=300)
    try:
        headers = {"content-length": str(size)} if body is not None else {}
        connection.request(verb, path, body=body, headers=headers)
        answer = connection.getresponse()
        digest = hashlib.sha256()
        while piece := answer.read(BLOCK_BYTES):
            digest.update(piece)
        assert answer.status == 200, answer.status
        return digest.hexdigest()
    finally:
        connection.close()
