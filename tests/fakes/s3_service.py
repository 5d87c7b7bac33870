"""An S3 service on loopback: checks signatures by its own reading of the rules, keeps objects in memory, fails when told to."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@dataclass
class S3Fake:
    """What a test sees of the service.

    Attributes:
        endpoint: its URL.
        objects: path ("/bucket/key") → (bytes, media type).
        requests: method and path of each request that came.
        dates: what their signatures give as their time.
        answers: answers to give instead of the true ones, first first: (status, body, headers).
        cut_bytes: bytes of an object after which the connection is closed.
        signed: whether unsigned requests are refused.
    """

    endpoint: str = ""
    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    cut_bytes: int | None = None
    signed: bool = True


@contextmanager
def s3_service() -> Iterator[S3Fake]:
    """Serve until the block ends."""
    fake = S3Fake()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = False
    fake.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(fake: S3Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve(b"")

        do_HEAD = do_GET

        def do_PUT(self) -> None:
            self._serve(self.rfile.read(int(self.headers["content-length"])))

        def _serve(self, body: bytes) -> None:
            fake.requests.append(f"{self.command} {self.path}")
            fake.dates.append(self.headers.get("x-amz-date", ""))
            if fake.answers:
                status, text, headers = fake.answers.pop(0)
                self._answer(status, text, headers)
                return
            fault = _signature_fault(self, body) if fake.signed else ""
            path = unquote(self.path)
            if fault:
                self._answer(403, _error("SignatureDoesNotMatch", fault), {})
            elif self.command == "PUT":
                fake.objects[path] = (body, self.headers.get("content-type", ""))
                self._answer(200, b"", {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
            elif path not in fake.objects:
                self._answer(404, _error("NoSuchKey", "The specified key does not exist."), {})
            else:
                data, media_type = fake.objects[path]
                self._answer(200, data, {"Content-Type": media_type} if media_type else {})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: fake.cut_bytes])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    return Handler


def _error(code: str, message: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def _signature_fault(request: BaseHTTPRequestHandler, body: bytes) -> str:
    """What is wrong with the signature; "" if nothing is."""
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return "no signature"
    parts = dict(part.strip().split("=", 1) for part in authorization.split(" ", 1)[1].split(","))
    access_key, day, region, service, end = parts["Credential"].split("/")
    digest = hashlib.sha256(body).hexdigest()
    if access_key != ACCESS_KEY or request.headers["x-amz-content-sha256"] != digest:
        return "another key, or another body"
    names = parts["SignedHeaders"].split(";")
    lines = [f"{name}:{request.headers[name]}" for name in names]
    canonical = "\n".join([request.command, request.path, "", *lines, "", ";".join(names), digest])
    scope = "/".join((day, region, service, end))
    moment = request.headers["x-amz-date"]
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = ("AWS4" + SECRET_KEY).encode()
    for part in (day, region, service, end):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    right = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return "" if hmac.compare_digest(right, parts["Signature"]) and "host" in names else "the signature does not match"
