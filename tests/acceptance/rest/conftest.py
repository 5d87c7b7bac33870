"""The shim in front of servers: of the Things service, which uses every form of rule, and of the whole contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from ingest_server.rest.app import RestApp
from ingest_server.rest.options import RestOptions
from ingest_server.rest.streams import Streams
from ingest_server.rest.upstream import Upstream
from tests.conftest import child_processes, open_files
from tests.fakes.rest import things


@pytest.fixture(autouse=True)
def _no_process_or_file_left() -> Iterator[None]:
    """In place of the check of the same name for all tests: sockets of gRPC's core are closed by its own threads, later."""
    files, children = open_files(), child_processes()
    yield
    left = [target for number, target in open_files().items() if files.get(number) != target and target.startswith("/")]
    assert not left, f"the test left files open: {left}"
    assert child_processes().keys() <= children.keys()


@dataclass
class ThingsShim:
    """The shim before a Things server, and a client that calls it without a socket."""

    things: things.Things
    app: RestApp
    client: httpx.AsyncClient

    async def get(self, path: str, **arguments: Any) -> httpx.Response:
        """GET."""
        return await self.client.get(path, **arguments)

    async def post(self, path: str, **arguments: Any) -> httpx.Response:
        """POST."""
        return await self.client.post(path, **arguments)


@asynccontextmanager
async def things_server(address: str) -> AsyncIterator[tuple[things.Things, str]]:
    """A Things server; gives it and where it listens."""
    served = things.Things()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((served.handlers(),))
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield served, address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"
    finally:
        await server.stop(0)
        # Calls that were answered: gRPC does not wait for what is left of their tasks.
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith(("rpc_task", "HandleExceptions"))]
        if left:
            await asyncio.wait(left, timeout=10)


Shim = Callable[..., Any]


@pytest.fixture
async def shim(tmp_path: Path) -> AsyncIterator[Shim]:
    """Make a shim before a Things server; arguments are those of RestOptions."""
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> ThingsShim:
            served, address = await stack.enter_async_context(things_server(f"unix:{tmp_path}/things.sock"))
            upstream = Upstream(address)
            stack.push_async_callback(upstream.close)
            app = RestApp(upstream, RestOptions(**options), services=[things.service()], stream_endpoint=Streams().serve)
            transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=("192.0.2.7", 1234))
            client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://shim.test"))
            return ThingsShim(served, app, client)

        yield make


@pytest.fixture
async def thing(shim: Shim) -> ThingsShim:
    """A shim with the default options."""
    made: ThingsShim = await shim()
    return made
