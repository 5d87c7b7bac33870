"""The server's life: addresses, TLS, start, stop. Nothing is left behind."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import grpc
import pytest

from ingest.v1 import job_service_pb2 as pb
from ingest.v1 import job_service_pb2_grpc
from ingest_server.auth.interface import Authenticator, PeerCertificate
from ingest_server.auth.open import OpenAuthenticator
from ingest_server.domain.caller import Caller
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults, WireLimits
from ingest_server.wire.server import WireServer
from ingest_server.wire.transport import Listener, TlsMaterial
from tests.fakes.use_cases import FakeHandlers, FakeUseCases
from tests.wire.conftest import JOB, Running

GET = pb.GetJobRequest(job_id=JOB)


def make(*listeners: Listener, fake: FakeUseCases | None = None, authenticator: Authenticator | None = None) -> WireServer:
    configuration = LiveConfiguration(WireLimits(), SpecDefaults(), FakeHandlers())
    use_cases = (fake or FakeUseCases()).use_cases()
    return WireServer(use_cases, authenticator or OpenAuthenticator(), configuration, listeners)


async def get_job(channel: grpc.aio.Channel) -> str:
    stub: Any = job_service_pb2_grpc.JobServiceStub(channel)
    response = await stub.GetJob(GET)
    job_id: str = response.job.job_id
    return job_id


async def test_a_second_server_on_the_port_fails_loudly() -> None:
    first = make(Listener("127.0.0.1:0"))
    address = await first.start()
    second = make(Listener(address))
    with pytest.raises(OSError, match=f"{address}: the port is taken"):
        await second.start()
    assert second.addresses == ()
    await second.stop(0)
    async with grpc.aio.insecure_channel(address) as channel:
        assert await get_job(channel)
    await first.stop(0)
    third = make(Listener(address))  # the port is free again
    assert await third.start() == address
    await third.stop(0)
    await third.stop(0)


@pytest.mark.parametrize("address", ["nowhere.invalid:1", "127.0.0.1:99999", "unix:/no/such/folder/socket"])
async def test_an_address_that_cannot_be_is_named(address: str) -> None:
    server = make(Listener("127.0.0.1:0"), Listener(address))
    with pytest.raises(OSError, match=address.partition(":")[0]):
        await server.start()
    assert server.addresses == ()


async def test_a_unix_socket_serves_its_user_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = make(Listener("127.0.0.1:0"), Listener(f"unix:{path}"))
    await server.start()
    assert server.addresses[1] == f"unix:{path}"
    assert path.stat().st_mode & 0o777 == 0o600
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        assert await get_job(channel)
    with pytest.raises(OSError, match="another server answers there"):
        await make(Listener(f"unix:{path}")).start()
    assert path.exists()
    await server.stop(0)
    assert not path.exists()


async def test_a_file_in_the_place_of_a_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(OSError, match="it is no socket"):
        await make(Listener(f"unix:{path}")).start()
    assert path.read_text() == "data"


async def test_stop_ends_calls_and_waits_for_them(running: Running) -> None:
    ended = asyncio.Event()

    class Slow(asyncio.Event):
        async def wait(self) -> Literal[True]:
            try:
                return await super().wait()
            finally:
                await asyncio.sleep(0)  # a handler that has something to clean up
                ended.set()

    running.fake.hold["get"] = Slow()
    running.fake.stays = True
    stream = running.WatchJobs(pb.WatchJobsRequest())
    reading = asyncio.ensure_future(stream.read())
    await running.fake.entered.wait()
    running.fake.entered.clear()
    call = running.GetJob(GET)
    await running.fake.entered.wait()
    assert running.server.calls_under_way == 2
    await running.server.stop(0)
    assert ended.is_set()
    assert running.fake.watch_ended.is_set()
    assert running.server.calls_under_way == 0
    results = await asyncio.gather(call, reading, return_exceptions=True)
    assert all(isinstance(result, BaseException) for result in results)


async def test_stop_lets_a_call_end_within_its_grace(running: Running) -> None:
    running.fake.hold["get"] = asyncio.Event()
    call = running.GetJob(GET)
    await running.fake.entered.wait()
    stopping = asyncio.create_task(running.server.stop(60))
    running.fake.hold["get"].set()
    assert (await call).job.job_id
    await stopping


async def test_a_client_that_vanishes_leaves_nothing(running: Running) -> None:
    running.fake.stays = True
    channel = grpc.aio.insecure_channel(running.address)
    stub: Any = job_service_pb2_grpc.JobServiceStub(channel)
    stream = stub.WatchJobs(pb.WatchJobsRequest())
    reading = asyncio.ensure_future(stream.read())
    await running.fake.entered.wait()
    await channel.close(None)
    await asyncio.gather(reading, return_exceptions=True)
    await running.fake.watch_ended.wait()


# ---------------------------------------------------------------------------------------------------------------------------- TLS


class ByCertificate(Authenticator):
    """Takes the first name of the certificate for the tenant."""

    seen: list[PeerCertificate | None]

    def __init__(self) -> None:
        self.seen = []

    def authenticate(self, metadata: Mapping[str, str], peer_certificate: PeerCertificate | None) -> Caller:
        self.seen.append(peer_certificate)
        return Caller()


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a server and a client that it has signed."""
    folder = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", cwd=folder)
    for name, alternative in (("server", "DNS:localhost,IP:127.0.0.1"), ("client", "DNS:batch.example")):
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", cwd=folder)
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem", cwd=folder)
    return folder


async def test_tls_and_mutual_tls(certificates: Path) -> None:
    def read(name: str) -> bytes:
        return (certificates / name).read_bytes()

    authenticator = ByCertificate()
    plain = Listener("localhost:0", TlsMaterial(read("server.pem"), read("server.key")))
    mutual = Listener("localhost:0", TlsMaterial(read("server.pem"), read("server.key"), read("ca.pem")))
    server = make(plain, mutual, authenticator=authenticator)
    await server.start()
    anonymous = grpc.ssl_channel_credentials(read("ca.pem"))
    known = grpc.ssl_channel_credentials(read("ca.pem"), read("client.key"), read("client.pem"))
    try:
        async with grpc.aio.secure_channel(server.addresses[0], anonymous) as channel:
            assert await get_job(channel)
            assert authenticator.seen == [None]
        async with grpc.aio.secure_channel(server.addresses[1], known) as channel:
            assert await get_job(channel)
            assert authenticator.seen[1:] == [PeerCertificate("client", ("batch.example",))]
        async with grpc.aio.secure_channel(server.addresses[1], anonymous) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await get_job(channel)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        async with grpc.aio.insecure_channel(server.addresses[0]) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await get_job(channel)
    finally:
        await server.stop(0)
