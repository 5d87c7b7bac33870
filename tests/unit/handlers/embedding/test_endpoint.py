"""An endpoint that misbehaves harms nobody: each fault is told, bounded in time and bytes, and never shows the key."""

from __future__ import annotations

import json
import logging
import threading
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_server.handlers.embedding.endpoint import Endpoint, EndpointEmbedder, EndpointLimits
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from tests.fakes.embedding_service import (
    Answer,
    EmbeddingFake,
    drop_by_drop,
    embedding_service,
    never,
    raw,
    saying,
    vector_of,
    with_data,
)
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput

KEY = "sk-very-secret-0123456789"
NUMBERS = st.integers() | st.floats() | st.none() | st.text(max_size=3) | st.lists(st.floats(), max_size=3)
ENTRIES = st.fixed_dictionaries({"index": st.integers(-1, 2) | NUMBERS, "embedding": st.lists(NUMBERS, max_size=3) | NUMBERS})
JSON = st.fixed_dictionaries({"data": st.lists(ENTRIES, max_size=3) | NUMBERS}) | NUMBERS
LIMITS = EndpointLimits(request_seconds=30.0, response_bytes_max=64 * 1024)


@pytest.fixture
def service() -> Iterator[EmbeddingFake]:
    """An endpoint of this test's own."""
    with embedding_service() as fake:
        yield fake


class TimedContext(FakeContext):
    """An attempt that can be cancelled from another thread, and has so many seconds left."""

    def __init__(self, seconds: float = float("inf")) -> None:
        super().__init__(FakeInput(b""))
        self.seconds = seconds
        self.asked_to_stop = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self.asked_to_stop.is_set()

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled

    def remaining_seconds(self) -> float:
        return self.seconds


