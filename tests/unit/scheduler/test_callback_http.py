"""Calls to receivers that lie, hang, redirect or flood, and to names that point where they must not; real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.scheduler.callback_dns import ThreadedDns
from ingest_server.scheduler.callback_http import HttpLimits, HttpTransport
from ingest_server.scheduler.callbacks import NoReply, Reply
from tests.fakes.clock import START_US, FakeClock

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class FakeResolver(AbstractResolver):
    """Answers each question about a name with the next entry of its list, the last one for good."""

    def __init__(self, names: dict[str, list[list[str]]]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError(None, "Name or service not known")
        answers = self.names[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Receiver:
    """Answers each request with the next of `answers`, the last one for good; None: never."""

    answers: list[bytes | None] = field(default_factory=lambda: [OK])
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                self.requests.append(head + await reader.readexactly(size))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer)
                if answer.endswith(b"forever"):
                    while True:
                        writer.write(b"x" * 65_536)
                        await writer.drain()
                await writer.drain()
                if b"connection: close" in answer:
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving(
    *answers: bytes | None, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(answers) or [OK])
    server = await asyncio.start_server(receiver.serve, host, 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()


Post = Callable[..., Awaitable[Reply]]


@asynccontextmanager
async def posting(
    receiver: Receiver,
    names: dict[str, list[list[str]]] | None = None,
    *,
    networks: tuple[str, ...] = ("127.0.0.1/32",),
    seconds: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Post]:
    rules = CallbackRules(["*:*", "http://*:*"], networks)
    limits = HttpLimits(seconds, seconds, 1_000, 8, 8)
    transport = HttpTransport(rules, FakeClock(), limits, resolver=FakeResolver(names or {}), tls=tls)

    async def post(host: str = "127.0.0.1", scheme: str = "http", path: str = "/hook?a=b%20c") -> Reply:
        text = f"[{host}]" if ":" in host else host
        # Straight to the parts: literal addresses that `check_url` refuses must be refused by the socket too.
        endpoint = CallbackRules(["*:*", "http://*:*"], ["0.0.0.0/0", "::/0"]).check_url(
            f"{scheme}://{text}:{receiver.port}{path}"
        )
        return await transport.post(endpoint, {"webhook-id": "msg_1"}, b'{"a":1}')

    try:
        yield post
    finally:
        await transport.close()


LOCAL = [
    ["127.0.0.1"], ["127.8.8.8"], ["::1"], ["::ffff:127.0.0.1"], ["0.0.0.0"], ["::"], ["10.0.0.1"], ["169.254.169.254"],
    ["fe80::1"], ["fd00::1"], ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["224.0.0.1"], ["127.0.0.1", "::1"],
]  # fmt: skip


@pytest.mark.parametrize("addresses", LOCAL, ids=",".join)
async def test_a_name_that_points_inside_is_not_connected_to(addresses: list[str]) -> None:
    async with receiving() as receiver, posting(receiver, {"evil.example": [addresses]}, networks=()) as post:
        with pytest.raises(NoReply, match="private, local, multicast or reserved") as caught:
            await post("evil.example")
        assert "not called" in str(caught.value)
        assert receiver.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_a_literal_address_is_checked_too(address: str) -> None:
    async with receiving() as receiver, posting(receiver, networks=()) as post:
        with pytest.raises(NoReply, match="private, local, multicast or reserved"):
            await post(address)
        assert receiver.connections == 0


async def test_a_name_that_points_elsewhere_a_moment_later_is_checked_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    names = {"rebind.example": [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]]}
    async with receiving(answer) as receiver, posting(receiver, names) as post:
        assert (await post("rebind.example")).http_status == 200
        with pytest.raises(NoReply, match=r"127\.0\.0\.2"):
            await post("rebind.example")
        assert (await post("rebind.example")).http_status == 200
        assert receiver.connections == 2


async def test_of_several_addresses_only_the_allowed_are_connected_to() -> None:
    async with receiving() as receiver, posting(receiver, {"both.example": [["127.0.0.2", "127.0.0.1"]]}) as post:
        assert (await post("both.example")).http_status == 200
        assert receiver.connections == 1


async def test_the_systems_names_are_asked_and_their_addresses_checked() -> None:
    dns = ThreadedDns()
    try:
        found = await dns.resolve("localhost", 80, socket.AF_UNSPEC)
        assert {address["host"] for address in found} <= {"127.0.0.1", "::1"}
        with pytest.raises(OSError):
            await dns.resolve("nowhere.invalid", 80)
    finally:
        await dns.close()


async def test_a_name_without_an_address_is_told_of() -> None:
    async with receiving() as receiver, posting(receiver) as post:
        with pytest.raises(NoReply, match="cannot be resolved"):
            await post("nowhere.example")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int) -> None:
    async with receiving(b"") as receiver, posting(receiver) as post:
        target = f"http://127.0.0.1:{receiver.port}/inside"
        receiver.answers = [f"HTTP/1.1 {status} Go\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n".encode()]
        assert (await post()).http_status == status
        assert len(receiver.requests) == 1


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with receiving() as receiver, posting(receiver) as post:
        assert (await post()).http_status == 200


async def test_the_request_is_as_promised_and_nothing_is_remembered() -> None:
    cookie = b"HTTP/1.1 204 No\r\nset-cookie: a=b\r\n\r\n"
    async with receiving(cookie) as receiver, posting(receiver, {"hooks.example": [["127.0.0.1"]]}) as post:
        for _ in range(2):
            assert await post("hooks.example") == Reply(204, 0.0)
        assert receiver.connections == 1, "a connection is used again"
        for request in receiver.requests:
            head, _, content = request.partition(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            assert lines[0] == "post /hook?a=b%20c http/1.1"
            assert {f"host: hooks.example:{receiver.port}", "content-type: application/json", "webhook-id: msg_1"} <= set(lines)
            assert content == b'{"a":1}'
            assert b"cookie" not in head


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\nforever", 200),
        (b"HTTP/1.1 200 OK\r\n\r\nforever", 200),
        (b"HTTP/1.1 500 No\r\ncontent-length: 5\r\n\r\nshort", 500),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nshort", 200),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nxxxxx", 200),
    ],
)
async def test_only_the_status_counts_whatever_the_body(answer: bytes, status: int) -> None:
    async with receiving(answer) as receiver, posting(receiver) as post:
        assert (await post()).http_status == status
        assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000 + b"\r\n\r\n",
        b"\x00\xff garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"connection: close",
        b"HTTP/1.1 999999 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_answer_is_a_failed_attempt(answer: bytes) -> None:
    async with receiving(answer) as receiver, posting(receiver, seconds=2.0) as post:
        with pytest.raises(NoReply):
            await post()


async def test_an_answer_that_never_comes_ends_with_the_attempt() -> None:
    async with receiving(None) as receiver, posting(receiver, seconds=0.2) as post:
        with pytest.raises(NoReply, match=r"within 0\.2 s"):
            await post()


async def test_a_port_nobody_listens_on_is_told_of() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with posting(Receiver(port=port)) as post:
        with pytest.raises(NoReply, match="no connection"):
            await post()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0), ("7", 7.0), ("0", 0.0), ("99999999999999", 999_999_999.0), ("-1", 0.0), ("soon", 0.0), ("1.5", 0.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0), ("Thu, 01 Jan 2025 00:00:00 GMT", 0.0), ("Thu, 99 Jan 2026 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
async def test_retry_after_is_read(text: str, seconds: float) -> None:
    assert START_US == 1_767_225_600_000_000
    answer = f"HTTP/1.1 503 No\r\nretry-after: {text}\r\ncontent-length: 0\r\n\r\n".encode()
    async with receiving(answer) as receiver, posting(receiver) as post:
        assert await post() == Reply(503, seconds)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for hooks.example, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    arguments = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"]
    names = ["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *arguments, *names], cwd=folder, check=True, capture_output=True, timeout=30)
    return folder


async def test_certificates_are_verified_with_their_names(certificate: Path) -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    names = {"hooks.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    async with receiving(tls=own) as receiver:
        async with posting(receiver, names) as post:
            with pytest.raises(NoReply, match="certificate is not accepted"):
                await post("hooks.example", "https")
        async with posting(receiver, names, tls=trusting) as post:
            with pytest.raises(NoReply, match="certificate is not accepted"):
                await post("other.example", "https")
            assert receiver.requests == []
            assert (await post("hooks.example", "https")).http_status == 200
            kinds: Any = [request[:4] for request in receiver.requests]
            assert kinds == [b"POST"]
