"""Documents from the web: hosts that point inside, redirect, drip, flood or lie; real sockets on loopback."""

from __future__ import annotations

import socket
import tracemalloc

import pytest

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import Cancelled
from ingest_server.handlers.sources.addresses import Address
from tests.fakes.web_service import WebFake, endless, page, redirect
from tests.unit.handlers.sources.conftest import Fetching, Names


class TurnedClock:
    """Implements `Clock`; moves on by a step each time it is looked at."""

    def __init__(self, step_seconds: float) -> None:
        self._step_seconds = step_seconds
        self._now = 0.0

    def now_us(self) -> int:
        """Wall time."""
        return int(self._now * 1e6)

    def monotonic(self) -> float:
        """Seconds since it was made."""
        self._now += self._step_seconds
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Nobody sleeps here."""
        raise AssertionError


INSIDE = [
    ["127.0.0.1"], ["127.8.8.8"], ["::1"], ["::ffff:127.0.0.1"], ["0.0.0.0"], ["::"], ["10.0.0.1"], ["169.254.169.254"],
    ["fe80::1"], ["fd00::1"], ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["224.0.0.1"], ["127.0.0.1", "::1"],
]  # fmt: skip


@pytest.mark.parametrize("addresses", INSIDE, ids=",".join)
def test_a_name_that_points_inside_is_not_connected_to(fetching: Fetching, web: WebFake, addresses: list[str]) -> None:
    fetching.more["resolver"] = Names(evil_example=[addresses])
    told = fetching.failure(f"http://evil.example:{web.port}/", Reason.SOURCE_FORBIDDEN, networks=())
    assert "source_networks" in told.message
    assert told.code is Code.PERMISSION_DENIED
    assert web.requests == []


def test_a_name_that_points_inside_a_moment_later_gains_nothing(fetching: Fetching, web: WebFake) -> None:
    """One question for each connection, and the answer that was looked at is the one connected to."""
    web.answers["/a"] = page(b"public")
    names = fetching.more["resolver"] = Names(rebind_example=[["127.0.0.1"], ["127.0.0.2"]])
    assert fetching.data(f"http://rebind.example:{web.port}/a") == b"public"
    assert names.asked == ["rebind.example"]
    told = fetching.failure(f"http://rebind.example:{web.port}/a", Reason.SOURCE_FORBIDDEN)
    assert "127.0.0.2" in told.message


def test_a_redirect_to_a_name_that_now_points_inside_is_refused(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a"] = redirect("/b")
    web.answers["/b"] = page(b"secret")
    fetching.more["resolver"] = Names(rebind_example=[["127.0.0.1"], ["127.0.0.2"]])
    fetching.failure(f"http://rebind.example:{web.port}/a", Reason.SOURCE_FORBIDDEN)
    assert len(web.requests) == 1


def test_of_several_addresses_only_the_allowed_are_connected_to(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a"] = page(b"hello")
    fetching.more["resolver"] = Names(both_example=[["127.0.0.2", "10.0.0.1", "127.0.0.1"]])
    assert fetching.data(f"http://both.example:{web.port}/a") == b"hello"


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.2:{port}/", "http://[::1]:{port}/", "http://localhost:{port}/", "//127.0.0.2:{port}/",
        "http://169.254.169.254/latest/meta-data/", "http://127.1:{port}/", "http://0x7f000001:{port}/",
        "http://user:secret@127.0.0.1:{port}/", "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "data:,hello",
        "javascript:alert(1)", "http://evil.example\\@127.0.0.1/", "s3://bucket/key",
    ],
)  # fmt: skip
def test_a_redirect_to_where_a_client_may_not_point_is_refused(fetching: Fetching, web: WebFake, place: str) -> None:
    web.answers["/a"] = redirect(place.format(port=web.port))
    fetching.more["resolver"] = Names(localhost=[["127.0.0.2"]])
    limits = {"roots": ("/etc",), "buckets": ("s3://bucket",)}
    told = fetching.failure(f"{web.url}/a", Reason.SOURCE_FORBIDDEN, **limits)
    assert "secret" not in told.message
    assert len(web.requests) == 1


def test_a_redirect_to_a_host_that_is_not_allowed_is_refused(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a"] = redirect("http://other.example/")
    names = fetching.more["resolver"] = Names(other_example=[["1.1.1.1"]])
    fetching.failure(f"{web.url}/a", Reason.SOURCE_FORBIDDEN, hosts=(web.url,))
    assert names.asked == []


@pytest.mark.parametrize("place", ["/a", "/b", ""])
def test_redirects_in_circles_end(fetching: Fetching, web: WebFake, place: str) -> None:
    web.answers["/a"] = redirect(place)
    web.answers["/b"] = redirect("/a")
    told = fetching.failure(f"{web.url}/a", Reason.SOURCE_UNUSABLE)
    if place:
        assert "more than 5 redirects" in told.message
        assert len(web.requests) == 6


def test_a_hundred_redirects_are_not_followed(fetching: Fetching, web: WebFake) -> None:
    for number in range(100):
        web.answers[f"/{number}"] = redirect(f"/{number + 1}", "307 Temporary Redirect")
    web.answers["/100"] = page(b"far away")
    fetching.failure(f"{web.url}/0", Reason.SOURCE_UNUSABLE, redirects_max=50)
    assert len(web.requests) == 51
    fetching.failure(f"{web.url}/99", Reason.SOURCE_UNUSABLE, redirects_max=0)
    assert fetching.data(f"{web.url}/95") == b"far away"


def test_an_answer_that_never_comes_ends_with_the_time(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a"] = web.hold()
    fetching.more["clock"] = TurnedClock(1.0)
    told = fetching.failure(f"{web.url}/a", Reason.SOURCE_TIMEOUT, seconds_max=5.0)
    assert told.metadata == {"limit_seconds": "5"}
    assert told.code is Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("head", ["", "\r\n", "Content-Length: 999999999\r\n\r\n"])
def test_an_answer_that_drips_ends_with_the_time(fetching: Fetching, web: WebFake, head: str) -> None:
    web.answers["/a"] = endless(b"HTTP/1.1 200 OK\r\n" + head.encode(), b"x")
    fetching.more["clock"] = TurnedClock(0.01)
    fetching.failure(f"{web.url}/a", Reason.SOURCE_TIMEOUT, seconds_max=0.1)


def test_a_name_server_that_does_not_answer_ends_with_the_time(fetching: Fetching, web: WebFake) -> None:
    def silent(host: str, port: int) -> list[Address]:
        web.release.wait()
        return []

    fetching.more.update(resolver=silent, clock=TurnedClock(1.0))
    fetching.failure("http://slow.example/a", Reason.SOURCE_TIMEOUT, seconds_max=3.0)


def test_a_cancel_is_noticed_while_nothing_comes(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a"] = web.hold(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    looks: list[None] = []

    def look() -> None:
        looks.append(None)
        if web.requests and len(looks) > 8:
            fetching.context.stop()

    fetching.context.on_check = look
    with pytest.raises(Cancelled):
        fetching.fetch(f"{web.url}/a")


def test_a_body_without_an_end_is_too_large(fetching: Fetching, web: WebFake) -> None:
    for path, head, piece in (
        ("/plain", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
        ("/chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
    ):
        web.answers[path] = endless(head, piece)
        told = fetching.failure(web.url + path, Reason.SOURCE_TOO_LARGE, bytes_max=1_000_000)
        assert told.metadata == {"limit_bytes": "1000000"}


def test_a_body_that_says_it_is_too_large_is_not_read(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a"] = web.hold(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n")
    told = fetching.failure(f"{web.url}/a", Reason.SOURCE_TOO_LARGE)
    assert "99,999,999,999,999" in told.message


@pytest.mark.parametrize("transfer", ["gzip, chunked", "gzip", "chunked, chunked", "identity\r\nTransfer-Encoding: chunked"])
def test_a_transfer_encoding_that_was_not_asked_for_is_refused(fetching: Fetching, web: WebFake, transfer: str) -> None:
    """Else the marks between its chunks would be taken for the document."""
    web.answers["/a"] = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {transfer}\r\n\r\n5\r\nhello\r\n0\r\n\r\n".encode()
    fetching.failure(f"{web.url}/a", Reason.SOURCE_UNUSABLE)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
        b"",
    ],
)
def test_a_body_cut_short_is_no_document(fetching: Fetching, web: WebFake, answer: bytes) -> None:
    web.answers["/a"] = answer
    fetching.failure(f"{web.url}/a", Reason.SOURCE_UNAVAILABLE)


def test_what_comes_behind_the_length_is_not_read(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a"] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"
    assert fetching.data(f"{web.url}/a") == b"hello"


@pytest.mark.parametrize("lengths", ["Content-Length: 5\r\nContent-Length: 6", "content-length: 6\r\nContent-Length: 5"])
def test_several_lengths_are_refused(fetching: Fetching, web: WebFake, lengths: str) -> None:
    web.answers["/a"] = f"HTTP/1.1 200 OK\r\n{lengths}\r\n\r\nhello!".encode()
    fetching.failure(f"{web.url}/a", Reason.SOURCE_UNUSABLE)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-gzip, gzip"])
def test_a_compressed_answer_is_refused_and_never_unpacked(fetching: Fetching, web: WebFake, encoding: str) -> None:
    web.answers["/a"] = page(b"\x1f\x8b" + bytes(100), f"Content-Encoding: {encoding}")
    assert "none was asked for" in fetching.failure(f"{web.url}/a", Reason.SOURCE_UNUSABLE).message
    assert "\r\nAccept-Encoding: identity\r\n" in web.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"hello, I am no HTTP\r\n\r\n",
        b"<html></html>",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99 X\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_http_is_told_of(fetching: Fetching, web: WebFake, answer: bytes) -> None:
    web.answers["/a"] = answer
    assert "does not answer in HTTP/1" in fetching.failure(f"{web.url}/a", Reason.SOURCE_UNUSABLE).message


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 60_000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 60_000),
        (b"", b"a" * 60_000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    ],
)
def test_headers_without_an_end_are_not_read(fetching: Fetching, web: WebFake, head: bytes, piece: bytes) -> None:
    web.answers["/a"] = endless(head, piece)
    fetching.failure(f"{web.url}/a", Reason.SOURCE_UNUSABLE)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("404 Not Found", Reason.SOURCE_NOT_FOUND),
        ("410 Gone", Reason.SOURCE_NOT_FOUND),
        ("401 Unauthorized", Reason.SOURCE_FORBIDDEN),
        ("403 Forbidden", Reason.SOURCE_FORBIDDEN),
        ("408 Request Timeout", Reason.SOURCE_UNAVAILABLE),
        ("429 Too Many Requests", Reason.SOURCE_UNAVAILABLE),
        ("500 Internal Server Error", Reason.SOURCE_UNAVAILABLE),
        ("503 Service Unavailable", Reason.SOURCE_UNAVAILABLE),
        ("400 Bad Request", Reason.SOURCE_UNUSABLE),
        ("204 No Content", Reason.SOURCE_UNUSABLE),
        ("206 Partial Content", Reason.SOURCE_UNUSABLE),
        ("304 Not Modified", Reason.SOURCE_UNUSABLE),
    ],
)
def test_a_status_has_its_reason(fetching: Fetching, web: WebFake, status: str, reason: Reason) -> None:
    web.answers["/a?token=hush"] = page(b"", status=status)
    told = fetching.failure(f"{web.url}/a?token=hush", reason)
    assert told.metadata == {"http_status": status[:3]}
    assert status in told.message
    assert "hush" not in told.message


def test_nobody_there_is_told_of(fetching: Fetching, web: WebFake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "no connection" in fetching.failure(f"http://127.0.0.1:{port}/a", Reason.SOURCE_UNAVAILABLE).message
    fetching.more["resolver"] = Names()
    assert "no address" in fetching.failure("http://nowhere.example/a", Reason.SOURCE_UNAVAILABLE).message
    del fetching.more["resolver"]
    assert "no address" in fetching.failure("http://nowhere.invalid/a", Reason.SOURCE_UNAVAILABLE).message


def test_proxies_of_the_environment_are_not_used(fetching: Fetching, web: WebFake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    web.answers["/a"] = page(b"hello")
    assert fetching.data(f"{web.url}/a") == b"hello"


@pytest.mark.parametrize(
    ("path", "headers", "media_type", "name"),
    [
        ("/dir/my%20report.pdf?x=1", ["Content-Type: application/pdf"], "application/pdf", "my report.pdf"),
        ("/a.txt", ['Content-Disposition: attachment; filename="b.csv"', "Content-Type: text/csv; charset=utf-8"],
         "text/csv; charset=utf-8", "b.csv"),
        ("/a", ["Content-Disposition: attachment; filename*=UTF-8''%C3%BCber%20uns.pdf"], "", "über uns.pdf"),
        ("/a", ['Content-Disposition: attachment; filename="über uns.pdf"'], "", "über uns.pdf"),
        ("/a", ['Content-Disposition: attachment; filename="../../etc/passwd"'], "", "passwd"),
        ("/a", ['Content-Disposition: attachment; filename="..\\\\..\\\\evil.exe"'], "", "evil.exe"),
        ("/a", ["Content-Disposition: attachment; filename*=no-such-charset''%FF"], "", "ÿ"),
        ("/a.md", ["Content-Disposition: " + 'a;"' * 1_000], "", "a.md"),
        ("/a.md", ["Content-Type: rubbish"], "", "a.md"),
        ("/a.md", ["Content-Type: text/" + "a" * 300], "", "a.md"),
        ("/a%2Fb%00%0A.md", [], "", "b.md"),
        ("/", [], "", ""),
    ],
)  # fmt: skip
def test_name_and_type_come_from_the_answer(
    fetching: Fetching, web: WebFake, path: str, headers: list[str], media_type: str, name: str
) -> None:
    web.answers[path] = page(b"hello", *headers)
    fetched = fetching.fetch(web.url + path)
    assert (fetched.media_type, fetched.name) == (media_type, name)
    fetched.close()


def test_a_redirect_within_the_rules_is_followed(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a"] = redirect("there/b%20c?d=e#part", "301 Moved Permanently")
    web.answers["/there/b%20c?d=e"] = redirect("/\u00fc ber.txt", "308 Permanent Redirect")
    web.answers["/%C3%BC%20ber.txt"] = page(b"hello", "Content-Type: text/plain")
    fetched = fetching.fetch(f"{web.url}/a")
    assert (fetched.read(), fetched.name, fetched.media_type) == (b"hello", "ü ber.txt", "text/plain")
    fetched.close()


def test_a_request_says_no_more_than_it_must(fetching: Fetching, web: WebFake) -> None:
    web.answers["/a?b=c"] = page(b"hello")
    assert fetching.data(f"{web.url}/a?b=c") == b"hello"
    first, *headers = web.requests[0].strip().split("\r\n")
    assert first == "GET /a?b=c HTTP/1.1"
    assert {header.partition(":")[0] for header in headers} == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}
    assert f"Host: 127.0.0.1:{web.port}" in headers


def test_a_body_of_any_form_is_read_whole_with_progress(fetching: Fetching, web: WebFake) -> None:
    data = bytes(range(256)) * 6_000
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(data[at : at + 70_000]), data[at : at + 70_000]) for at in range(0, len(data), 70_000)
    )
    web.answers["/length"] = page(data)
    web.answers["/chunks"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: x\r\n\r\n"
    web.answers["/old"] = b"HTTP/1.0 200 OK\r\n\r\n" + data
    web.answers["/interim"] = b"HTTP/1.1 100 Continue\r\n\r\n" + page(data)
    for path in web.answers:
        fetching.context.reports.clear()
        assert fetching.data(web.url + path) == data
        known = len(data) if path in ("/length", "/interim") else 0
        assert fetching.context.reports[-1] == (len(data), known)
        assert len(fetching.context.reports) >= 2


def test_a_large_document_is_never_in_memory(fetching: Fetching, web: WebFake) -> None:
    size_bytes = 30_000_000
    web.answers["/a"] = endless(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size_bytes, bytes(65_536))
    fetching.fetch(f"{web.url}/a").close()  # once before, for what is loaded at the first use
    tracemalloc.start()
    try:
        fetched = fetching.fetch(f"{web.url}/a")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fetched.size_bytes == fetched.path().stat().st_size == size_bytes
    fetched.close()
    assert peak_bytes < 3_000_000
