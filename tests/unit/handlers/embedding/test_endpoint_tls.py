"""Over TLS: certificates are verified, and a handshake that hangs ends in time."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_server.handlers.embedding import http_exchange
from ingest_server.handlers.embedding.http_exchange import ExchangeFailed, HttpPost
from tests.fakes.embedding_service import embedding_service, never


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate of its own authority, for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    arguments = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *arguments, *names], cwd=folder, check=True, capture_output=True, timeout=30)
    return folder


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    """What the service shows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system trusts the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    http_exchange._trust.cache_clear()
    yield
    http_exchange._trust.cache_clear()


def post_to(url: str) -> HttpPost:
    """Requests to a service."""
    return HttpPost(f"{url}/embeddings", {}, response_bytes_max=10_000)


def test_a_certificate_that_nobody_vouches_for_is_refused(server_tls: ssl.SSLContext) -> None:
    http_exchange._trust.cache_clear()
    with embedding_service(server_tls) as service, pytest.raises(ExchangeFailed, match="CERTIFICATE_VERIFY_FAILED"):
        post_to(service.url).post(b"{}", seconds=10, cancelled=lambda: False)
    assert service.asked == []


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name_is_refused(server_tls: ssl.SSLContext) -> None:
    with embedding_service(server_tls) as service, pytest.raises(ExchangeFailed, match="CERTIFICATE_VERIFY_FAILED"):
        post_to(service.url.replace("localhost", "127.0.0.1")).post(b"{}", seconds=10, cancelled=lambda: False)


@pytest.mark.usefixtures("trusted")
def test_two_requests_over_one_connection(server_tls: ssl.SSLContext) -> None:
    with embedding_service(server_tls) as service:
        post = post_to(service.url)
        for _ in range(2):
            assert post.post(b'{"input": ["a"]}', seconds=10, cancelled=lambda: False).status == 200
        post.close()
        assert (service.connections, len(service.asked)) == (1, 2)


@pytest.mark.usefixtures("trusted")
def test_an_answer_that_does_not_come_ends_in_time(server_tls: ssl.SSLContext) -> None:
    with embedding_service(server_tls) as service:
        service.answers[:] = [never]
        with pytest.raises(ExchangeFailed, match=r"no whole answer within 0\.2 s"):
            post_to(service.url).post(b'{"input": ["a"]}', seconds=0.2, cancelled=lambda: False)


def test_a_handshake_that_hangs_ends_in_time() -> None:
    """A listener nobody accepts at: the connection is made, and then nothing comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ExchangeFailed, match=r"no whole answer within 0\.2 s"):
            post_to(url).post(b"{}", seconds=0.2, cancelled=lambda: False)
