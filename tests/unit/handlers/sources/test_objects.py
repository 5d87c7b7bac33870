"""Objects of S3 as sources: what the service refuses, loses or cuts short, and what is taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest_server.domain.errors import Reason
from ingest_server.handlers.interface import Cancelled
from ingest_server.handlers.s3.client import S3Client
from ingest_server.handlers.s3.service import S3Service
from ingest_server.handlers.s3.signature import Credentials
from tests.fakes.s3_service import ACCESS_KEY, SECRET_KEY, S3Fake, s3_service
from tests.unit.handlers.sources.conftest import Fetching


@pytest.fixture
def s3(fetching: Fetching) -> Iterator[S3Fake]:
    """A service with one object; what lies below s3://scans/in may be read."""
    fetching.limits = {"buckets": ("s3://scans/in",)}
    with s3_service() as service:
        service.objects["/scans/in/a b.pdf"] = (b"%PDF-" + bytes(1_700_000), "application/pdf")
        service.objects["/scans/out/a.pdf"] = (b"secret", "")
        client = S3Client(S3Service("us-east-1", Credentials(ACCESS_KEY, SECRET_KEY, ""), service.endpoint))
        fetching.more["objects"] = lambda: client
        yield service


def test_what_is_not_allowed_is_not_asked_for(fetching: Fetching, s3: S3Fake) -> None:
    fetching.failure("s3://scans/out/a.pdf", Reason.SOURCE_FORBIDDEN)
    fetching.failure("s3://scans/in/%2e%2e/out/a.pdf", Reason.SOURCE_FORBIDDEN)
    assert s3.requests == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, Reason.SOURCE_NOT_FOUND),
        (403, Reason.SOURCE_FORBIDDEN),
        (503, Reason.SOURCE_UNAVAILABLE),
        (400, Reason.SOURCE_UNUSABLE),
        (301, Reason.SOURCE_UNUSABLE),
    ],
)
def test_a_status_has_its_reason(fetching: Fetching, s3: S3Fake, status: int, reason: Reason) -> None:
    s3.answers.append((status, b"", {}))
    assert fetching.failure("s3://scans/in/a%20b.pdf", reason).metadata == {"http_status": str(status)}


def test_an_object_that_is_not_there_is_not_found(fetching: Fetching, s3: S3Fake) -> None:
    fetching.failure("s3://scans/in/b.pdf", Reason.SOURCE_NOT_FOUND)


def test_an_object_cut_short_is_no_document(fetching: Fetching, s3: S3Fake) -> None:
    s3.cut_bytes = 300_000
    fetching.failure("s3://scans/in/a%20b.pdf", Reason.SOURCE_UNAVAILABLE)


def test_an_object_that_is_too_large_is_refused(fetching: Fetching, s3: S3Fake) -> None:
    fetching.failure("s3://scans/in/a%20b.pdf", Reason.SOURCE_TOO_LARGE, bytes_max=1_700_004)
    assert fetching.data("s3://scans/in/a%20b.pdf", bytes_max=1_700_005).startswith(b"%PDF")


def test_a_cancel_ends_a_fetch(fetching: Fetching, s3: S3Fake) -> None:
    fetching.context.progress = lambda *_: fetching.context.stop()  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        fetching.fetch("s3://scans/in/a%20b.pdf")


def test_an_object_comes_with_its_name_type_and_progress(fetching: Fetching, s3: S3Fake) -> None:
    fetched = fetching.fetch("s3://scans/in/a%20b.pdf")
    assert (fetched.name, fetched.media_type, fetched.size_bytes) == ("a b.pdf", "application/pdf", 1_700_005)
    assert fetched.read() == b"%PDF-" + bytes(1_700_000)
    fetched.close()
    assert fetching.context.reports[-1] == (1_700_005, 0)
