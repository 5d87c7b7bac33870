"""A real server on a free loopback port, with fake use cases behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ingest.v1 import blob_service_pb2_grpc, job_service_pb2_grpc, queue_service_pb2_grpc, server_service_pb2_grpc
from ingest_server.auth.open import OpenAuthenticator
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults, WireLimits
from ingest_server.wire.server import WireServer
from ingest_server.wire.transport import Listener
from tests.conftest import child_processes, open_files
from tests.fakes.use_cases import FakeHandlers, FakeUseCases

JOB = "0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f"
"""A good id."""


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of these tests."""
    config.addinivalue_line("markers", "grpcurl: needs grpcurl, or Go to build it")


@pytest.fixture(autouse=True)
def _no_process_or_file_left() -> Iterator[None]:
    """In place of the check of the same name for all tests: sockets and pollers of gRPC's core are closed by its own threads,
    some time later. Files and processes must be gone; that a server has let go of its address is tested by name."""
    files, children = open_files(), child_processes()
    yield
    left = [target for number, target in open_files().items() if files.get(number) != target and target.startswith("/")]
    assert not left, f"the test left files open: {left}"
    assert child_processes().keys() <= children.keys()


@dataclass
class Running:
    """A server under test."""

    server: WireServer
    address: str
    channel: Any
    fake: FakeUseCases
    configuration: LiveConfiguration
    stubs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for module in (job_service_pb2_grpc, blob_service_pb2_grpc, queue_service_pb2_grpc, server_service_pb2_grpc):
            for name in dir(module):
                if name.endswith("Stub"):
                    self.stubs.update(vars(getattr(module, name)(self.channel)))

    def __getattr__(self, name: str) -> Any:
        """The RPC of that name."""
        try:
            return self.stubs[name]
        except KeyError:
            raise AttributeError(name) from None

    def limit(self, **limits: Any) -> None:
        """Change limits."""
        self.configuration.swap(limits=replace(self.configuration.limits, **limits))


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A server that lets everybody in."""
    fake = FakeUseCases()
    configuration = LiveConfiguration(WireLimits(), SpecDefaults(), FakeHandlers())
    server = WireServer(fake.use_cases(), OpenAuthenticator(), configuration, [Listener("127.0.0.1:0")])
    address = await server.start()
    server.set_ready(True)
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Running(server, address, channel, fake, configuration)
    finally:
        await server.stop(0)


@dataclass
class Refusal:
    """An error of a call, taken apart."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: dict[str, str]
    retry_seconds: float | None
    kinds: set[str]


def take_apart(status: status_pb2.Status, code: grpc.StatusCode | None = None) -> Refusal:
    """Read a status; fails unless it has exactly one ErrorInfo of our domain."""
    infos: list[Any] = []
    fields: dict[str, str] = {}
    retry_seconds = None
    kinds = set()
    for detail in status.details:
        kinds.add(detail.TypeName().rpartition(".")[2])
        message = getattr(error_details_pb2, detail.TypeName().rpartition(".")[2])()
        assert detail.Unpack(message)
        if isinstance(message, error_details_pb2.ErrorInfo):
            infos.append(message)
        elif isinstance(message, error_details_pb2.BadRequest):
            fields.update({violation.field: violation.description for violation in message.field_violations})
        elif isinstance(message, error_details_pb2.RetryInfo):
            retry_seconds = message.retry_delay.ToTimedelta().total_seconds()
    assert len(infos) == 1
    assert infos[0].domain == "ingest"
    found = code or next(each for each in grpc.StatusCode if each.value[0] == status.code)
    return Refusal(found, status.message, infos[0].reason, dict(infos[0].metadata), fields, retry_seconds, kinds)


async def refusal(call: Any) -> Refusal:
    """Await a call that must fail; what it failed with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _outcome(call)
    error = caught.value
    trailers: Any = error.trailing_metadata() or ()
    details = dict(trailers).get("grpc-status-details-bin")
    assert details is not None, f"{error.code()}: {error.details()}"
    status = status_pb2.Status.FromString(details)
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    return take_apart(status, error.code())


async def _outcome(call: Any) -> None:
    """Await a call of either kind to its end."""
    if hasattr(call, "__await__"):
        await call
    else:
        async for _ in call:
            pass