class Pauses:
    """Waits without waiting: remembers how long."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.on_pause: Callable[[], None] = lambda: None

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.on_pause()

    @property
    def seconds(self) -> float:
        return sum(self.taken)


def embedder(service: EmbeddingFake, pauses: Pauses | None = None, *, dimensions: int = 0, **limits: Any) -> EndpointEmbedder:
    """A model of the service."""
    endpoint = Endpoint("own", service.url, KEY, "nomic:latest")
    return EndpointEmbedder(
        endpoint, dimensions, replace(LIMITS, **limits), pause=pauses or Pauses(), wall_seconds=lambda: 1_000_000_000.0
    )


def failure(
    service: EmbeddingFake, *answers: Answer, texts: tuple[str, ...] = ("one", "three"), **options: Any
) -> HandlerFailure:
    """The failure that these answers end in."""
    service.answers[:] = answers
    model = embedder(service, **options)
    try:
        with pytest.raises(HandlerFailure) as caught:
            model.embed(texts, TimedContext())
    finally:
        model.close()
    assert KEY not in str(vars(caught.value))
    assert '"own"' in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (saying(200, b""), "its answer of 0 bytes is not a list of embeddings"),
        (saying(200, b"<html>Welcome</html>"), "is not a list of embeddings"),
        (saying(200, b"\xff\xfe"), "is not a list of embeddings"),
        (saying(200, b"[" * 50_000), "is not a list of embeddings"),
        (saying(200, b'{"data": null}'), "is not a list of embeddings"),
        (saying(200, b'{"data": [{"index": 0, "embedding": "AAAA"}]}'), "is not a list of embeddings"),
        (saying(200, b'{"data": [{"index": 0, "embedding": [NaN]}]}'), "is not a list of embeddings"),
        (saying(200, b'{"data": [{"index": 0, "embedding": [1e999]}]}'), "is not a list of embeddings"),
        (with_data(lambda data: data[:1]), "it gave 1 embeddings for 2 texts"),
        (with_data(lambda data: [*data, *data]), "it gave 4 embeddings for 2 texts"),
        (with_data(lambda data: [data[0], data[0]]), "have the index 0 twice"),
        (with_data(lambda data: [data[0], {**data[1], "index": 2}]), "have the index 2 twice, or outside 0 … 1"),
        (with_data(lambda data: [data[0], {**data[1], "index": -1}]), "outside 0 … 1"),
        (with_data(lambda data: [data[0], {**data[1], "embedding": [1.0]}]), "an embedding has 1 dimensions; it must have 4"),
        (with_data(lambda data: [{**each, "embedding": []} for each in data]), "0 dimensions; it must have 1 … 16,384"),
        (with_data(lambda data: [{**each, "embedding": [1e300, 1.0]} for each in data]), "not finite 32-bit floats"),
        (with_data(lambda data: [{**each, "embedding": [3e38, -1e39]} for each in data]), "not finite 32-bit floats"),
    ],
)
def test_a_wrong_answer_is_told_and_not_asked_for_again(service: EmbeddingFake, answer: Answer, told: str) -> None:
    caught = failure(service, answer)
    assert (caught.reason, caught.retryable) == ("EMBEDDING_INVALID", False)
    assert told in caught.message
    assert len(service.asked) == 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_answered_is_vectors_or_a_failure(body: bytes) -> None:
    model = EndpointEmbedder(Endpoint("own", "http://127.0.0.1:1", "", "m"), 0, LIMITS)
    reason, dimensions = "", []
    try:
        dimensions = [len(vector) for vector in model._vectors(body, 2)]
    except HandlerFailure as caught:
        reason = caught.reason
    assert reason == "EMBEDDING_INVALID" or (len(dimensions) == 2 and dimensions[0] == dimensions[1] > 0)


def test_dimensions_that_were_asked_for_must_come(service: EmbeddingFake) -> None:
    caught = failure(service, with_data(lambda data: data), dimensions=3)
    assert "an embedding has 4 dimensions; it must have 3" in caught.message
    assert service.asked[0].body["dimensions"] == 3


def test_ten_gigabytes_are_not_read(service: EmbeddingFake) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"
    caught = failure(service, raw(head))
    assert (caught.reason, caught.retryable) == ("EMBEDDING_INVALID", False)
    assert "10,000,000,000 bytes or more; at most 65,536 (embed_response_bytes_max)" in caught.message


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked", b"Connection: close"])
def test_an_answer_that_does_not_tell_its_size_is_cut_off(service: EmbeddingFake, head: bytes) -> None:
    piece = b"1000\r\n" + b" " * 4_096 + b"\r\n" if b"chunked" in head else b" " * 4_096

    def endless(talk: Any) -> None:
        talk.socket.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        while True:
            talk.socket.sendall(piece)

    caught = failure(service, endless)
    assert "bytes or more; at most 65,536" in caught.message


def test_a_compressed_answer_is_no_way_around_the_limit(service: EmbeddingFake) -> None:
    caught = failure(service, saying(200, b"\x1f\x8b", "Content-Encoding: gzip"))
    assert (caught.reason, "compressed" in caught.message) == ("EMBEDDING_INVALID", True)
    assert service.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_so_the_key_goes_nowhere_else(service: EmbeddingFake, status: int) -> None:
    with embedding_service() as elsewhere:
        caught = failure(service, saying(status, b"", f"Location: {elsewhere.url}/embeddings"))
        assert elsewhere.connections == 0
    assert (caught.reason, caught.retryable) == ("EMBEDDING_REFUSED", False)
    assert f"it answered {status}: redirects are not followed" in caught.message


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (400, "input is too long", 'it answered 400: it does not take the request ("input is too long")'),
        (404, "no such model", 'or its URL in embed_endpoints is wrong ("no such model")'),
        (413, "", "it answered 413: it does not take the request."),
        (401, f"Incorrect key: {KEY}", "it answered 401: the operator must check the key (embed_keys)."),
        (403, "sk-very-sec…", "it answered 403: the operator must check the key (embed_keys)."),
        (422, f"bad {KEY} key", '("bad … key")'),
        (418, "x" * 10_000, '("' + "x" * 300 + '")'),
    ],
)
def test_a_refusal_is_final_and_told_without_the_key(service: EmbeddingFake, status: int, said: str, told: str) -> None:
    body = json.dumps({"error": {"message": said}}).encode() if said else b"nothing to read"
    caught = failure(service, saying(status, body))
    assert (caught.reason, caught.retryable) == ("EMBEDDING_REFUSED", False)
    assert told in caught.message
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_later_for_ever_ends_after_the_tries_and_is_retryable(service: EmbeddingFake, status: int) -> None:
    pauses = Pauses()
    caught = failure(service, *[saying(status)] * 9, pauses=pauses)
    assert (caught.reason, caught.retryable) == ("EMBEDDING_UNAVAILABLE", True)
    assert f"it answered {status}, after 4 tries" in caught.message
    assert len(service.asked) == 4
    assert pauses.seconds == pytest.approx(1 + 2 + 4)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Sun, 09 Sep 2001 01:46:55 GMT", 15.0),
        ("Sun, 09 Sep 2001 01:46:35 GMT", 0.0),
        ("soon", 1.0),
        ("-3", 1.0),
        ("", 1.0),
    ],
)
def test_retry_after_is_honoured(service: EmbeddingFake, value: str, seconds: float) -> None:
    pauses = Pauses()
    service.answers[:] = [saying(429, b"", f"Retry-After: {value}")]
    model = embedder(service, pauses)
    assert len(model.embed(["a"], TimedContext())) == 1
    model.close()
    assert pauses.seconds == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["61", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_beyond_the_limit_is_left_to_the_job(service: EmbeddingFake, value: str) -> None:
    pauses = Pauses()
    caught = failure(service, saying(503, b"", f"Retry-After: {value}"), pauses=pauses)
    assert (caught.reason, caught.retryable, pauses.taken) == ("EMBEDDING_UNAVAILABLE", True, [])
    assert "longer than a worker is held for it" in caught.message


def test_no_wait_beyond_the_end_of_the_attempt(service: EmbeddingFake) -> None:
    service.answers[:] = [saying(503, b"", "Retry-After: 20")]
    pauses = Pauses()
    model = embedder(service, pauses)
    with pytest.raises(HandlerFailure, match="the time left for the attempt is not enough to wait 20 s") as caught:
        model.embed(["a"], TimedContext(seconds=10))
    model.close()
    assert (caught.value.retryable, pauses.taken) == (True, [])


def test_nobody_there(service: EmbeddingFake) -> None:
    endpoint = Endpoint("own", "http://127.0.0.1:1/v1", "", "m")
    model = EndpointEmbedder(endpoint, 0, LIMITS, pause=Pauses())
    with pytest.raises(HandlerFailure, match=r"no connection: ConnectionRefusedError.* after 4 tries") as caught:
        model.embed(["a"], TimedContext())
    assert (caught.value.reason, caught.value.retryable) == ("EMBEDDING_UNAVAILABLE", True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    ],
)
def test_a_broken_answer_is_asked_for_again(service: EmbeddingFake, data: bytes) -> None:
    service.answers[:] = [raw(data)]
    model = embedder(service)
    assert model.embed(["abc"], TimedContext()) == [array("f", vector_of("abc"))]
    model.close()
    assert (len(service.asked), service.connections) == (2, 2)


@pytest.mark.parametrize("answer", [never, drop_by_drop])
def test_a_request_that_hangs_ends_in_time(service: EmbeddingFake, answer: Answer) -> None:
    caught = failure(service, answer, attempts_max=1, request_seconds=0.2)
    assert (caught.reason, caught.retryable) == ("EMBEDDING_UNAVAILABLE", True)
    assert "there was no whole answer within 0.2 s, after 1 tries" in caught.message


def test_a_request_ends_with_the_attempt(service: EmbeddingFake) -> None:
    service.answers[:] = [never]
    model = embedder(service, attempts_max=1)
    with pytest.raises(HandlerFailure, match=r"no whole answer within 0\.2 s"):
        model.embed(["a"], TimedContext(seconds=0.2))
    with pytest.raises(HandlerFailure, match="the time of the attempt is over"):
        model.embed(["a"], TimedContext(seconds=0.0))
    model.close()


@pytest.mark.parametrize("answer", [never, drop_by_drop])
def test_a_cancel_ends_a_request_that_hangs(service: EmbeddingFake, answer: Answer) -> None:
    service.answers[:] = [answer]
    model = embedder(service)
    context = TimedContext()

    def cancel() -> None:
        service.held.wait()
        context.asked_to_stop.set()

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(Cancelled):
        model.embed(["a"], context)
    other.join()
    model.close()


def test_a_cancel_ends_a_wait(service: EmbeddingFake) -> None:
    service.answers[:] = [saying(503, b"", "Retry-After: 50")]
    context, pauses = TimedContext(), Pauses()
    pauses.on_pause = context.asked_to_stop.set
    model = embedder(service, pauses)
    with pytest.raises(Cancelled):
        model.embed(["a"], context)
    model.close()
    assert pauses.taken == [0.1]


def test_order_is_that_of_the_index_over_one_connection(service: EmbeddingFake) -> None:
    service.answers[:] = [with_data(lambda data: data[::-1])]
    model = embedder(service)
    assert model.embed(["a", "bcd"], TimedContext()) == [array("f", vector_of("a")), array("f", vector_of("bcd"))]
    assert model.embed(["é"], TimedContext()) == [array("f", vector_of("é"))]
    model.close()
    assert service.connections == 1
    asked = service.asked[0]
    assert asked.line == "POST /v1/embeddings HTTP/1.1"
    assert asked.body == {"model": "nomic:latest", "input": ["a", "bcd"], "encoding_format": "float"}
    assert (asked.headers["authorization"], asked.headers["content-type"]) == (f"Bearer {KEY}", "application/json")


def test_without_a_key_none_is_sent(service: EmbeddingFake) -> None:
    model = EndpointEmbedder(Endpoint("own", service.url, "", "m"), 0, LIMITS)
    model.embed(["a"], TimedContext())
    model.close()
    assert "authorization" not in service.asked[0].headers


def test_the_key_is_in_no_log_and_no_repr(service: EmbeddingFake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service.answers[:] = [saying(500, json.dumps({"error": {"message": f"I got {KEY}"}}).encode())]
    model = embedder(service)
    model.embed(["a"], TimedContext())
    model.close()
    assert "it answered 500" in caplog.text
    assert KEY not in caplog.text
    assert KEY not in repr(Endpoint("own", "http://h", KEY, "m"))
