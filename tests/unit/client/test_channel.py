"""Credentials: where a token goes, and where it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_client import ChannelSettings, Client, TlsFiles
from ingest_client._channel import is_loopback
from ingest_client.errors import ClientClosed
from tests.fakes.job_service import FakeServer


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("ipv4:127.0.0.1:1", True),
        ("unix:/run/ingest.sock", True),
        ("10.0.0.1:1", False),
        ("example.org:1", False),
        ("127.0.0.1.example.org:1", False),
        ("localhost.example.org:1", False),
        ("[2001:db8::1]:1", False),
        ("0.0.0.0:1", False),
    ],
)
def test_loopback_is_recognised(address: str, here: bool) -> None:
    """By the address itself: a name that only begins like one is not."""
    assert is_loopback(address) is here


async def test_token_is_not_sent_in_the_clear_to_others() -> None:
    """Unless told so."""
    with pytest.raises(ValueError, match="plaintext"):
        async with Client("example.org:443", token="secret"):
            pass
    async with Client("example.org:443", token="secret", allow_plaintext_token=True):
        pass


async def test_token_goes_with_every_call(server: FakeServer, settings: ChannelSettings) -> None:
    """Unary calls and streams."""
    async with Client(server.address, token="secret") as client:
        await client.run(b"x")
    assert {dict(each).get("authorization") for each in server.metadata} == {"Bearer secret"}


def test_half_a_key_pair_is_refused() -> None:
    """Mutual TLS needs both."""
    with pytest.raises(ValueError, match="both"):
        TlsFiles(certificate=Path("x"))


async def test_missing_certificate_is_told(tmp_path: Path) -> None:
    """When the client is entered, not at some later call."""
    with pytest.raises(FileNotFoundError):
        async with Client("127.0.0.1:1", tls=TlsFiles(ca=tmp_path / "none.pem")):
            pass


async def test_closed_client_says_so(client: Client) -> None:
    """Calls and streams; closing twice is no error."""
    await client.info()
    await client.close()
    await client.close()
    with pytest.raises(ClientClosed):
        await client.info()
    with pytest.raises(ClientClosed):
        await anext(client.watch())


async def test_client_that_was_not_entered_says_so() -> None:
    """Before the first call."""
    with pytest.raises(RuntimeError, match="async with"):
        await Client().info()
