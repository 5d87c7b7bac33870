"""The same calls to our shim and to Envoy's grpc_json_transcoder, before the same server.

Where the two specifications agree (google/api/http.proto, ProtoJSON), status and parsed JSON must be equal. Two rules hold for
all cases and are not listed with each:

- null: grpc-gateway writes unset messages as null (EmitUnpopulated), Envoy leaves them out. They are taken out before comparing.
- refusals of the proxy itself: grpc-gateway writes a google.rpc.Status as JSON, Envoy a line of text. The status is compared.

Every other difference stands in DIFFERENCES with the rule that decides it, and must be there: a case that has become equal fails.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.api import annotations_pb2, httpbody_pb2
from google.protobuf import descriptor_pb2, struct_pb2, wrappers_pb2
from google.rpc import error_details_pb2, status_pb2

from ingest_server.rest.app import RestApp, rest_app
from ingest_server.rest.streams import Streams
from ingest_server.rest.upstream import Upstream
from scripts.lib.envoy import EnvoyMissing, described, envoy_program, pipe, running_envoy
from tests.acceptance.rest.conftest import things_server
from tests.acceptance.server.server_process import ServerProcess
from tests.fakes.rest import things

CALL_SECONDS_MAX = 20.0
JOB = "0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f"


@dataclass(frozen=True)
class Case:
    """A request."""

    verb: str
    path: str
    body: str | None = None

    def __str__(self) -> str:
        return f"{self.verb} {self.path}" + (f" {self.body}" if self.body is not None else "")


def get(*paths: str) -> list[Case]:
    """GET requests."""
    return [Case("GET", path) for path in paths]


def post(path: str, *bodies: str) -> list[Case]:
    """POST requests to one path."""
    return [Case("POST", path, body) for body in bodies]


@dataclass(frozen=True)
class Answer:
    """What a proxy answered. `tree` is the JSON without nulls, lines of JSON as a list; text if it is no JSON."""

    status: int
    tree: Any
    refused_by_proxy: bool

    def equals(self, other: Answer) -> bool:
        if self.status != other.status:
            return False
        return self.refused_by_proxy or other.refused_by_proxy or self.tree == other.tree


@dataclass
class Both:
    """Clients of the two proxies."""

    ours: httpx.AsyncClient
    envoys: httpx.AsyncClient

    async def answers(self, case: Case) -> tuple[Answer, Answer]:
        return await _answer(self.ours, case), await _answer(self.envoys, case)


async def _answer(client: httpx.AsyncClient, case: Case) -> Answer:
    arguments: dict[str, Any] = {}
    if case.body is not None:
        arguments = {"content": case.body.encode(), "headers": {"content-type": "application/json"}}
    async with asyncio.timeout(CALL_SECONDS_MAX):
        answer = await client.request(case.verb, case.path, **arguments)
    try:
        tree = without_nulls(json.loads(answer.text))
    except ValueError:
        try:
            tree = [without_nulls(json.loads(line)) for line in answer.text.splitlines()]
        except ValueError:
            tree = answer.text
    details = tree.get("details", []) if isinstance(tree, dict) else []
    own = any(isinstance(item, dict) and item.get("domain") == "ingest" and client.base_url.host == "ours" for item in details)
    text = answer.status_code >= 400 and isinstance(tree, str | list)
    return Answer(answer.status_code, tree, own or text)


def without_nulls(tree: Any) -> Any:
    """JSON without null members of objects, its floats as the server's 32-bit ones are, however many digits were written."""
    if isinstance(tree, dict):
        return {key: without_nulls(value) for key, value in tree.items() if value is not None}
    if isinstance(tree, list):
        return [without_nulls(item) for item in tree]
    if isinstance(tree, float) and abs(tree) < 3.5e38:
        return struct.unpack("<f", struct.pack("<f", min(max(tree, -3.4028234e38), 3.4028234e38)))[0]
    return tree


@pytest.fixture(scope="module")
def _envoy() -> None:
    try:
        envoy_program()
    except EnvoyMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def both(tmp_path: Path, _envoy: None) -> AsyncIterator[Both]:
    """Both proxies before one Things server."""
    async with AsyncExitStack() as stack:
        _, address = await stack.enter_async_context(things_server(f"unix:{tmp_path}/things.sock"))
        upstream = Upstream(address)
        stack.push_async_callback(upstream.close)
        app = RestApp(upstream, services=[things.service()], stream_endpoint=Streams().serve)
        modules = (annotations_pb2, httpbody_pb2, struct_pb2, wrappers_pb2, error_details_pb2, status_pb2)
        files: list[Any] = [*(module.DESCRIPTOR for module in modules), things.service().file]
        descriptors = _without_response_bodies(described(files))
        yield await _both(stack, app, tmp_path, f"{tmp_path}/things.sock", descriptors, [things.service().full_name])


