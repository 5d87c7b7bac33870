"""Headers of calls through the shim: metadata either way, trailers, ids of requests, compression, origins; bodies that stop."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from tests.acceptance.rest.conftest import Shim, ThingsShim

# ---- metadata


async def test_metadata_goes_up_and_comes_back(thing: ThingsShim) -> None:
    headers = {
        "Authorization": "Bearer secret",
        "Grpc-Metadata-My-Key": "mine",
        "Grpc-Metadata-Raw-Bin": "AP8",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "X-Request-Id": "r-1",
        "X-Forwarded-For": "203.0.113.9",
        "Grpc-Timeout": "5S",
        "X-Unknown": "stays",
        "Grpc-Metadata-grpc-internal": "never",
    }
    answer = await thing.get("/t/metadata", headers=headers)
    seen = answer.json()
    assert seen["authorization"] == seen["grpcgateway-authorization"] == "Bearer secret"
    assert seen["my-key"] == "mine"
    assert seen["raw-bin"] == "00ff"
    assert seen["traceparent"].startswith("00-4bf9")
    assert seen["x-request-id"] == answer.headers["x-request-id"] == "r-1"
    assert seen["x-forwarded-for"] == "203.0.113.9, 192.0.2.7"
    assert seen["x-forwarded-host"] == seen["grpcgateway-host"] == "shim.test"
    assert seen["deadline"] is True
    assert not {"x-unknown", "grpc-internal"} & seen.keys()
    echoed = await thing.get("/t/query")
    assert echoed.headers["grpc-metadata-x-echo"] == "yes"
    assert echoed.headers["grpc-metadata-x-echo-bin"] == "AP8="


@pytest.mark.parametrize(("asked", "able"), [(True, True), (True, False), (False, True)])
async def test_trailing_metadata_becomes_trailers_where_client_and_server_can(thing: ThingsShim, asked: bool, able: bool) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/t/query", "query_string": b""}
    scope["headers"] = [(b"te", b"trailers")] if asked else []
    scope["extensions"] = {"http.response.trailers": {}} if able else {}
    await thing.app(scope, receive, send)
    headers = dict(sent[0]["headers"])
    if asked and able:
        assert sent[0]["trailers"] is True
        assert headers[b"trailer"] == b"grpc-trailer-x-end"
        assert sent[2] == {
            "type": "http.response.trailers",
            "headers": [(b"grpc-trailer-x-end", b"reached")],
            "more_trailers": False,
        }
    else:
        assert len(sent) == 2
        assert b"content-length" in headers


async def test_a_body_that_does_not_come_is_not_waited_for(shim: Shim) -> None:
    made = await shim(body_seconds_max=0.0)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "POST", "path": "/t/things", "query_string": b"", "headers": []}
    await made.app(scope, receive, send)
    assert sent[0]["status"] == 408
    assert made.things.requests == []


async def test_a_client_that_goes_away_before_its_body_ended_is_not_answered(thing: ThingsShim) -> None:
    pieces = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def send(message: Any) -> None:
        raise AssertionError(f"nobody is there to be told {message}")

    async def receive() -> Any:
        return next(pieces)

    scope = {"type": "http", "method": "POST", "path": "/t/things", "query_string": b"", "headers": []}
    await thing.app(scope, receive, send)
    assert thing.things.requests == []


async def test_a_request_id_that_is_none_is_replaced(thing: ThingsShim) -> None:
    for bad in ("", "a b", "x" * 129):
        answer = await thing.get("/t/query", headers={"x-request-id": bad})
        assert len(answer.headers["x-request-id"]) == 36


async def test_forwarded_addresses_are_believed_only_where_they_may_be(shim: Shim) -> None:
    made = await shim(trust_forwarded_for=False)
    seen = (await made.get("/t/metadata", headers={"X-Forwarded-For": "203.0.113.9"})).json()
    assert seen["x-forwarded-for"] == "192.0.2.7"


# ---- encodings and origins


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("", False), ("identity", False), ("gzip;q=0", False), ("br", False)],
)
async def test_large_answers_are_compressed_for_those_who_take_it(thing: ThingsShim, accepted: str, zipped: bool) -> None:
    answer = await thing.post("/t/things", json={"text": "x" * 5_000}, headers={"accept-encoding": accepted})
    assert (answer.headers.get("content-encoding") == "gzip") == zipped
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.json()["text"] == "x" * 5_000
    small = await thing.post("/t/text", json="x", headers={"accept-encoding": accepted})
    assert "content-encoding" not in small.headers


@pytest.mark.parametrize(("coding", "packed"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_compressed_bodies_are_read(thing: ThingsShim, coding: str, packed: Any) -> None:
    answer = await thing.post("/t/things", content=packed(b'{"text":"x"}'), headers={"content-encoding": coding})
    assert answer.json()["text"] == "x"


async def test_without_a_setting_no_origin_is_told_anything(thing: ThingsShim) -> None:
    answer = await thing.get("/t/query", headers={"origin": "https://a.test"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    preflight = await thing.client.options(
        "/t/query", headers={"origin": "https://a.test", "access-control-request-method": "GET"}
    )
    assert preflight.status_code == 501


async def test_allowed_origins_may_call_and_others_are_told_nothing(shim: Shim) -> None:
    made = await shim(cors_origins=("https://a.test",))
    asked = {"origin": "https://a.test", "access-control-request-method": "PATCH", "access-control-request-headers": "x-a"}
    preflight = await made.client.options("/t/things/x", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://a.test"
    assert preflight.headers["access-control-allow-methods"] == "DELETE, GET, PATCH, PUT"
    assert preflight.headers["access-control-allow-headers"] == "x-a"
    for path, status in (("/t/query", 200), ("/nowhere", 404)):
        allowed = await made.get(path, headers={"origin": "https://a.test"})
        other = await made.get(path, headers={"origin": "https://b.test"})
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (status, "https://a.test")
        assert "access-control-allow-origin" not in other.headers
        assert "origin" in other.headers["vary"]
    everyone = await (await shim(cors_origins=("*",))).get("/t/query", headers={"origin": "https://b.test"})
    assert everyone.headers["access-control-allow-origin"] == "*"
