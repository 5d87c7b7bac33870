"""Streams as lines and as server-sent events, from a scripted upstream call: endings, resumption, silence, slow readers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, cast

import grpc
import pytest
from google.rpc import status_pb2

from ingest.v1 import job_service_pb2 as pb
from ingest_server.rest import stream_frames
from ingest_server.rest.app import SERVICES
from ingest_server.rest.errors import RestError, rest_error
from ingest_server.rest.exchange import ClientGone, Exchange
from ingest_server.rest.metadata import CallMetadata
from ingest_server.rest.options import RestOptions
from ingest_server.rest.routes import Match, RouteTable
from ingest_server.rest.sse import EventStreamOptions
from ingest_server.rest.stream_session import End, Sessions
from ingest_server.rest.streams import StreamOptions, Streams
from ingest_server.rest.transcode import write_response
from tests.fakes.clock import FakeClock

WATCH = "/v1/jobs:watch"
ROUTES = RouteTable(SERVICES)


def message(token: str, *states: int, close: int | None = None) -> bytes:
    """A message of a watch."""
    made = pb.WatchJobsResponse(
        resume_token=token, events=[pb.JobEvent(job_id="j", state=cast("Any", state)) for state in states]
    )
    if close is not None:
        made.close.status.CopyFrom(status_pb2.Status(code=close))
    return made.SerializeToString()


class Call:
    """An upstream stream: answers what the test puts in."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.cancelled = asyncio.Event()
        self.reads = 0

    async def read(self) -> Any:
        self.reads += 1
        getting = asyncio.ensure_future(self.messages.get())
        ending = asyncio.ensure_future(self.cancelled.wait())
        try:
            await asyncio.wait((getting, ending), return_when=asyncio.FIRST_COMPLETED)
            if self.cancelled.is_set():
                raise asyncio.CancelledError
            found = getting.result()
        finally:
            getting.cancel()
            ending.cancel()
        if isinstance(found, Exception):
            raise found
        return grpc.aio.EOF if found is None else found

    def cancel(self) -> bool:
        self.cancelled.set()
        return True

    async def initial_metadata(self) -> tuple[()]:
        return ()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    async def details(self) -> str:
        return ""


class Upstream:
    """Hands out one call and keeps what it was asked."""

    def __init__(self) -> None:
        self.call = Call()
        self.request = pb.WatchJobsRequest()

    def server_stream(self, method: str, request: bytes, metadata: Any, timeout: float | None) -> Call:
        self.request = pb.WatchJobsRequest.FromString(request)
        return self.call


class Client:
    """The HTTP side: sees what was sent, goes away when it wants, reads as slowly as it wants."""

    def __init__(self) -> None:
        self.upstream = Upstream()
        self.clock = FakeClock()
        self.gone = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.whole = False
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        events = EventStreamOptions(heartbeat_seconds=10.0, retry_seconds=2.0, first_seconds_max=0.05)
        self.streams = Streams(StreamOptions(streams_max=2, events=events), self.clock)

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, sent: Any) -> None:
        if sent["type"] == "http.response.start":
            self.status, self.headers = sent["status"], dict(sent["headers"])
            return
        await self.may_read.wait()
        self.body += sent["body"]
        self.whole = not sent.get("more_body", False)
        self.pieces.put_nowait(sent["body"])

    def ask(self, *headers: tuple[bytes, bytes], query: bytes = b"") -> asyncio.Task[None]:
        """Begin a request."""
        scope = {"type": "http", "method": "GET", "path": WATCH, "query_string": query, "headers": list(headers)}
        match = ROUTES.match("GET", WATCH)
        exchange = Exchange(
            scope, self.receive, self.send, WATCH, RestOptions(), cast("Any", self.upstream), CallMetadata([], None, "r"), match
        )
        assert isinstance(match, Match)
        return asyncio.create_task(self._serve(exchange))

    async def _serve(self, exchange: Exchange) -> None:
        await self.streams.serve(exchange)

    def events(self, *headers: tuple[bytes, bytes]) -> asyncio.Task[None]:
        """Begin a request as EventSource does."""
        return self.ask((b"accept", b"text/event-stream"), *headers)

    async def next_piece(self) -> bytes:
        return await asyncio.wait_for(self.pieces.get(), 5)


@pytest.fixture
def client() -> Client:
    return Client()


def failure(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), f"why {code.name}")


