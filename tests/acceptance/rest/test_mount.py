"""The shim inside other apps: mounted into FastAPI and Starlette, and behind a proxy that takes a prefix away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from ingest_server.rest.app import RestApp, rest_app
from ingest_server.rest.streams import Streams
from ingest_server.rest.upstream import Upstream
from tests.acceptance.rest.conftest import things_server
from tests.fakes.rest import things


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[RestApp]:
    async with things_server(f"unix:{tmp_path}/things.sock") as (_, address):
        upstream = Upstream(address)
        yield RestApp(upstream, services=[things.service()], stream_endpoint=Streams().serve)
        await upstream.close()


@asynccontextmanager
async def client_of(app: Any, **arguments: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, **arguments)
    async with httpx.AsyncClient(transport=transport, base_url="http://outer.test") as client:
        yield client


async def test_it_mounts_into_fastapi_beside_the_apps_own_routes(app: RestApp) -> None:
    outer = FastAPI()

    @outer.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    outer.mount("/ingest", app)
    async with client_of(outer) as client:
        assert (await client.get("/hello")).json() == {"hello": "world"}
        assert (await client.get("/ingest/t/things/a%20b")).json()["text"] == "a b"
        # A verb after a colon, which Starlette's own routes would not tell from the variable before it.
        mended = await client.post("/ingest/t/things/x:mend", json={"flag": True})
        assert (mended.json()["text"], mended.json()["flag"]) == ("x", True)
        lines = (await client.get("/ingest/t/count/2")).text.splitlines()
        assert lines == ['{"result":{"number":0}}', '{"result":{"number":1}}']
        unknown = await client.get("/ingest/nowhere")
        assert (unknown.status_code, unknown.json()["code"]) == (404, 5)
        # Not ours: FastAPI answers.
        assert (await client.get("/nowhere")).json() == {"detail": "Not Found"}
        assert (await client.get("/ingestion/t/query")).status_code == 404


async def test_it_mounts_into_a_mount(app: RestApp) -> None:
    outer = Starlette(routes=[Mount("/a", routes=[Mount("/b", app)])])
    async with client_of(outer) as client:
        assert (await client.get("/a/b/t/files/a/b")).json()["text"] == "a/b"
        assert (await client.get("/a/b/a/b/t/files/a/b")).status_code == 404


async def test_a_prefix_that_a_proxy_took_or_left_is_not_part_of_the_path(app: RestApp) -> None:
    async with client_of(app, root_path="/prefix") as client:
        assert (await client.get("/prefix/t/things/x")).json()["text"] == "x"
        assert (await client.get("/t/things/x")).json()["text"] == "x"
        assert (await client.get("/prefixed/t/things/x")).status_code == 404


async def test_the_app_of_the_contract_answers_without_its_server_with_unavailable(tmp_path: Path) -> None:
    upstream = Upstream(f"unix:{tmp_path}/nobody.sock")
    outer = FastAPI()
    outer.mount("/ingest", rest_app(upstream))
    async with client_of(outer) as client:
        answer = await client.get("/ingest/v1/server", headers={"grpc-timeout": "10S"})
        assert (answer.status_code, answer.json()["code"]) == (503, 14)
        assert (await client.get("/ingest/openapi.json")).status_code == 200
    await upstream.close()


async def test_the_lifespan_of_a_server_is_answered(app: RestApp) -> None:
    sent = []
    told = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(told)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
