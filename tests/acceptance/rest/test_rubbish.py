"""Whatever comes in: never a server error, never a trace of the program, always a Status, with the field at fault named.

The app is called in-process, byte for byte as a server would hand it over; behind it is the real gRPC server, in which the use
cases are fakes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings

from ingest_server.auth.open import OpenAuthenticator
from ingest_server.rest.app import RestApp, describe_contract
from ingest_server.rest.documentation import documentation_paths
from ingest_server.rest.options import RestOptions
from ingest_server.rest.streams import Streams
from ingest_server.rest.upstream import Upstream
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults, WireLimits
from ingest_server.wire.server import WireServer
from ingest_server.wire.transport import Listener
from tests.acceptance.rest.rubbish import UUID, Rubbish, requests
from tests.fakes.use_cases import FakeHandlers, FakeUseCases

ANSWER_SECONDS_MAX = 20.0
CALL_SECONDS_MAX = 1.0
INNER = (b"Traceback", b"site-packages", b".py")
GONE = 499


@dataclass
class Answer:
    """What came back. `status` is 499 where the client had gone away and nothing was answered."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def rpc_status(self) -> dict[str, Any]:
        """The google.rpc.Status in the body, of a stream that of its line."""
        found: dict[str, Any] = json.loads(self.body)
        inner: dict[str, Any] = found.get("error") or found
        return inner

    @property
    def fields(self) -> list[str]:
        """Fields that the error names."""
        details = self.rpc_status["details"]
        return [each["field"] for detail in details for each in detail.get("fieldViolations", [])]


Ask = Callable[[Rubbish], Answer]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Sends a request to the app and gives the answer. One loop, one server for all requests."""
    with asyncio.Runner() as runner:
        upstream, server, app = runner.run(_start())
        yield lambda rubbish: runner.run(asyncio.wait_for(send(app, rubbish), ANSWER_SECONDS_MAX))
        runner.run(_stop(upstream, server))


async def _start() -> tuple[Upstream, WireServer, RestApp]:
    configuration = LiveConfiguration(WireLimits(), SpecDefaults(), FakeHandlers())
    server = WireServer(FakeUseCases().use_cases(), OpenAuthenticator(), configuration, [Listener("127.0.0.1:0")])
    upstream = Upstream(await server.start())
    server.set_ready(True)
    app = RestApp(
        upstream,
        RestOptions(cors_origins=("https://a.example",), call_seconds_max=CALL_SECONDS_MAX),
        own_paths=documentation_paths(describe_contract),
        stream_endpoint=Streams().serve,
    )
    return upstream, server, app


async def _stop(upstream: Upstream, server: WireServer) -> None:
    await upstream.close()
    await server.stop(0)


async def send(app: RestApp, rubbish: Rubbish) -> Answer:
    """Play the server's part of ASGI: hand over the body in pieces, then wait, and leave soon if it is a stream."""
    told: list[dict[str, Any]] = []
    answered = asyncio.Event()
    pieces = list(rubbish.pieces or (b"",))

    async def receive() -> dict[str, Any]:
        if pieces:
            piece = pieces.pop(0)
            if rubbish.cut and not pieces:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_SECONDS_MAX / 2 if told else CALL_SECONDS_MAX):
                await answered.wait()
        return {"type": "http.disconnect"}

    async def take(message: Any) -> None:
        told.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": rubbish.verb,
        "scheme": "http",
        "path": unquote_to_bytes(rubbish.path).decode("utf-8", "replace"),
        "raw_path": rubbish.path,
        "query_string": rubbish.query,
        "root_path": "",
        "headers": list(rubbish.headers),
        "client": ("192.0.2.7", 1),
        "server": ("shim", 80),
    }
    await app(scope, receive, take)
    return _answer(told)


def _answer(told: list[dict[str, Any]]) -> Answer:
    """What was sent, held to the rules of ASGI: one start, then bodies, the last of which ends it."""
    if not told:
        return Answer(GONE, {}, b"")
    assert [message["type"] for message in told] == ["http.response.start"] + ["http.response.body"] * (len(told) - 1)
    assert not any(not message.get("more_body") for message in told[1:-1]), "something follows the end"
    headers = dict(told[0]["headers"])
    assert all(isinstance(part, bytes) for pair in told[0]["headers"] for part in pair)
    assert not any(b"\n" in part or b"\r" in part for pair in told[0]["headers"] for part in pair)
    return Answer(told[0]["status"], headers, b"".join(message.get("body", b"") for message in told[1:]))


def check(rubbish: Rubbish, answer: Answer) -> None:
    """The laws that every answer keeps."""
    assert not any(word in answer.body for word in INNER), answer.body[:500]
    if answer.status == GONE and not answer.body:
        return
    timed = any(name == b"grpc-timeout" for name, _ in rubbish.headers)
    allowed = {501, 504} if timed or b"watch" in rubbish.path or b"run" in rubbish.path or b"fetch" in rubbish.path else {501}
    assert answer.status < 500 or answer.status in allowed, f"{answer.status}: {answer.body[:500]!r}"
    assert b"x-request-id" in answer.headers or answer.headers.get(b"content-type") == b"application/json"
    if answer.status < 400 or rubbish.verb == "HEAD" or answer.headers.get(b"content-encoding"):
        return
    status = answer.rpc_status
    assert answer.headers[b"content-type"] == b"application/json"
    assert status["code"] in range(1, 17)
    assert status["message"]
    reasons = [detail["reason"] for detail in status["details"] if detail["@type"].endswith("ErrorInfo")]
    assert len(reasons) == 1, status
    assert reasons[0] != "INTERNAL"