@pytest.fixture
async def contract(tmp_path: Path, _envoy: None) -> AsyncIterator[Both]:
    """Both proxies before the real server."""
    server = ServerProcess(tmp_path, flags=("--store", "memory"), workers=1, handlers=(), listen=f"unix:{tmp_path}/server.sock")
    await asyncio.to_thread(server.start)
    try:
        async with AsyncExitStack() as stack:
            upstream = Upstream(f"unix:{tmp_path}/server.sock")
            stack.push_async_callback(upstream.close)
            app = rest_app(upstream)
            files: list[Any] = [*(service.file for service in app.routes.services), error_details_pb2.DESCRIPTOR]
            names = [service.full_name for service in app.routes.services]
            yield await _both(stack, app, tmp_path, f"{tmp_path}/server.sock", described(files), names)
    finally:
        await asyncio.to_thread(server.stop)


async def _both(
    stack: AsyncExitStack, app: RestApp, folder: Path, upstream: str, descriptors: bytes, services: list[str]
) -> Both:
    socket = f"{folder}/envoy.sock"
    running = running_envoy(pipe(socket), pipe(upstream), descriptors, services)
    await asyncio.to_thread(running.__enter__)
    stack.callback(running.__exit__, None, None, None)
    ours = await stack.enter_async_context(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ours"))
    transport = httpx.AsyncHTTPTransport(uds=socket)
    envoys = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://envoy"))
    return Both(ours, envoys)


def _without_response_bodies(descriptors: bytes) -> bytes:
    """Envoy takes no rule with a response_body that is no HttpBody: those RPCs are kept from it, and stand in DIFFERENCES."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
    for file in files.file:
        for service in file.service:
            kept = [method for method in service.method if method.name != "Part"]
            del service.method[:]
            service.method.extend(kept)
    return files.SerializeToString()


TIMES = '{"time":"2026-01-31T12:00:00.123456789+01:00","times":["1970-01-01T00:00:00Z"],"duration":"-1.5s","mask":"a,bC"}'
TREES = '{"struct":{"a":[1,null,{"b":true}]},"value":"x","list":[1],"values":[1,"a",{}],"empty":{}}'
ANY_OF_OURS = '{"any":{"@type":"type.googleapis.com/ingest_test.v1.Part","text":"in"}}'
ANY_WELL_KNOWN = '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"5s"}}'
BOXES = '{"stringBox":"x","int64Box":"5","doubleBox":"NaN","bytesBox":"YQ==","boolBox":true,"uint64Box":"18446744073709551615"}'
MAPS = '{"partsByNumber":{"-5":{"text":"x"}},"doublesByFlag":{"true":1.5},"coloursByName":{"a":"COLOUR_RED"},"labels":{"k":"v"}}'

EQUAL: list[Case] = [
    # unary, path
    *get("/t/query", "/t/things/x", "/t/things/a%20b", "/t/things/a:b", "/t/things/%C3%BC", "/t/things/x?flag=true"),
    *get("/t/numbers/1/2/3", "/t/numbers/-1/-2/3", "/t/numbers/x/2/3", "/t/numbers/1/2/-3", "/t/numbers/2147483648/2/3"),
    *get("/t/values/1.5/true/COLOUR_RED", "/t/values/1.5/true/1", "/t/values/1.5/true/NOPE", "/t/values/1.5/perhaps/1"),
    *get("/t/shelves/1/books/2", "/t/shelves/1/books", "/t/files/a/b/c", "/t/raw/a/b:show", "/t/raw/a/b", "/t/wild/1/x/end"),
    *get("/t/boxes/x/1.5s", "/t/body/x", "/T/things/x", "/t//things/x", "/nowhere", "/ingest_test.v1.Things/Get"),
    Case("REPORT", "/t/report/x"),
    Case("DELETE", "/t/things/x"),
    Case("DELETE", "/t/things/x?thing.flag=true&update_mask=a"),
    # query
    *get("/t/query?text=a+b%26", "/t/query?int32Value=5", "/t/query?int32_value=5", "/t/query?int32_value=x", "/t/query?text="),
    *get("/t/query?flag=1", "/t/query?flag=true", "/t/query?flag=maybe", "/t/query?texts=a&texts=b", "/t/query?texts=a,b"),
    *get("/t/query?part.text=x&part.part.number=2", "/t/query?partsByNumber=1", "/t/query?nothing=1", "/t/query?parts=1"),
    *get("/t/query?colour=COLOUR_BLUE", "/t/query?colour=2", "/t/query?colour=GREEN", "/t/query?colour=99"),
    *get("/t/query?colours=COLOUR_BLUE&colours=1", "/t/query?numbers=1&numbers=-9223372036854775808", "/t/query?maybe_number=0"),
    *get("/t/query?time=2026-01-31T12:00:00Z", "/t/query?time=x", "/t/query?duration=1.5s", "/t/query?mask=a,b"),
    *get("/t/query?string_box=x&int64_box=5&bool_box=true", "/t/query?data=YQ%3D%3D", "/t/query?data=%3F"),
    *get("/t/query?choice_text=a&choice_number=1", "/t/query?double_value=1e3&float_value=0.1", "/t/query?int64_value=1.5"),
    # bodies
    *post("/t/things", '{"text":"x","part":{"number":1}}', "{}", "", '{"unknown":{"a":[1]},"text":"x"}', '{"text":"Grüße 😀"}'),
    *post("/t/things", '{"int32Value":"5","int64_value":"6"}', '{"int32Value":1e2}', '{"colour":"COLOUR_RED"}', '{"colour":99}'),
    *post("/t/things", TIMES, TREES, ANY_OF_OURS, ANY_WELL_KNOWN, BOXES, MAPS, '{"part":null,"texts":null}', '{"data":"-_-_"}'),
    *post(
        "/t/things", '{"floatValue":0.1,"doubleValue":-0.0,"floats":[1e-45,"Infinity",3.25]}', '{"maybeNumber":0,"maybeText":""}'
    ),
    Case("PUT", "/t/things/p", '{"flag":true}'),
    *post("/t/things/p:mend", '{"flag":true}'),
    *post("/t/part?text=q", '{"text":"p"}'),
    *post("/t/parts", '[{"text":"a"},{"number":2}]'),
    *post("/t/struct", '{"a":1}'),
    *post("/t/nothing?text=q", ""),
    Case("PATCH", "/t/things/x?update_mask=flag", '{"flag":true}'),
    # bad bodies
    *post("/t/things", "{", "[]", "null", '"x"', '{"text":1}', '{"int32Value":1.5}', '{"int32Value":2147483648}', '{"flag":1}'),
    *post(
        "/t/things", '{"data":"?"}', '{"text":"x"} x', '{"choiceText":"a","choiceNumber":1}', '{"time":"no"}', '{"duration":"1h"}'
    ),
    *post("/t/things", '{"any":{"@type":"type.googleapis.com/no.Such"}}', '{"floatValue":1e39}', '{"doubleValue":1e400}'),
    *post(
        "/t/things",
        '{"partsByNumber":{"x":{}}}',
        '{"text":"\\ud800"}',
        '{"part":"x"}',
        '{"colour":"GREEN"}',
        '{"part":{"number":[]}}',
    ),
    # every code, with its details
    *get(*(f"/t/fail/{code}?message=so%20it%20is" for code in range(1, 17)), "/t/fail/8?retry_milliseconds=1500"),
    # streams without a message
    *get("/t/count/0"),
]

DIFFERENCES: list[tuple[Case, int, int, str]] = [
    # request, our status, Envoy's status, the rule that decides for ours
    (Case("GET", "/t/things/a%2Fb"), 404, 200, "grpc-gateway v2 decodes the path before it splits it (UnescapingModeLegacy)"),
    (Case("GET", "/t/things/"), 200, 404, "grpc-gateway: an empty segment is a segment; Envoy drops trailing slashes"),
    (Case("GET", "/t/things/x/"), 404, 200, "the same"),
    (Case("GET", "/t/query?other_ids=a,b"), 200, 200, "ours: commas separate the ids of a field that ends in _ids"),
    (Case("GET", "/t/query?labels[a]=b"), 200, 200, "grpc-gateway reads maps from queries; Envoy ignores them as unknown"),
    (Case("GET", "/t/query?duration=1m"), 200, 400, "grpc-gateway reads durations in queries as Go does"),
    (Case("GET", "/t/query?int32_value=1&int32_value=2"), 400, 200, "grpc-gateway: too many values; Envoy takes the last"),
    (Case("GET", "/t/query?text=%ff"), 400, 500, "what is no UTF-8 cannot be a string; Envoy sends it on, and the server breaks"),
    (Case("GET", "/t/query?text.x=1"), 400, 200, "grpc-gateway: 'text' is not a message; Envoy: an unknown parameter"),
    (Case("GET", "/t/query?value=5"), 200, 200, "grpc-gateway reads a Value as JSON, so as a number; Envoy as a string"),
    (Case("GET", "/t/query?struct=%7B%22a%22:1%7D"), 200, 400, "grpc-gateway reads a Struct as JSON"),
    (Case("POST", "/t/things", '{"flag":"true"}'), 400, 200, "protobuf-go takes no strings for booleans"),
    (
        Case("POST", "/t/things", '{"text":"a","text":"b"}'),
        400,
        200,
        "protobuf-go refuses a field given twice; Envoy takes the last",
    ),
    (Case("POST", "/t/things", '{"int32Value":1,"int32_value":2}'), 400, 200, "the same, in two spellings"),
    (Case("POST", "/t/things", '{"text":"x",}'), 400, 200, "RFC 8259 knows no trailing comma"),
    (Case("POST", "/t/things", '{"texts":["a",null]}'), 400, 200, "protobuf-go takes no null in arrays; Envoy leaves it out"),
    (Case("POST", "/t/things", '{"texts":"a"}'), 400, 200, "protobuf-go takes no single value for an array"),
    (
        Case("POST", "/t/parts", '{"parts":[{"text":"a"}]}'),
        200,
        200,
        "ours: an object with the list is the whole request; Envoy: an item",
    ),
    (
        Case("PUT", "/t/things/p", '{"text":"b"}'),
        200,
        200,
        "http.proto: the path binds the field; in Envoy the body overwrites it",
    ),
    (Case("POST", "/t/things?text=q", '{"flag":true}'), 200, 200, "http.proto: with the body * there are no query parameters"),
    (
        Case("POST", "/t/part?part.text=q", '{"number":1}'),
        200,
        200,
        "http.proto: query parameters are fields outside of the body",
    ),
    (Case("POST", "/t/nothing?text=q", '{"text":"b"}'), 200, 200, "http.proto: without a body in the rule there is none"),
    (
        Case("PATCH", "/t/things/x", '{"flag":false}'),
        200,
        200,
        "grpc-gateway makes the update mask from the body (patch feature)",
    ),
    (Case("PATCH", "/t/things/x", '{"nope":true}'), 400, 200, "grpc-gateway: no mask can name it; Envoy ignores it"),
    (Case("GET", "/t/answer/texts?texts=a"), 200, 404, "Envoy refuses rules with a response_body"),
    (Case("GET", "/t/report/x"), 501, 404, "grpc-gateway: a wrong verb is UNIMPLEMENTED; Envoy: the path is unknown"),
    (Case("POST", "/t/query"), 501, 404, "the same"),
    (Case("DELETE", "/t/query"), 501, 404, "the same"),
    (Case("OPTIONS", "/t/query"), 501, 404, "the same"),
    (Case("GET", "/t/count/3"), 200, 200, 'grpc-gateway wraps each message of a stream in {"result": …}; Envoy does not'),
    (Case("GET", "/t/count/2?code=5"), 200, 200, 'the same; and grpc-gateway ends with {"error": …}, Envoy with nothing'),
    (Case("GET", "/t/count/0?code=5"), 404, 404, 'grpc-gateway writes {"error": …} even before any message'),
]


async def test_where_both_specifications_agree_so_do_the_answers(both: Both) -> None:
    faults = []
    for case in EQUAL:
        ours, envoys = await both.answers(case)
        if not ours.equals(envoys):
            faults.append(f"{case}\n    ours  {ours.status} {ours.tree}\n    envoy {envoys.status} {envoys.tree}")
    assert not faults, f"{len(faults)} of {len(EQUAL)} differ:\n" + "\n".join(faults)


async def test_every_known_difference_is_there_and_as_its_rule_says(both: Both) -> None:
    faults = []
    for case, our_status, envoys_status, rule in DIFFERENCES:
        ours, envoys = await both.answers(case)
        if (ours.status, envoys.status) != (our_status, envoys_status):
            faults.append(f"{case}: {ours.status} and {envoys.status}, not {our_status} and {envoys_status} ({rule})")
        elif ours.equals(envoys):
            faults.append(f"{case}: no difference any more ({rule}): {ours}")
    assert not faults, "\n".join(faults)


async def test_a_stream_is_the_same_messages_but_for_the_wrapping(both: Both) -> None:
    ours, envoys = await both.answers(Case("GET", "/t/count/3"))
    assert [line["result"] for line in ours.tree] == envoys.tree == [{"number": number} for number in range(3)]


SUBMITTED = json.dumps({"jobs": [{"jobId": JOB, "input": {"data": "aGVsbG8="}, "tasks": [{"custom": {"handler": "echo"}}]}]})
AGAIN = SUBMITTED.replace('{"jobId"', '{"conflictPolicy": "CONFLICT_POLICY_USE_EXISTING", "jobId"')
CONTRACT: list[Case] = [
    *post("/v1/jobs:submit", SUBMITTED.replace('"jobs": [', '"allOrNothing": true, "jobs": [{"priority": 12},')),
    *post("/v1/jobs:submit", SUBMITTED.replace("echo", "no-such"), '{"jobs":[]}', '{"jobs":[{"tasks":"x"}]}'),
    *post("/v1/jobs:submit", AGAIN, SUBMITTED),
    *get(f"/v1/jobs:fetch?job_ids={JOB}&wait_timeout=30s", f"/fetch_job?job_ids={JOB}&job_ids=x", "/v1/jobs:fetch"),
    *post("/v1/jobs:fetch", json.dumps({"jobIds": [JOB], "waitTimeout": "30s", "waitFor": "WAIT_FOR_ALL"})),
    *get(f"/v1/jobs/{JOB}", f"/v1/jobs/{JOB}?view=JOB_VIEW_FULL", "/v1/jobs/x", f"/v1/jobs/{JOB[:-1]}0"),
    *get(
        "/v1/jobs:count?group_by=GROUP_BY_STATE", "/v1/jobs:count?group_by=NO", "/v1/jobs?page_size=-1", "/v1/jobs?page_token=x"
    ),
    *get("/v1/queues", "/v1/queues/default", "/v1/queues/nope", "/v1/server"),
    Case("PATCH", "/v1/queues/default?update_mask=weight", '{"weight":3}'),
    Case("PATCH", "/v1/queues/default?update_mask=weight", '{"weight":-3}'),
    *post("/v1/queues/default:pause", "{}"),
    *post("/v1/queues/default:resume", "{}"),
    *post("/v1/jobs:cancel", json.dumps({"jobIds": [JOB, "x"]})),
    *post("/v1/blobs:findMissing", json.dumps({"blobs": [{"sha256": "0" * 64}]})),
    *get(f"/v1/blobs/{'0' * 64}/metadata", "/v1/blobs/x/metadata"),
]


async def test_calls_of_the_contract_to_the_real_server_are_answered_alike(contract: Both) -> None:
    faults = []
    for case in CONTRACT:
        ours, envoys = await contract.answers(case)
        # Of two that submit the same job one creates it, and a batch of its own.
        ours_plain, envoys_plain = (_without(answer.tree, {"batchId", "created"}) for answer in (ours, envoys))
        if ours.status != envoys.status or not (
            (ours.refused_by_proxy and envoys.refused_by_proxy) or ours_plain == envoys_plain
        ):
            faults.append(f"{case}\n    ours  {ours.status} {ours.tree}\n    envoy {envoys.status} {envoys.tree}")
    assert not faults, f"{len(faults)} of {len(CONTRACT)} differ:\n" + "\n".join(faults)


def _without(tree: Any, names: set[str]) -> Any:
    if isinstance(tree, dict):
        return {key: _without(value, names) for key, value in tree.items() if key not in names}
    return [_without(item, names) for item in tree] if isinstance(tree, list) else tree


def test_the_suite_says_how_much_it_compares() -> None:
    assert len(EQUAL) >= 100
    assert len({str(case) for case in EQUAL}) == len(EQUAL)
    assert all(rule for *_, rule in DIFFERENCES)
