"""Slow, endless and too many clients, on real sockets, against limits of fractions of a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from ingest_server.domain.address import listen_socket
from ingest_server.domain.clock import SystemClock
from ingest_server.rest.http_limits import WEBSOCKET_FRAGMENTS_MAX, HttpLimits
from ingest_server.rest.serving import HttpServer, ServingOptions
from ingest_server.rest.stream_session import Sessions

SOON = 5.0
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Wire:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def stop_reading(self) -> None:
        """Take nothing any more."""
        cast("asyncio.Transport", self.writer.transport).pause_reading()

    async def sent_until_cut(self, piece: bytes) -> int:
        """Send until the server cuts the connection. Answers how many bytes that took."""
        sent = 0
        async with asyncio.timeout(SOON):
            try:
                while True:
                    await self.send(piece)
                    sent += len(piece)
            except ConnectionError:
                return sent

    async def all(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(SOON):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of one answer with a Content-Length."""
        async with asyncio.timeout(SOON):
            head = await self.reader.readuntil(b"\r\n\r\n")
            size = next(int(line[16:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: "))
            return int(head[9:12]), await self.reader.readexactly(size)


class App:
    """Reads bodies as it is told to, and answers with their size."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.gone = asyncio.Event()
        self.read = asyncio.Event()
        self.read.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._socket(receive, send)
        elif scope["path"] == "/endless":
            await self._endless(receive, send)
        elif scope["path"] == "/early":
            await _answer(send, b"early")
        else:
            size, more = 0, True
            while more:
                await self.read.wait()
                message = await receive()
                if message["type"] != "http.request":
                    self.gone.set()
                    return
                size, more = size + len(message["body"]), message["more_body"]
            await _answer(send, str(size).encode())

    async def _endless(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        watch = asyncio.create_task(self._until_gone(receive))
        while not self.gone.is_set():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            self.sent_bytes += 65_536
            await asyncio.sleep(0)
        await watch

    async def _until_gone(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def _socket(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            pass
        self.gone.set()


async def _answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


Connect = Callable[[], Any]


@asynccontextmanager
async def serving(app: App, keepalive_seconds: float = 30.0, **limits: Any) -> AsyncIterator[Connect]:
    listening = listen_socket("listen", "127.0.0.1:0", 100)
    where = listening.getsockname()[:2]
    options = ServingOptions(limits=HttpLimits(**limits), keepalive_seconds=keepalive_seconds)
    server = HttpServer(app, Sessions(10), options, SystemClock())
    await server.start([listening])
    writers = []

    async def connect() -> Wire:
        reader, writer = await asyncio.open_connection(*where, limit=1 << 20)
        writers.append(writer)
        return Wire(reader, writer)

    try:
        yield connect
    finally:
        for writer in writers:
            writer.transport.abort()
        await server.drain(SOON)
        assert server.connections == 0


def status(answer: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head[9:12]), json.loads(body)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
async def test_a_head_that_does_not_come_is_given_up(sent: bytes) -> None:
    async with serving(App(), head_seconds_max=0.2) as connect:
        wire = await connect()
        await wire.send(sent)
        code, body = status(await wire.all())
        assert (code, body["code"]) == (408, 4)


@pytest.mark.slow
async def test_a_drop_now_and_then_does_not_lengthen_a_heads_time() -> None:
    async with serving(App(), head_seconds_max=0.3) as connect:
        wire = await connect()

        async def drip() -> None:
            await wire.send(b"GET / HTTP/1.1\r\n")
            while True:
                await wire.send(b"a: b\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert status(await wire.all())[0] == 408
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


@pytest.mark.parametrize("piece", [100, 1 << 20])
async def test_a_head_has_a_size(piece: int) -> None:
    async with serving(App(), head_bytes_max=8_192) as connect:
        wire = await connect()
        head = b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"y" * 100) for n in range(100)) + b"\r\n"
        try:
            for start in range(0, len(head), piece):
                await wire.send(head[start : start + piece])
        except ConnectionError:
            pass  # closed in the middle, as it should be
        code, body = status(await wire.all())
        assert (code, body["code"]) == (431, 3)


@pytest.mark.slow
async def test_a_body_that_stops_is_given_up_and_the_app_is_told() -> None:
    app = App()
    async with serving(app, body_idle_seconds=0.2) as connect:
        wire = await connect()
        await wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        assert status(await wire.all())[0] == 408
        await asyncio.wait_for(app.gone.wait(), SOON)


@pytest.mark.slow
async def test_a_body_that_the_app_does_not_read_is_not_late() -> None:
    app = App()
    app.read.clear()
    async with serving(app, body_idle_seconds=0.1) as connect:
        wire = await connect()
        await wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n" + b"x" * 300_000)
        await asyncio.sleep(0.5)  # the time that must not count
        app.read.set()
        await wire.send(b"x" * 100_000)
        assert await wire.answer() == (200, b"400000")


async def test_what_follows_an_early_answer_is_read_for_a_while() -> None:
    async with serving(App()) as connect:
        wire = await connect()
        await wire.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000)
        assert await wire.answer() == (200, b"early")
        await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await wire.answer() == (200, b"0")


async def test_what_follows_an_early_answer_is_not_read_for_ever() -> None:
    async with serving(App()) as connect:
        wire = await connect()
        await wire.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert await wire.answer() == (200, b"early")
        assert await wire.sent_until_cut(b"x" * 65_536) < 20_000_000  # what was read, and what the kernel holds


@pytest.mark.slow
async def test_a_reader_that_does_not_read_costs_a_buffer_and_is_cut_off() -> None:
    app = App()
    async with serving(app, send_stall_seconds=0.3) as connect:
        wire = await connect()
        wire.stop_reading()
        await wire.send(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(app.gone.wait(), SOON)
        assert app.sent_bytes < 16 * 1024 * 1024  # the kernel's buffers at both ends of a loopback socket, and 64 KiB of ours


async def test_connections_have_a_number() -> None:
    async with serving(App(), connections_max=2) as connect:
        wires = [await connect() for _ in range(2)]
        for wire in wires:
            await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await wire.answer() == (200, b"0")
        code, body = status(await (await connect()).all())
        assert (code, body["code"]) == (503, 14)
        wires[0].writer.close()
        async with asyncio.timeout(SOON):
            while True:
                again = await connect()
                await again.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                if (await again.reader.read(12))[9:] == b"200":
                    return


@pytest.mark.slow
async def test_an_idle_connection_is_closed() -> None:
    async with serving(App(), keepalive_seconds=0.1) as connect:
        wire = await connect()
        await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await wire.answer() == (200, b"0")
        assert await wire.all() == b""


@pytest.mark.parametrize(
    "rubbish", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"]
)
async def test_what_is_no_http_is_answered_400(rubbish: bytes) -> None:
    async with serving(App()) as connect:
        wire = await connect()
        await wire.send(rubbish)
        assert (await wire.all())[9:12] == b"400"


def frame(opcode: int, data: bytes, *, last: bool = True) -> bytes:
    """A masked frame of less than 126 bytes; the mask is zero."""
    return bytes((opcode | (0x80 if last else 0), 0x80 | len(data), 0, 0, 0, 0)) + data


async def opened(connect: Connect) -> Wire:
    wire: Wire = await connect()
    await wire.send(HANDSHAKE)
    assert (await wire.reader.readuntil(b"\r\n\r\n"))[9:12] == b"101"
    return wire


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\xff" * 20, 1002),
        (frame(1, b"\xff\xfe"), 1007),
        (b"\x81\x05hello", 1002),  # without a mask
        (frame(1, b"", last=False) + frame(0, b"", last=False) * (WEBSOCKET_FRAGMENTS_MAX + 1), 1009),
    ],
    ids=["rubbish", "not UTF-8", "not masked", "endless fragments"],
)
async def test_a_websocket_with_rubbish_is_closed_with_the_reason(sent: bytes, code: int) -> None:
    app = App()
    async with serving(app) as connect:
        wire = await opened(connect)
        await wire.send(sent)
        closing = await wire.all()
        assert (closing[0], int.from_bytes(closing[2:4], "big")) == (0x88, code)
        await asyncio.wait_for(app.gone.wait(), SOON)


@pytest.mark.slow
async def test_pings_without_reading_their_pongs_do_not_fill_the_memory() -> None:
    async with serving(App(), send_stall_seconds=0.3) as connect:
        wire = await opened(connect)
        wire.stop_reading()
        assert await wire.sent_until_cut(frame(9, b"x" * 125) * 1_000) < 100_000_000
