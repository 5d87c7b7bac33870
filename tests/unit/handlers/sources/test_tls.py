"""Documents over TLS: whose certificate is believed, and what its end and its redirects mean."""

from __future__ import annotations

import socket
import ssl
import subprocess
from functools import partial
from pathlib import Path

import pytest

from ingest_server.domain.errors import Reason
from tests.fakes.web_service import WebFake, page, redirect, web_service
from tests.unit.handlers.sources.conftest import Fetching, Names


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for files.example, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    arguments = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"]
    names = ["-subj", "/CN=files.example", "-addext", "subjectAltName=DNS:files.example", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *arguments, *names], cwd=folder, check=True, capture_output=True, timeout=30)
    return folder


def test_certificates_are_verified_with_their_names(fetching: Fetching, web: WebFake, certificate: Path) -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusting = partial(ssl.create_default_context, cafile=str(certificate / "cert.pem"))
    fetching.more["resolver"] = Names(files_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    with web_service(own) as service:
        service.answers["/a"] = page(b"hello")
        told = fetching.failure(f"https://files.example:{service.port}/a", Reason.SOURCE_UNUSABLE)
        assert "certificate" in told.message
        fetching.more["tls"] = trusting
        fetching.failure(f"https://other.example:{service.port}/a", Reason.SOURCE_UNUSABLE)
        assert service.requests == []
        assert fetching.data(f"https://files.example:{service.port}/a") == b"hello"


def test_over_tls_an_end_that_is_not_announced_is_a_document_cut_short(
    fetching: Fetching, web: WebFake, certificate: Path
) -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    fetching.more["resolver"] = Names(files_example=[["127.0.0.1"]])
    fetching.more["tls"] = partial(ssl.create_default_context, cafile=str(certificate / "cert.pem"))
    head = b"HTTP/1.1 200 OK\r\n\r\nhello"

    def torn(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_RDWR)  # of the socket below TLS

    with web_service(own) as service:
        service.answers.update({"/torn": torn, "/whole": head})
        assert fetching.data(f"https://files.example:{service.port}/whole") == b"hello"
        fetching.failure(f"https://files.example:{service.port}/torn", Reason.SOURCE_UNAVAILABLE)


def test_a_redirect_from_https_to_http_is_not_followed(fetching: Fetching, web: WebFake, certificate: Path) -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    fetching.more["resolver"] = Names(files_example=[["127.0.0.1"]])
    fetching.more["tls"] = partial(ssl.create_default_context, cafile=str(certificate / "cert.pem"))
    with web_service(own) as service:
        service.answers["/a"] = redirect(f"{web.url}/b")
        told = fetching.failure(f"https://files.example:{service.port}/a", Reason.SOURCE_FORBIDDEN)
        assert "from https to http" in told.message
    assert web.requests == []
