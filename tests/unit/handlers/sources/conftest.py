"""A fetcher whose temporary files lie in a folder of the test, which must be empty at its end."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_server.domain.errors import Reason
from ingest_server.handlers.inputs import TemporaryInput
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.sources.addresses import Address
from ingest_server.handlers.sources.fetch import Fetcher
from ingest_server.handlers.sources.limits import SourceLimits
from tests.fakes.source_context import SourceContext
from tests.fakes.web_service import WebFake, web_service


class Fetching:
    """Fetches with limits of the test's own.

    Attributes:
        folder: of the temporary files.
        context: of all fetches.
        more: arguments for the fetcher besides the limits.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = SourceContext()
        self.more: dict[str, Any] = {}
        self.limits: dict[str, Any] = {}

    def fetch(self, uri: str, *, media_type: str = "", name: str = "", **limits: Any) -> TemporaryInput:
        """Fetch; who calls closes it."""
        fetcher = Fetcher(SourceLimits(**{**self.limits, **limits}), **self.more)
        return fetcher.fetch(uri, self.context, media_type=media_type, name=name, metadata={"k": "v"})

    def data(self, uri: str, **limits: Any) -> bytes:
        """The bytes of a source."""
        fetched = self.fetch(uri, **limits)
        try:
            assert fetched.path().parent == self.folder
            return fetched.read()
        finally:
            fetched.close()

    def failure(self, uri: str, reason: Reason, **limits: Any) -> HandlerFailure:
        """How a fetch fails; with this reason."""
        with pytest.raises(HandlerFailure) as caught:
            self.fetch(uri, **limits).close()
        assert caught.value.reason == reason, caught.value.message
        retried = reason in (Reason.SOURCE_UNAVAILABLE, Reason.SOURCE_TIMEOUT, Reason.STORAGE_FULL)
        assert caught.value.retryable is retried
        return caught.value


@pytest.fixture
def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetching]:
    """See `Fetching`."""
    folder = tmp_path / "worker"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield Fetching(folder)
    assert list(folder.iterdir()) == [], "a temporary file was left"


class Names:
    """Answers each question about a name with the next entry of its list, the last one for good."""

    def __init__(self, **names: list[list[str]]) -> None:
        self.names = {name.replace("_", "."): answers for name, answers in names.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError(None, "Name or service not known")
        answers = self.names[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET6, (each, port, 0, 0)) if ":" in each else (socket.AF_INET, (each, port)) for each in found]


@pytest.fixture
def web(fetching: Fetching) -> Iterator[WebFake]:
    """A server on 127.0.0.1, which is allowed; any host is, the rest of loopback is not."""
    fetching.limits = {"hosts": ("*:*", "http://*:*"), "networks": ("127.0.0.1/32",)}
    with web_service() as service:
        yield service
