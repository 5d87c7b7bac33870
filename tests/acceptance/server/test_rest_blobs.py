"""Blobs over HTTP: bad uploads first, then raw, forms, resumption; ranges and conditions of downloads; memory of the shim."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.acceptance.server.server_process import ServerProcess

SOON = 30.0
DATA = os.urandom(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with REST; small spools."""
    flags = ["--rest-listen", "127.0.0.1:0", "--rest-spool-bytes-max", str(2 * MIB), "--rest-spools-max", "1"]
    started = ServerProcess(tmp_path_factory.mktemp("server"), flags=flags, workers=1)
    try:
        yield started.start()
        assert started.stop() == 0, started.log
        assert "Traceback" not in started.log
    finally:
        started.close()


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.rest_url, timeout=SOON) as opened:
        yield opened


@pytest.fixture
async def kept(http: httpx.AsyncClient) -> str:
    """A blob's path."""
    assert (await http.put("/v1/blobs", params={"sha256": SHA256}, content=DATA)).status_code == 200
    return f"/v1/blobs/{SHA256}"


def digest_of(data: bytes) -> str:
    return "sha-256=:" + base64.b64encode(hashlib.sha256(data).digest()).decode() + ":"


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"params": {"sha256": "rubbish"}, "content": b"x"}, 400, "sha256"),
        ({"params": {"sha256": SHA256.upper()}, "content": DATA}, 400, "sha256"),
        ({"params": {"sha256": hashlib.sha256(b"other").hexdigest()}, "content": b"x"}, 400, "announced was"),
        ({"headers": {"content-digest": digest_of(b"other")}, "content": b"x"}, 400, "announced was"),
        ({"headers": {"content-digest": "sha-256=:AAAA:"}, "content": b"x"}, 400, "32 bytes"),
        ({"params": {"sha256": "0" * 64, "offset_bytes": "5"}, "content": b"x"}, 400, "continue there"),
        ({"params": {"offset_bytes": "5"}, "content": b"x"}, 400, "must tell the digest"),
        ({"params": {"offset_bytes": "-1"}, "content": b"x"}, 400, "whole number"),
        ({"params": {"offsetBytes": "9" * 30}, "content": b"x"}, 400, "whole number"),
        ({"headers": {"content-encoding": "gzip"}, "content": b"x"}, 415, "not taken"),
        ({"content": b"x" * (2 * MIB + 1)}, 413, "spool_bytes_max"),
        ({"headers": {"content-type": "multipart/form-data"}, "content": b"x"}, 400, "boundary"),
        ({"headers": {"content-type": "multipart/form-data; boundary=b"}, "content": b"--b\r\n\r\nabc"}, 400, "cut short"),
        ({"headers": {"content-type": "multipart/form-data; boundary=b"}, "content": b"rubbish"}, 400, "cannot be read"),
        ({"data": {"sha256": SHA256}, "files": {"a": b"other"}}, 400, "announced was"),
        ({"data": {"sha256": SHA256}, "files": {"a": b"1", "b": b"2"}}, 400, "two files"),
        ({"headers": {"content-type": "application/json"}, "content": b"[1]"}, 400, "objects one after another"),
        ({"headers": {"content-type": "application/json"}, "content": b'{"sha256":"x"}'}, 400, "sha256"),
        ({"headers": {"content-type": "application/json"}, "content": b'{"data":"%%%"}'}, 400, "data"),
        ({"headers": {"content-type": "application/json"}, "content": b""}, 400, "no message"),
    ],
)
async def test_bad_uploads_are_refused_with_the_reason(
    http: httpx.AsyncClient, given: dict[str, Any], status: int, said: str
) -> None:
    answer = await http.put("/v1/blobs", **given)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["message"]
    assert answer.json()["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"


@pytest.mark.slow
async def test_an_early_refusal_is_told_however_it_meets_the_bytes(http: httpx.AsyncClient) -> None:
    params, content = {"sha256": "0" * 63}, os.urandom(MIB)
    answers = [await http.put("/v1/blobs", params=params, content=content[: number * 9_999]) for number in range(100)]
    assert {answer.status_code for answer in answers} == {400}, {answer.text for answer in answers}
    assert all("sha256" in answer.json()["message"] for answer in answers)


async def committed_bytes(http: httpx.AsyncClient, sha256: str) -> int:
    """What the server has of a blob; 0 where it does not know it."""
    answer = await http.get(f"/v1/blobs/{sha256}/metadata")
    return int(answer.json()["blob"]["committedBytes"]) if answer.status_code == 200 else 0


@pytest.mark.parametrize("kind", ["raw", "form"])
async def test_an_upload_that_breaks_off_harms_nobody(http: httpx.AsyncClient, server: ServerProcess, kind: str) -> None:
    whole = os.urandom(200_000)
    sha256 = hashlib.sha256(whole).hexdigest()
    host, _, port = server.rest_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"PUT /v1/blobs?sha256={sha256} HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n"
    if kind == "form":
        head += "Content-Type: multipart/form-data; boundary=b\r\n"
        part = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    else:
        part = b""
    writer.write(head.encode() + b"\r\n" + part + whole[:150_000])
    await writer.drain()
    async with asyncio.timeout(SOON):
        while not (committed := await committed_bytes(http, sha256)):
            pass
        writer.close()
        del reader
        while True:
            params = {"sha256": sha256, "offset_bytes": str(committed)}
            ended = await http.put("/v1/blobs", params=params, content=whole[committed:])
            if ended.status_code == 200:
                break
            # The broken upload may still be ending (busy), or have brought more by now (offset).
            assert ended.json()["details"][0]["reason"] in ("BLOB_UPLOAD_BUSY", "BLOB_OFFSET_MISMATCH"), ended.text
            committed = await committed_bytes(http, sha256)
    assert (await http.get(f"/v1/blobs/{sha256}")).content == whole


@pytest.mark.parametrize("size", [0, 1, 300_000])
@pytest.mark.parametrize(
    "how", ["raw", "raw, digest in the query", "raw, digest in a header", "form", "form, digest before", "json"]
)
async def test_what_goes_up_comes_down(http: httpx.AsyncClient, size: int, how: str) -> None:
    data = os.urandom(size)
    sha256 = hashlib.sha256(data).hexdigest()
    given: dict[str, Any] = {"content": data}
    if how == "raw, digest in the query":
        given["params"] = {"sha256": sha256}
    elif how == "raw, digest in a header":
        given["headers"] = {"content-digest": digest_of(data)}
    elif how.startswith("form"):
        given = {"files": {"upload": data}, "data": {"sha256": sha256} if "before" in how else {}}
    elif how == "json":
        half = size // 2
        text = '{"sha256":"%s","data":"%s"}\n{"offsetBytes":"%d","data":"%s","finish":true}'
        pieces = (base64.b64encode(data[:half]).decode(), half, base64.b64encode(data[half:]).decode())
        given = {"content": text % (sha256, *pieces), "headers": {"content-type": "application/json"}}
    answer = await http.put("/v1/blobs", **given)
    assert answer.status_code == 200, answer.text
    assert answer.json()["blob"] == {"sha256": sha256, "sizeBytes": str(size)}
    down = await http.get(f"/v1/blobs/{sha256}")
    assert (down.status_code, down.content, down.headers["etag"]) == (200, data, f'"{sha256}"')
    assert down.headers["repr-digest"] == digest_of(data)


async def test_a_blob_that_is_there_is_answered_after_its_bytes(http: httpx.AsyncClient, kept: str) -> None:
    again = await http.put("/v1/blobs", params={"sha256": SHA256}, content=DATA)
    assert (again.status_code, again.json()["created"]) == (200, False)


async def test_what_is_not_there_or_no_digest(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/blobs/" + "0" * 64)).status_code == 404
    assert (await http.head("/v1/blobs/" + "0" * 64)).status_code == 404
    assert (await http.get("/v1/blobs/" + "0" * 64, headers={"if-none-match": '"' + "0" * 64 + '"'})).status_code == 404
    assert (await http.get("/v1/blobs/rubbish")).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status", "part"),
    [
        ({"range": "bytes=300000-"}, 416, b""),
        ({"range": "bytes=-0"}, 416, b""),
        ({"if-match": '"x"'}, 412, b""),
        ({"if-none-match": f'W/"{SHA256}"'}, 304, b""),
        ({"if-none-match": f'"{SHA256}"', "range": "bytes=0-1"}, 304, b""),
        ({"range": "bytes=0-0"}, 206, DATA[:1]),
        ({"range": "bytes=100-"}, 206, DATA[100:]),
        ({"range": "bytes=-7"}, 206, DATA[-7:]),
        ({"range": "bytes=0-9", "if-range": f'"{SHA256}"'}, 206, DATA[:10]),
        ({"range": "bytes=0-9", "if-range": '"x"'}, 200, DATA),
        ({"range": "bytes=0-9", "if-range": f'W/"{SHA256}"'}, 200, DATA),
        ({"range": "bytes=0-1,5-6"}, 200, DATA),
        ({"range": "rubbish"}, 200, DATA),
        ({"if-match": f'"{SHA256}"'}, 200, DATA),
        ({"accept-encoding": "gzip"}, 200, DATA),
    ],
)
async def test_ranges_and_conditions(
    http: httpx.AsyncClient, kept: str, headers: dict[str, str], status: int, part: bytes
) -> None:
    answer = await http.get(kept, headers=headers)
    assert answer.status_code == status
    assert answer.headers["etag"] == f'"{SHA256}"'
    if status in (200, 206):
        assert answer.content == part
        assert answer.headers["content-length"] == str(len(part))
    if status == 416:
        assert answer.headers["content-range"] == "bytes */300000"
    head = await http.head(kept, headers=headers)
    assert (head.status_code, head.content) == (status, b"")
    if status in (200, 206):
        assert head.headers["content-length"] == str(len(part))


async def test_a_range_of_the_request_itself_is_a_whole(http: httpx.AsyncClient, kept: str) -> None:
    answer = await http.get(kept, params={"offset_bytes": "10", "limit_bytes": "5"})
    assert (answer.status_code, answer.content) == (200, DATA[10:15])
    answer = await http.get(kept, params={"offset_bytes": "10"}, headers={"range": "bytes=0-4"})
    assert (answer.status_code, answer.content) == (206, DATA[10:15])


async def test_who_asks_for_json_gets_messages(http: httpx.AsyncClient, kept: str) -> None:
    answer = await http.get(kept, params={"limit_bytes": "3"}, headers={"accept": "application/json"})
    assert base64.b64decode(answer.json()["result"]["data"]) == DATA[:3]


@pytest.mark.slow
async def test_a_hundred_megabytes_pass_without_being_held(http: httpx.AsyncClient, server: ServerProcess, kept: str) -> None:
    (shim,) = [each for each in server.processes() if "ingest_server.rest.supervised" in " ".join(each.cmdline())]
    await http.get(kept)
    before = peak_bytes(shim, reset=True)
    block = os.urandom(MIB)
    digest = hashlib.sha256()
    for _ in range(100):
        digest.update(block)

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield block

    up = await http.put("/v1/blobs", params={"sha256": digest.hexdigest()}, content=blocks())
    assert up.json()["blob"]["sizeBytes"] == str(100 * MIB)
    received = hashlib.sha256()
    async with http.stream("GET", f"/v1/blobs/{digest.hexdigest()}") as down:
        async for piece in down.aiter_bytes():
            received.update(piece)
    assert received.digest() == digest.digest()
    assert peak_bytes(shim) - before <= 16 * MIB


def peak_bytes(process: psutil.Process, *, reset: bool = False) -> int:
    """The largest resident set so far; `reset` begins anew with the present one (proc_pid_clear_refs(5))."""
    if reset:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
