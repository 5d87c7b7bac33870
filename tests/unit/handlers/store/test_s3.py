"""S3 as a target: refusals are told, and objects are written once each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from ingest_server.handlers.interface import HandlerFailure
from tests.fakes.s3_service import ACCESS_KEY, SECRET_KEY, S3Fake, s3_service
from tests.unit.handlers.store.conftest import Store, document_of


@pytest.fixture
def service(operator: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Fake]:
    """A service of which one prefix is allowed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with s3_service() as fake:
        operator(store_targets=("s3://bucket/out",), s3_endpoint=fake.endpoint)
        yield fake


@pytest.mark.parametrize("target", ["s3://bucket/other", "s3://bucket/outer", "s3://other/out", "s3://bucket/out/../x"])
def test_a_prefix_that_is_not_allowed_is_refused_unasked(service: S3Fake, stored: Store, target: str) -> None:
    with pytest.raises(HandlerFailure) as caught:
        stored(document_of(), target)
    assert caught.value.reason == "INVALID_OPTIONS"
    assert service.requests == []


@pytest.mark.parametrize(
    ("status", "reason", "retryable"), [(503, "STORE_TARGET_UNAVAILABLE", True), (403, "STORE_TARGET_UNUSABLE", False)]
)
def test_what_the_service_answers_is_told(service: S3Fake, stored: Store, status: int, reason: str, retryable: bool) -> None:
    service.answers.append((status, b"<Error><Code>Why</Code></Error>", {}))
    with pytest.raises(HandlerFailure) as caught:
        stored(document_of(), "s3://bucket/out/x.jsonl")
    assert (caught.value.reason, caught.value.retryable) == (reason, retryable)
    assert "Why" in caught.value.message
    assert SECRET_KEY not in caught.value.message
    assert service.objects == {}


def test_a_document_is_one_object_however_often_its_job_runs(service: S3Fake, stored: Store) -> None:
    for _ in range(2):
        stored(document_of(), "s3://bucket/out/x.jsonl", name="Größe 1.pdf")
    ((path, (data, media_type)),) = service.objects.items()
    assert path.startswith("/bucket/out/x.jsonl/Größe_1.pdf-")
    assert media_type == "application/jsonl"
    assert [json.loads(line)["type"] for line in data.splitlines()].count("chunk") == 2
    assert len(service.requests) == 2


def test_parquet_has_an_object_in_each_folder(service: S3Fake, stored: Store) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    stored(document_of(), "s3://bucket/out/set.parquet")
    assert sorted(path.split("/")[4] for path in service.objects) == ["chunks", "documents", "elements"]