async def ended(task: asyncio.Task[Any]) -> None:
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.UNAUTHENTICATED]
)
async def test_what_stays_wrong_is_an_http_error_before_the_first_event(client: Client, code: grpc.StatusCode) -> None:
    client.upstream.call.messages.put_nowait(failure(code))
    with pytest.raises(RestError) as caught:
        await ended(client.events())
    assert caught.value.status.code == code.value[0]
    assert not client.status


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED])
async def test_what_may_be_well_soon_lets_the_browser_come_back(client: Client, code: grpc.StatusCode, begun: bool) -> None:
    if begun:
        client.upstream.call.messages.put_nowait(message("t1", 2))
    client.upstream.call.messages.put_nowait(failure(code))
    await ended(client.events())
    assert client.status == 200
    assert client.body.startswith(b"retry: 2000\n\n")
    assert client.body.endswith(b": why %s\n\n" % code.name.encode())
    assert b"event: end" not in client.body
    assert client.whole


async def test_what_stays_wrong_after_events_is_told_as_the_end(client: Client) -> None:
    client.upstream.call.messages.put_nowait(message("t1", 2))
    client.upstream.call.messages.put_nowait(failure(grpc.StatusCode.INTERNAL))
    await ended(client.events())
    assert json.loads(client.body.rpartition(b"event: end\ndata: ")[2])["code"] == 13


async def test_a_last_event_id_that_is_not_utf8_is_refused(client: Client) -> None:
    with pytest.raises(RestError, match="UTF-8"):
        await ended(client.events((b"last-event-id", b"\xff")))


async def test_events_carry_the_token_as_id_and_the_message_as_data(client: Client) -> None:
    for sent in (message("t1", 2, 3), message("t2"), message("t3", close=14), None):
        client.upstream.call.messages.put_nowait(sent)
    await ended(client.events())
    assert client.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    retry, first, silent, close, rest = client.body.split(b"\n\n")
    assert retry == b"retry: 2000"
    number, data = first.split(b"\n")
    assert number == b"id: t1"
    told = json.loads(data.removeprefix(b"data: "))
    assert [event["state"] for event in told["events"]] == ["JOB_STATE_QUEUED", "JOB_STATE_RUNNING"]
    assert silent == b"id: t2"
    assert close.startswith(b"id: t3\nevent: close\ndata: {")
    assert rest == b"", "after close the browser connects again, so no end is told"


async def test_an_end_is_told_once_and_for_all(client: Client) -> None:
    for sent in (message("t1", 5), None):
        client.upstream.call.messages.put_nowait(sent)
    await ended(client.events())
    assert json.loads(client.body.rpartition(b"event: end\ndata: ")[2]) == {"code": 0, "message": "", "details": []}


async def test_a_browser_that_comes_back_to_what_is_over_is_sent_away(client: Client) -> None:
    client.upstream.call.messages.put_nowait(message("t9"))
    client.upstream.call.messages.put_nowait(None)
    await ended(client.events((b"last-event-id", b"t9")))
    assert (client.status, client.body, client.whole) == (204, b"", True)
    assert client.upstream.request.resume_token == "t9"


async def test_the_last_event_id_wins_over_a_token_in_the_address(client: Client) -> None:
    client.upstream.call.messages.put_nowait(None)
    task = client.ask((b"accept", b"text/event-stream"), (b"last-event-id", "tö".encode()), query=b"resume_token=old")
    await ended(task)
    assert client.upstream.request.resume_token == "tö"


async def test_a_resumed_stream_without_news_is_begun_all_the_same(client: Client) -> None:
    client.upstream.call.messages.put_nowait(message("t2"))
    task = client.events((b"last-event-id", b"t1"))
    assert await client.next_piece() == b"retry: 2000\n\n"
    client.upstream.call.messages.put_nowait(message("t3", 5))
    assert (await client.next_piece()).startswith(b"id: t3\n")
    client.gone.set()
    with pytest.raises(ClientGone):
        await ended(task)


async def test_silence_is_broken_by_comments(client: Client) -> None:
    task = client.events()
    assert await client.next_piece() == b"retry: 2000\n\n"
    for _ in range(3):
        while client.pieces.empty():
            await client.clock.advance(1)
        assert await client.next_piece() == b": alive\n\n"
    client.gone.set()
    with pytest.raises(ClientGone):
        await ended(task)


@pytest.mark.parametrize("accept", [b"text/event-stream", b"*/*"])
async def test_a_client_that_goes_away_ends_the_upstream_call(client: Client, accept: bytes) -> None:
    client.upstream.call.messages.put_nowait(message("t1", 2))
    task = client.ask((b"accept", accept))
    await client.next_piece()
    client.gone.set()
    with pytest.raises(ClientGone):
        await ended(task)
    assert client.upstream.call.cancelled.is_set()
    assert len(client.streams.sessions) == 0


