"""Bearer tokens and certificates: who is let in, as whom, and what of the others they see."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from ingest_client import Blob, Client, ErrorReason, Input, JobSpec, RetryLimits, TlsFiles, echo, errors
from tests.acceptance.server.conftest import StartServer

ONCE = RetryLimits(attempts_max=1)
ACME, OTHER, LATER = "acme-token-0123456789", "other-token-0123456789", "later-token-0123456789"
TOKENS = f"""
[tenants.other]
live_jobs_max = 3

[[tokens]]
token = "{ACME}"
tenant = "acme"

[[tokens]]
token = "{OTHER}"
tenant = "other"
"""


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.toml"
    path.write_text(TOKENS)
    return path


async def test_tenants_do_not_see_each_other(start_server: StartServer, tokens: Path) -> None:
    server = start_server("--tokens-file", str(tokens))
    async with Client(server.address, token=ACME) as acme, Client(server.address, token=OTHER, retry=ONCE) as other:
        assert [(await each.info()).tenant for each in (acme, other)] == ["acme", "other"]
        batch = await acme.submit([JobSpec(b"y" * 300_000, echo())])
        (result,) = await acme.wait(batch)
        assert result.output is not None
        assert result.output.blob is not None
        blob = Blob(result.output.blob.sha256, result.output.blob.size_bytes)
        (job_id,) = batch.job_ids
        for attempt in (other.get(job_id), other.blobs.read(blob), other.watch([job_id]).__anext__()):
            with pytest.raises(errors.NotFound):
                await attempt
        with pytest.raises(errors.NotFound):
            await other.cancel(batch.batch_id)
        for answers in (await other.cancel([job_id]), await other.delete([job_id]), await other.retry([job_id])):
            assert [answer.error.reason for answer in answers if answer.error] == [ErrorReason.JOB_NOT_FOUND]
        assert (await other.result(job_id)).error is not None
        assert (await other.count()).total == 0
        assert [job async for job in other.list()] == []
        assert await other.blobs.find_missing([blob], 10) == {blob.sha256}
        stolen = await other.submit([JobSpec(Input(blob=blob), echo())])
        assert [error.reason for _, error in stolen.refused] == [ErrorReason.BLOB_NOT_FOUND]
        assert (await acme.get(job_id)).tenant == "acme"


async def test_nobody_comes_in_without_a_token(start_server: StartServer, tokens: Path) -> None:
    server = start_server("--tokens-file", str(tokens))
    for token in ("", "wrong-token-0123456789"):
        async with Client(server.address, token=token, retry=ONCE) as client:
            with pytest.raises(errors.Denied) as denied:
                await client.submit([JobSpec(b"x", echo())])
            assert denied.value.reason is ErrorReason.UNAUTHENTICATED
    assert ACME not in server.log


async def test_quota_and_reload(start_server: StartServer, tokens: Path) -> None:
    server = start_server("--tokens-file", str(tokens))
    delayed = JobSpec(b"x", echo(), start_delay_seconds=600)
    async with Client(server.address, token=OTHER, retry=ONCE) as other, Client(server.address, token=ACME) as acme:
        await other.submit([delayed] * 3)
        with pytest.raises(errors.Exhausted) as refused:
            await other.submit([delayed])
        assert refused.value.reason is ErrorReason.QUOTA_EXCEEDED
        assert refused.value.retry_after_seconds
        assert "3" in refused.value.message
        assert not (await acme.submit([delayed] * 10)).refused
        changed = TOKENS.replace("live_jobs_max = 3", "live_jobs_max = 5").replace(ACME, LATER)
        await asyncio.to_thread(tokens.write_text, changed)
        server.signal(signal.SIGHUP)
        async with Client(server.address, token=LATER, retry=ONCE) as later, asyncio.timeout(20):
            while True:
                try:
                    assert (await later.info()).tenant == "acme"
                    break
                except errors.Denied:
                    continue
        assert not (await other.submit([delayed] * 2)).refused
        with pytest.raises(errors.Denied):
            await acme.info()


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority, a certificate of the server for 127.0.0.1, one of a client named "batch"."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(folder, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2")
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    (folder / "client.ext").write_text("subjectAltName=DNS:batch\n")
    for name in ("server", "client"):
        openssl(folder, "req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext",
        )  # fmt: skip
    return folder


async def test_tls_and_mutual_tls(start_server: StartServer, certificates: Path, tokens: Path) -> None:
    ca = certificates / "ca.pem"
    own = ("--tls-cert", str(certificates / "server.pem"), "--tls-key", str(certificates / "server.key"))
    server = start_server(*own, name="tls")
    async with Client(server.address, tls=TlsFiles(ca=ca)) as client:
        assert (await client.run(JobSpec(b"x", echo()))).succeeded
    async with Client(server.address, retry=ONCE, timeout_seconds=5) as plain:
        with pytest.raises(errors.Unavailable):
            await plain.info()
    await asyncio.to_thread(tokens.write_text, TOKENS + '\n[[certificates]]\nname = "batch"\ntenant = "acme"\n')
    mutual = start_server(*own, "--tls-client-ca", str(ca), "--tokens-file", str(tokens), name="mtls")
    pair = TlsFiles(ca=ca, certificate=certificates / "client.pem", key=certificates / "client.key")
    async with Client(mutual.address, tls=pair) as client:
        assert (await client.info()).tenant == "acme"
        assert (await client.run(JobSpec(b"x", echo()))).succeeded
    async with Client(mutual.address, tls=TlsFiles(ca=ca), retry=ONCE, timeout_seconds=5) as nameless:
        with pytest.raises((errors.Unavailable, errors.Denied)):
            await nameless.info()
