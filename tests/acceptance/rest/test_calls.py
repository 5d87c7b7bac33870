"""Calls through the shim to a real gRPC server: errors first, then bodies, updates, forms in place of a query."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from ingest_server.rest.errors import RestError
from ingest_server.rest.transcode import write_message
from ingest_server.rest.upstream import Upstream
from tests.acceptance.rest.conftest import Shim, ThingsShim
from tests.fakes.rest.things import message_class

HTTP_OF_CODE = {1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500}
HTTP_OF_CODE |= {14: 503, 15: 500, 16: 401}


UNSET: tuple[Any, ...] = (None, "", 0, False, "0", [], {}, "COLOUR_UNSPECIFIED")


def only_set(tree: Any) -> Any:
    """JSON without what is null, empty or zero: what the request did not say."""
    if isinstance(tree, dict):
        return {key: kept for key, value in tree.items() if (kept := only_set(value)) not in UNSET} or {}
    return [only_set(item) for item in tree] if isinstance(tree, list) else tree


# ---- errors


@pytest.mark.parametrize("code", HTTP_OF_CODE)
async def test_each_code_has_its_status_and_its_details(thing: ThingsShim, code: int) -> None:
    answer = await thing.get(f"/t/fail/{code}?message=so%20it%20is")
    assert answer.status_code == HTTP_OF_CODE[code]
    assert answer.headers["content-type"] == "application/json"
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TEST", "domain": "things", "metadata": {"a": "b"}}
    assert answer.json() == {"code": code, "message": "so it is", "details": [detail]}
    assert answer.headers.get("www-authenticate") == ("Bearer" if code == 16 else None)


@pytest.mark.parametrize(("milliseconds", "seconds"), [(1, "1"), (1000, "1"), (1001, "2"), (90_000, "90")])
async def test_retry_info_becomes_retry_after_in_whole_seconds_not_too_early(
    thing: ThingsShim, milliseconds: int, seconds: str
) -> None:
    answer = await thing.get(f"/t/fail/8?retry_milliseconds={milliseconds}")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, seconds)
    assert answer.json()["details"][1]["retryDelay"].endswith("s")


async def test_unknown_paths_and_wrong_verbs_are_told_apart(thing: ThingsShim) -> None:
    unknown = await thing.get("/nowhere")
    assert (unknown.status_code, unknown.json()["code"], unknown.json()["message"]) == (404, 5, "Not Found")
    wrong = await thing.post("/t/things/x", json={})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["message"]) == (501, 12, "Method Not Allowed")
    assert wrong.headers["allow"] == "DELETE, GET, PATCH, PUT"
    for path in ("/t/things/x/", "/t//things", "/t/parts/", "/t/Things/x"):
        answer = await thing.post(path, content=b"{}")
        assert answer.status_code == 404, path
    assert thing.things.requests == []


@pytest.mark.parametrize(
    ("path", "told"),
    [("/t/things/%ff", "not UTF-8"), ("/t/things/%zz", "not percent-encoded"), ("/t/things/%2", "not percent-encoded")],
)
async def test_a_path_that_cannot_be_decoded_is_refused(thing: ThingsShim, path: str, told: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
    await thing.app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert told in json.loads(sent[1]["body"])["message"]


@pytest.mark.parametrize(
    ("options", "request_arguments", "status", "told"),
    [
        ({"body_bytes_max": 10}, {"json": {"text": "long enough"}}, 413, "the limit is 10"),
        ({"url_bytes_max": 20}, {"params": {"a": "x" * 20}}, 414, "the limit is 20"),
        ({"header_bytes_max": 300}, {"headers": {"x": "y" * 300}}, 431, "the limit is 300"),
        ({}, {"content": b"x", "headers": {"content-encoding": "zstd"}}, 415, "'zstd' is not known"),
        ({}, {"content": b"no gzip", "headers": {"content-encoding": "gzip"}}, 400, "no gzip data"),
        ({}, {"content": gzip.compress(b"{}")[:-4], "headers": {"content-encoding": "gzip"}}, 400, "cut short"),
        ({}, {"content": gzip.compress(b"{}") + b"x", "headers": {"content-encoding": "gzip"}}, 400, "more follows"),
        (
            {"body_bytes_max": 5_000},
            {"content": gzip.compress(b" " * 10**7), "headers": {"content-encoding": "gzip"}},
            413,
            "limit",
        ),
        ({}, {"content": b"{}", "headers": {"grpc-timeout": "1x"}}, 400, "Grpc-Timeout"),
        ({}, {"content": b"{}", "headers": {"grpc-timeout": "123456789S"}}, 400, "Grpc-Timeout"),
        ({}, {"content": b"{}", "headers": {"grpc-metadata-x-bin": "?"}}, 400, "must be base64"),
    ],
)
async def test_what_is_too_large_or_coded_wrongly_is_refused(
    shim: Shim, options: dict[str, Any], request_arguments: dict[str, Any], status: int, told: str
) -> None:
    made = await shim(**options)
    answer = await made.post("/t/things", **request_arguments)
    assert answer.status_code == status
    assert told in answer.json()["message"]
    assert made.things.requests == []


async def test_a_body_in_pieces_is_refused_as_soon_as_it_is_too_large(shim: Shim) -> None:
    made = await shim(body_bytes_max=1_000)
    given = []

    async def pieces() -> Any:
        for number in range(100):
            given.append(number)
            yield b" " * 100

    answer = await made.post("/t/things", content=pieces())
    assert answer.status_code == 413


def test_an_answer_that_json_cannot_hold_is_an_error_not_a_crash() -> None:
    with pytest.raises(RestError, match="cannot be written as JSON") as caught:
        write_message(message_class("Thing")(time={"seconds": 1 << 60}))
    assert caught.value.http_status == 500


async def test_a_server_that_is_not_there_is_unavailable(thing: ThingsShim) -> None:
    await thing.app.upstream.close()
    thing.app.upstream = Upstream("127.0.0.1:1")
    answer = await thing.get("/t/query", headers={"grpc-timeout": "5S"})
    await thing.app.upstream.close()
    assert (answer.status_code, answer.json()["code"]) == (503, 14)


async def test_a_deadline_that_ends_is_told_as_such(thing: ThingsShim) -> None:
    answer = await thing.get("/t/wait", headers={"Grpc-Timeout": "30m"})
    assert (answer.status_code, answer.json()["code"]) == (504, 4)
    await asyncio.wait_for(thing.things.cancelled.wait(), 10)


async def test_a_client_that_goes_away_ends_the_upstream_call(shim: Shim) -> None:
    made = await shim(disconnect_watch_seconds=0.0)
    first = True

    async def receive() -> Any:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": b""}
        await made.things.waiting.wait()
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/t/wait", "raw_path": b"/t/wait", "query_string": b"", "headers": []}
    await asyncio.wait_for(made.app(scope, receive, send), 10)
    await asyncio.wait_for(made.things.cancelled.wait(), 10)
    assert sent == []


# ---- bodies


BODIES: list[tuple[str, str, Any, dict[str, Any]]] = [
    ("POST", "/t/things", {"text": "x", "part": {"number": 1}}, {"text": "x", "part": {"number": 1}}),
    ("POST", "/t/things?text=ignored", {"flag": True}, {"flag": True}),
    ("PUT", "/t/things/path", {"text": "body"}, {"text": "path"}),
    ("POST", "/t/things/a:b:mend", {"flag": True}, {"text": "a:b", "flag": True}),
    ("POST", "/t/part?text=q&part.text=ignored", {"text": "p"}, {"text": "q", "part": {"text": "p"}}),
    ("POST", "/t/parts?text=q", [{"text": "a"}, {"number": 2}], {"text": "q", "parts": [{"text": "a"}, {"number": 2}]}),
    ("POST", "/t/parts", {"text": "one"}, {"parts": [{"text": "one"}]}),
    ("POST", "/t/parts", {"parts": [{"text": "a"}], "flag": True}, {"parts": [{"text": "a"}], "flag": True}),
    ("POST", "/t/texts", ["a", "b"], {"texts": ["a", "b"]}),
    ("POST", "/t/labels", {"a": "b"}, {"labels": {"a": "b"}}),
    ("POST", "/t/text", "just text", {"text": "just text"}),
    ("POST", "/t/struct", {"a": [1, "x"]}, {"struct": {"a": [1, "x"]}}),
    ("POST", "/t/nothing?text=q", {"text": "not read"}, {"text": "q"}),
    ("REPORT", "/t/report/x", None, {"text": "x"}),
]


@pytest.mark.parametrize(("verb", "path", "body", "meant"), BODIES)
async def test_the_body_goes_where_the_rule_says(
    thing: ThingsShim, verb: str, path: str, body: Any, meant: dict[str, Any]
) -> None:
    answer = await thing.client.request(verb, path, json=body)
    assert answer.status_code == 200, answer.text
    assert only_set(answer.json()) == meant


async def test_an_empty_body_is_a_message_without_fields(thing: ThingsShim) -> None:
    for content in (b"", b"  \n"):
        answer = await thing.post("/t/things", content=content)
        assert (answer.status_code, only_set(answer.json())) == (200, {})


async def test_the_faults_of_a_list_name_its_items(thing: ThingsShim) -> None:
    answer = await thing.post("/t/parts", json=[{}, {"number": "x"}])
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("parts[1].number: must be a 32-bit integer")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("part", {"text": "x", "number": 0, "tags": [], "part": None}),
        ("texts", ["a", "b"]),
        ("text", "t"),
        ("labels", {"k": "v"}),
    ],
)
async def test_the_answer_is_the_field_the_rule_names(thing: ThingsShim, path: str, meant: Any) -> None:
    answer = await thing.get(f"/t/answer/{path}?part.text=x&texts=a&texts=b&text=t&labels[k]=v")
    assert answer.json() == meant


async def test_an_unset_field_is_answered_as_null(thing: ThingsShim) -> None:
    assert (await thing.get("/t/answer/part")).json() is None


async def test_an_http_body_is_answered_as_it_is(thing: ThingsShim) -> None:
    answer = await thing.get("/t/body/x")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "text/csv", b"a,b\nx")


# ---- updates


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, []),
        ({"text": "x", "flag": False}, ["flag", "text"]),
        ({"part": {"part": {"number": 0}, "tags": []}, "int32Value": 1}, ["int32_value", "part.part.number", "part.tags"]),
        ({"labels": {"a": "b"}, "part": {}, "struct": {"a": {"b": 1}}}, ["labels", "part", "struct.a.b"]),
        ({"part": None}, ["part"]),
    ],
)
async def test_a_patch_without_a_mask_changes_what_its_body_names(thing: ThingsShim, body: Any, paths: list[str]) -> None:
    answer = await thing.client.patch("/t/things/x", json=body)
    assert answer.status_code == 200, answer.text
    assert list(thing.things.requests[0].update_mask.paths) == paths
    assert answer.json()["thing"]["text"] == "x"


async def test_a_patch_with_a_mask_keeps_it_and_one_of_unknown_fields_is_refused(thing: ThingsShim) -> None:
    await thing.client.patch("/t/things/x?update_mask=flag,part.text", json={"text": "x"})
    assert list(thing.things.requests[0].update_mask.paths) == ["flag", "part.text"]
    answer = await thing.client.patch("/t/things/x", json={"part": {"nmuber": 1}})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("thing.part.nmuber: ")


# ---- forms in place of a query


async def test_a_form_by_post_stands_for_a_get_with_a_long_query(thing: ThingsShim) -> None:
    answer = await thing.post("/t/query?flag=1", data={"text": "a b", "part.number": "3"})
    assert only_set(answer.json()) == {"text": "a b", "flag": True, "part": {"number": 3}}


async def test_a_form_may_name_its_verb(thing: ThingsShim) -> None:
    headers = {"x-http-method-override": "get"}
    answer = await thing.post("/t/things/x", data={"flag": "true"}, headers=headers)
    assert only_set(answer.json()) == {"text": "x", "flag": True}
    # Without the type of a form the verb stays what it is.
    answer = await thing.post("/t/things/x", json={}, headers=headers)
    assert answer.status_code == 501


async def test_json_sent_as_a_form_to_a_post_route_is_json(thing: ThingsShim) -> None:
    """As curl -d sends it."""
    answer = await thing.post("/t/things", content=b'{"text":"x"}', headers={"content-type": "application/x-www-form-urlencoded"})
    assert only_set(answer.json()) == {"text": "x"}