@pytest.mark.slow
@given(requests())
@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@example(Rubbish("PUT", b"/v1/blobs", b"a=1&" * 200))
@example(Rubbish("GET", b"/v1/jobs/%ff"))
@example(Rubbish("GET", b"/v1/jobs", b"page_size=%ff"))
@example(Rubbish("POST", b"/v1/jobs:submit", pieces=(b'{"jobs":' * 20_000,)))
def test_rubbish_is_refused_and_never_an_error_of_ours(ask: Ask, caplog: pytest.LogCaptureFixture, rubbish: Rubbish) -> None:
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        answer = ask(rubbish)
    check(rubbish, answer)
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


JSON = (b"content-type", b"application/json")
FORM = (b"content-type", b"multipart/form-data; boundary=b")


@pytest.mark.parametrize(
    ("rubbish", "status", "field"),
    [
        (Rubbish("GET", b"/v1/jobs/no-uuid"), 400, "job_id"),
        (Rubbish("GET", f"/v1/jobs/{UUID}".encode(), b"view=SOME"), 400, "view"),
        (Rubbish("GET", f"/v1/jobs/{UUID}".encode(), b"view=JOB_VIEW_FULL&view=JOB_VIEW_BASIC"), 400, "view"),
        (Rubbish("GET", b"/v1/jobs", b"page_size=many"), 400, "page_size"),
        (Rubbish("GET", b"/v1/jobs", b"filter.create_time_from=yesterday"), 400, "filter.create_time_from"),
        (Rubbish("GET", b"/v1/jobs:fetch", b"job_ids=x"), None, None),
        (Rubbish("POST", b"/v1/jobs:submit", pieces=(b'{"jobs":[{"priority":"high"}]}',)), 400, "jobs[0].priority"),
        (Rubbish("POST", b"/v1/jobs:submit", pieces=(b'{"jobs":[{"tasks":[{"extract":{}}],"priority":77}]}',)), None, None),
        (Rubbish("POST", b"/v1/jobs:run", pieces=(b'{"job":{"input":{"data":"%%%"}}}',)), 400, "job.input.data"),
        (Rubbish("POST", b"/v1/jobs:run", pieces=(b'{"job":{"tasks":[{"extract":{}}],"priority":77}}',)), 400, "job.priority"),
        (Rubbish("POST", b"/v1/jobs:run", pieces=(b'{"job":{"conflictPolicy":[1]}}',)), 400, "job.conflict_policy"),
        (Rubbish("POST", b"/v1/jobs:run", pieces=(b'{"waitTimeout":"soon"}',)), 400, "wait_timeout"),
        (Rubbish("PATCH", b"/v1/queues/default", pieces=(b'{"weight":"heavy"}',)), 400, "queue.weight"),
        (Rubbish("GET", b"/v1/blobs/00"), 400, "sha256"),
        (Rubbish("PUT", b"/v1/blobs", b"sha256=00", pieces=(b"x",)), 400, "sha256"),
        (Rubbish("PUT", b"/v1/blobs", b"offset_bytes=-1", pieces=(b"x",)), 400, "offset_bytes"),
    ],
    ids=lambda given: given.path.decode() if isinstance(given, Rubbish) else "",
)  # fmt: skip
def test_the_field_at_fault_is_named(ask: Ask, rubbish: Rubbish, status: int | None, field: str | None) -> None:
    answer = ask(rubbish)
    if status is None:
        assert answer.status == 200, "a fault of one item is told with the item"
        assert b"INVALID_FIELD" in answer.body
        return
    assert answer.status == status, answer.body
    assert answer.fields == [field]


@pytest.mark.parametrize(
    ("rubbish", "status"),
    [
        (Rubbish("GET", b"/v1/nothing"), 404),
        (Rubbish("DELETE", b"/v1/jobs"), 501),
        (Rubbish("GET", b"/v1/jobs", b"page_token=" + b"x" * 70_000), 414),
        (Rubbish("POST", b"/v1/jobs:submit", headers=(JSON,), pieces=(b"x" * (1 << 20),) * 17), 413),
        (Rubbish("POST", b"/v1/jobs:submit", headers=((b"x-long", b"y" * 70_000),), pieces=(b"{}",)), 431),
        (Rubbish("POST", b"/v1/jobs:submit", headers=((b"content-encoding", b"br"),), pieces=(b"x",)), 415),
        (Rubbish("PUT", b"/v1/blobs", headers=(FORM,), pieces=(b"--b\r\ncontent-disposition: form-data; name=f",)), 400),
        (Rubbish("POST", b"/v1/jobs:submit", pieces=(b'{"jobs":[\xff]}',)), 400),
        (Rubbish("POST", b"/v1/jobs:submit", pieces=(b'{"jobs":[',)), 400),
    ],
)  # fmt: skip
def test_each_kind_of_rubbish_has_its_status(ask: Ask, rubbish: Rubbish, status: int) -> None:
    answer = ask(rubbish)
    assert answer.status == status, answer.body[:500]
    assert answer.rpc_status["message"]
