"""An HTTP server on loopback that answers with the very bytes a test gives it: right, wrong, endless, or none."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

WAIT_SECONDS_MAX = 30.0
Answer = bytes | Callable[[socket.socket], None]
"""What is sent, and then the connection closed; or what is done with the connection."""


def page(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer with a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body


def redirect(place: str, status: str = "302 Found") -> bytes:
    """An answer that leads elsewhere."""
    return page(b"", f"Location: {place}", status=status)


def endless(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Send `piece` again and again until the other side has had enough."""

    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return send


@dataclass
class WebFake:
    """What a test sees of the server.

    Attributes:
        url: of it, without a slash at its end.
        answers: by path with query; all else is answered 404.
        requests: that came, in order.
    """

    url: str = ""
    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    arrival: threading.Condition = field(default_factory=threading.Condition)
    """Told of each request."""
    release: threading.Event = field(default_factory=threading.Event)
    """Set at the end; for answers that wait."""

    def wait_for(self, *paths: str) -> None:
        """Wait until all these have been asked for. Raises AssertionError if they are not in time."""
        wanted = {f"GET {path} " for path in paths}
        with self.arrival:
            came = self.arrival.wait_for(
                lambda: wanted <= {request.partition("HTTP/")[0] for request in self.requests}, WAIT_SECONDS_MAX
            )
        assert came, f"of {wanted} only these came: {self.requests}"

    def hold(self, head: bytes = b"") -> Callable[[socket.socket], None]:
        """Send the head, and nothing more."""

        def wait(connection: socket.socket) -> None:
            connection.sendall(head)
            self.release.wait()

        return wait


@contextmanager
def web_service(tls: ssl.SSLContext | None = None) -> Iterator[WebFake]:
    """Serve until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        fake = WebFake(f"{'https' if tls else 'http'}://127.0.0.1:{port}", port)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=_serve, args=(fake, connection, tls)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield fake
        finally:
            fake.release.set()
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def _serve(fake: WebFake, raw: socket.socket, tls: ssl.SSLContext | None) -> None:
    with raw, contextlib.suppress(OSError, ValueError):  # hung up, by the client or the test; or the certificate is not liked
        connection = tls.wrap_socket(raw, server_side=True) if tls else raw
        with connection:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                piece = connection.recv(65_536)
                if not piece:
                    return
                request += piece
            with fake.arrival:
                fake.requests.append(request.decode())
                fake.arrival.notify_all()
            answer = fake.answers.get(request.split(b" ")[1].decode(), page(b"", status="404 Not Found"))
            if isinstance(answer, bytes):
                connection.sendall(answer)
            else:
                answer(connection)
            if isinstance(connection, ssl.SSLSocket):
                connection.unwrap()
            else:
                connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):  # until the client closes, so that nothing it has not read is lost
                pass
