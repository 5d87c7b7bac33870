"""An endpoint of embeddings on loopback that answers as a test tells it: rightly, wrongly, slowly, or not at all."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[["Conversation"], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came: its first line, headers in lower case, and body as JSON."""

    line: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class EmbeddingFake:
    """What a test sees of the service.

    Attributes:
        url: base URL.
        asked: requests, in order.
        answers: how to answer, first first; when they are used up, rightly.
        connections: how many were made.
        ended: set when the service is to go; those who hold a request wait for it.
        held: set when a request is held.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    connections: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One request and the socket that it came by."""

    fake: EmbeddingFake
    socket: socket.socket
    asked: Asked

    def send(self, status: int, body: bytes, *headers: str) -> None:
        """Answer."""
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def vector_of(text: str, dimensions: int = 4) -> list[float]:
    """What a right answer holds for a text."""
    return [len(text) + number / 8 for number in range(dimensions)]


def rightly(talk: Conversation) -> None:
    """Answer as an endpoint should."""
    data = [
        {"object": "embedding", "index": index, "embedding": vector_of(text, talk.asked.body.get("dimensions", 4))}
        for index, text in enumerate(talk.asked.body["input"])
    ]
    talk.send(200, json.dumps({"object": "list", "data": data, "model": "m", "usage": {}}).encode())


def with_data(change: Callable[[list[dict[str, Any]]], Any]) -> Answer:
    """A right answer whose list of data was changed."""

    def answer(talk: Conversation) -> None:
        data = [{"index": index, "embedding": vector_of(text)} for index, text in enumerate(talk.asked.body["input"])]
        talk.send(200, json.dumps({"data": change(data)}).encode())

    return answer


def saying(status: int, body: bytes = b"", *headers: str) -> Answer:
    """These very bytes."""
    return lambda talk: talk.send(status, body, *headers)


def raw(data: bytes) -> Answer:
    """These bytes, then the end of the connection."""

    def answer(talk: Conversation) -> None:
        talk.socket.sendall(data)
        talk.socket.shutdown(socket.SHUT_RDWR)

    return answer


def never(talk: Conversation) -> None:
    """Hold the request until the service ends."""
    talk.fake.held.set()
    talk.fake.ended.wait()


def drop_by_drop(talk: Conversation) -> None:
    """Send a byte of the head now and then, for ever: no read ever times out."""
    talk.fake.held.set()
    while not talk.fake.ended.wait(0.01):
        try:
            talk.socket.sendall(b"H")
        except OSError:
            return


@contextmanager
def embedding_service(tls: ssl.SSLContext | None = None) -> Iterator[EmbeddingFake]:
    """Serve until the block ends."""
    fake = EmbeddingFake()
    listener = socket.create_server(("127.0.0.1", 0))
    fake.url = f"{'https' if tls else 'http'}://localhost:{listener.getsockname()[1]}/v1"
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            fake.connections += 1
            thread = threading.Thread(target=_serve, args=(fake, connection, tls))
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield fake
    finally:
        fake.ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()


def _serve(fake: EmbeddingFake, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    with connection:
        try:
            served = tls.wrap_socket(connection, server_side=True) if tls else connection
            with served, served.makefile("rb") as reader:
                while asked := _read(reader):
                    fake.asked.append(asked)
                    answer = fake.answers.pop(0) if fake.answers else rightly
                    answer(Conversation(fake, served, asked))
        except OSError:
            return  # the caller hung up


def _read(reader: Any) -> Asked | None:
    line = reader.readline().decode().strip()
    if not line:
        return None
    headers = {}
    while header := reader.readline().decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Asked(line, headers, json.loads(reader.read(int(headers["content-length"]))))