@pytest.mark.parametrize("accept", [b"text/event-stream", b"*/*"])
async def test_a_slow_reader_keeps_messages_at_the_server(client: Client, accept: bytes) -> None:
    client.may_read.clear()
    for number in range(100):
        client.upstream.call.messages.put_nowait(message(f"t{number}", 2))
    task = client.ask((b"accept", accept))
    for _ in range(200):
        await asyncio.sleep(0)
    await client.clock.advance(60)  # heartbeats are not piled up either
    assert client.upstream.call.reads == 1
    client.upstream.call.messages.put_nowait(None)
    client.may_read.set()
    await ended(task)
    assert client.body.count(b"JOB_STATE_QUEUED") == 100
    assert client.body.count(b": alive") == 0


async def test_a_drain_tells_browsers_to_go_elsewhere(client: Client) -> None:
    client.upstream.call.messages.put_nowait(message("t1", 2))
    task = client.events()
    await client.next_piece()
    client.streams.sessions.drain()
    await ended(task)
    last = client.body.rpartition(b"event: close\ndata: ")[2]
    assert json.loads(last)["close"]["status"]["code"] == 14
    assert client.whole
    with pytest.raises(RestError, match="shutting down"):
        await ended(client.events())


async def test_a_drain_ends_lines_with_an_error(client: Client) -> None:
    client.upstream.call.messages.put_nowait(message("t1", 2))
    task = client.ask()
    await client.next_piece()
    client.streams.sessions.drain()
    await ended(task)
    first, last = client.body.splitlines()
    assert json.loads(first)["result"]["resumeToken"] == "t1"
    assert json.loads(last)["error"]["code"] == 14


async def test_lines_fail_as_grpc_gateway_has_it(client: Client) -> None:
    client.upstream.call.messages.put_nowait(failure(grpc.StatusCode.NOT_FOUND))
    await ended(client.ask())
    assert (client.status, json.loads(client.body)["error"]["code"]) == (404, 5)
    again = Client()
    again.upstream.call.messages.put_nowait(message("t1", 2))
    again.upstream.call.messages.put_nowait(failure(grpc.StatusCode.NOT_FOUND))
    await ended(again.ask())
    assert again.status == 200
    assert [list(json.loads(line)) for line in again.body.splitlines()] == [["result"], ["error"]]


@pytest.mark.parametrize(("accept", "told"), [(b"*/*", b"application/json"), (b"application/x-ndjson", b"application/x-ndjson")])
async def test_lines_have_the_type_that_was_asked_for(client: Client, accept: bytes, told: bytes) -> None:
    client.upstream.call.messages.put_nowait(None)
    await ended(client.ask((b"accept", accept)))
    assert (client.status, client.headers[b"content-type"], client.body) == (200, told, b"")


async def test_streams_have_a_number(client: Client) -> None:
    open_streams = [client.events() for _ in range(2)]
    await client.next_piece()
    with pytest.raises(RestError) as caught:
        await ended(client.events())
    assert (caught.value.http_status, dict(caught.value.headers)[b"retry-after"]) == (429, b"1")
    client.gone.set()
    await asyncio.gather(*open_streams, return_exceptions=True)


async def test_equal_messages_are_encoded_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []

    def counted(*given: Any) -> bytes:
        encoded.append(given)
        return write_response(*given)

    monkeypatch.setattr(stream_frames, "write_response", counted)
    route = ROUTES.match("GET", WATCH)
    assert route is not None
    cache = stream_frames.FrameCache(100_000)
    frames = {id(cache.frame(route.route, bytes(bytearray(message("t1", 2))))) for _ in range(500)}
    assert (len(frames), len(encoded)) == (1, 1)
    for number in range(1_000):
        cache.frame(route.route, message(f"other{number}", 2))
    cache.frame(route.route, message("t1", 2))
    assert len(encoded) == 1_002, "what is kept is bounded"


async def test_a_task_that_is_cancelled_is_not_taken_for_a_client_that_left() -> None:
    sessions = Sessions(1)

    async def forever() -> None:
        async with sessions.session(None) as session:
            session.reason = End.GONE
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                session.ended_by()

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    task.cancel()
    waiting: Awaitable[None] = task
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert rest_error(grpc.StatusCode.UNAVAILABLE, "x", retry_after_seconds=0.5).headers == ((b"retry-after", b"1"),)
