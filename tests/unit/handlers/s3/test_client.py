"""The client of S3: what goes wrong first, then objects there and back; and the signature against AWS's own published example."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest

from ingest_server.domain.s3_address import S3Address, parse_s3_uri
from ingest_server.handlers.operator import OperatorSettings
from ingest_server.handlers.s3.client import S3Client
from ingest_server.handlers.s3.errors import S3Error
from ingest_server.handlers.s3.service import S3Service, service_of
from ingest_server.handlers.s3.signature import EMPTY_SHA256, Credentials, signed_headers
from tests.fakes.clock import FakeClock
from tests.fakes.s3_service import ACCESS_KEY, SECRET_KEY, S3Fake, s3_service

KEYS = Credentials(ACCESS_KEY, SECRET_KEY)
WHERE = S3Address("bucket", "in/a b+ü%.txt")


@pytest.fixture
def service() -> Iterator[S3Fake]:
    with s3_service() as fake:
        yield fake


def _client(service: S3Fake, credentials: Credentials | None = KEYS) -> S3Client:
    return S3Client(S3Service("eu-central-1", credentials, service.endpoint), idle_seconds=5)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("https://bucket/key", "s3://BUCKET/KEY"),
        ("s3:/bucket/key", "s3://BUCKET/KEY"),
        ("s3://Bucket/key", "lower-case"),
        ("s3://a/key", "3 to 63"),
        ("s3://bucket..name/key", "dots"),
        ("s3://bucket@host/key", "bucket"),
        ("s3://bucket/a/../b", "'..'"),
        ("s3://bucket/a/%2e%2e/b", "'..'"),
        ("s3://bucket//a", "empty steps"),
        ("s3://bucket/a%00b", "control"),
        ("s3://bucket/a%ff", "UTF-8"),
        ("s3://bucket/" + "a" * 1_025, "1,025 bytes"),
    ],
)
def test_an_address_that_is_none_is_refused_with_its_reason(uri: str, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        parse_s3_uri(uri)


def test_a_prefix_holds_what_lies_below_it_and_not_what_begins_alike() -> None:
    root = parse_s3_uri("s3://bucket/in")
    assert root.holds(parse_s3_uri("s3://bucket/in/a"))
    assert root.holds(parse_s3_uri("s3://bucket/in/"))
    assert not root.holds(parse_s3_uri("s3://bucket/inner"))
    assert not root.holds(parse_s3_uri("s3://other/in/a"))
    assert parse_s3_uri("s3://bucket").holds(parse_s3_uri("s3://bucket/any"))
    assert str(root.below("x y.txt")) == "s3://bucket/in/x y.txt"


@pytest.mark.parametrize(
    "endpoint", ["ftp://host", "host:9000", "http://", "http://host/path", "http://user:word@host", "http://host:x", "http://h?q"]
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="must be http"):
        service_of(OperatorSettings(s3_endpoint=endpoint), {})


def test_an_object_that_is_not_there_is_told_with_its_address_and_is_not_retried(service: S3Fake) -> None:
    with pytest.raises(S3Error) as caught:
        _client(service).get(WHERE, io.BytesIO(), bytes_max=10)
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (404, "NoSuchKey", False)
    assert str(WHERE) in caught.value.message
    with pytest.raises(S3Error) as caught:
        _client(service).head(WHERE)
    assert caught.value.status == 404


def test_wrong_keys_are_told_without_showing_them(service: S3Fake) -> None:
    with pytest.raises(S3Error) as caught:
        _client(service, Credentials(ACCESS_KEY, "another secret")).put(WHERE, b"x")
    assert (caught.value.status, caught.value.code) == (403, "SignatureDoesNotMatch")
    assert "another secret" not in caught.value.message
    assert "another secret" not in repr(Credentials(ACCESS_KEY, "another secret", "and a token"))
    assert not service.objects


def test_an_object_above_the_limit_is_not_read(service: S3Fake) -> None:
    service.objects["/bucket/" + WHERE.key] = (b"x" * 11, "")
    into = io.BytesIO()
    with pytest.raises(S3Error) as caught:
        _client(service).get(WHERE, into, bytes_max=10)
    assert (caught.value.code, into.getvalue()) == ("TooLarge", b"")
    assert "11 bytes" in caught.value.message


def test_an_object_that_breaks_off_is_told_and_retried(service: S3Fake) -> None:
    service.objects["/bucket/" + WHERE.key] = (b"x" * 1_000, "")
    service.cut_bytes = 400
    with pytest.raises(S3Error) as caught:
        _client(service).get(WHERE, io.BytesIO(), bytes_max=10_000)
    assert (caught.value.code, caught.value.retryable) == ("CutShort", True)


@pytest.mark.parametrize(
    ("status", "retryable"), [(503, True), (500, True), (429, True), (400, False), (403, False), (301, False)]
)
def test_which_answers_may_be_tried_again(service: S3Fake, status: int, retryable: bool) -> None:
    service.answers.append((status, b"<Error><Code>Any</Code><Message>a &lt;b&gt;</Message></Error>", {}))
    with pytest.raises(S3Error) as caught:
        _client(service).put(WHERE, b"data")
    assert (caught.value.status, caught.value.retryable) == (status, retryable)
    assert "Any: a <b>" in caught.value.message


def test_a_bucket_of_another_region_is_told_with_the_setting_to_change(service: S3Fake) -> None:
    service.answers.append((301, b"", {"x-amz-bucket-region": "us-west-2"}))
    with pytest.raises(S3Error, match="'us-west-2', not 'eu-central-1': set s3_region"):
        _client(service).head(WHERE)


def test_no_service_at_all_is_retried(service: S3Fake) -> None:
    client = S3Client(S3Service(endpoint="http://127.0.0.1:1"), idle_seconds=5)
    with pytest.raises(S3Error) as caught:
        client.head(WHERE)
    assert (caught.value.code, caught.value.retryable) == ("NoAnswer", True)
    assert "127.0.0.1:1" in caught.value.message


def test_a_cancel_ends_a_transfer_between_two_pieces(service: S3Fake) -> None:
    service.objects["/bucket/" + WHERE.key] = (b"x" * 1_000_000, "")
    seen = 0

    def check() -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            raise KeyboardInterrupt

    into = io.BytesIO()
    with pytest.raises(KeyboardInterrupt):
        _client(service).get(WHERE, into, bytes_max=10_000_000, check=check)
    assert 0 < len(into.getvalue()) < 1_000_000


@pytest.mark.parametrize("body", [b"", b"hello", io.BytesIO(b"z" * 700_000)])
def test_an_object_is_written_and_read_back(service: S3Fake, body: bytes | io.BytesIO) -> None:
    client = _client(service)
    data = body if isinstance(body, bytes) else body.getvalue()
    written = client.put(WHERE, body, media_type="text/plain")
    assert written.size_bytes == len(data)
    assert client.head(WHERE).size_bytes == len(data)
    into = io.BytesIO()
    read = client.get(WHERE, into, bytes_max=len(data))
    assert (into.getvalue(), read.media_type, read.size_bytes) == (data, "text/plain", len(data))


def test_an_anonymous_request_is_not_signed(service: S3Fake) -> None:
    service.signed = False
    service.objects["/bucket/" + WHERE.key] = (b"public", "")
    into = io.BytesIO()
    _client(service, None).get(WHERE, into, bytes_max=100)
    assert into.getvalue() == b"public"


def test_the_signature_is_that_of_the_published_example() -> None:
    """GET Object of "Authenticating Requests: Using the Authorization Header" in AWS's reference of the S3 API."""
    now_us = 1_369_353_600 * 1_000_000  # 2013-05-24T00:00:00Z
    headers = signed_headers(
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/test.txt",
        {"range": "bytes=0-9"},
        EMPTY_SHA256,
        Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        region="us-east-1",
        now_us=now_us,
    )
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_the_time_of_a_signature_is_that_of_the_clock(service: S3Fake) -> None:
    clock = FakeClock(start_us=1_369_353_600 * 1_000_000)
    client = S3Client(S3Service("eu-central-1", KEYS, service.endpoint), clock=clock)
    client.put(WHERE, b"x")
    assert service.dates == ["20130524T000000Z"]


@pytest.mark.parametrize(
    ("service", "address", "host", "path"),
    [
        (S3Service("eu-west-1"), S3Address("data", "a b"), "data.s3.eu-west-1.amazonaws.com", "/a%20b"),
        (S3Service("eu-west-1"), S3Address("da.ta", "a"), "s3.eu-west-1.amazonaws.com", "/da.ta/a"),
        (S3Service(endpoint="http://localhost:9000"), S3Address("data", "a+b"), "localhost:9000", "/data/a%2Bb"),
    ],
)
def test_where_requests_go(service: S3Service, address: S3Address, host: str, path: str) -> None:
    assert service.place(address) == (host, path)


def test_credentials_come_from_the_environment_and_only_in_pairs() -> None:
    pair = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}
    assert service_of(OperatorSettings(), pair).credentials == Credentials("a", "b", "c")
    assert service_of(OperatorSettings(), {"AWS_ACCESS_KEY_ID": "a"}).credentials is None


def test_the_signature_of_a_path_with_signs_and_a_session_token_is_that_of_another_client() -> None:
    """What botocore 1.44 signs for the same request at the same second."""
    headers = signed_headers(
        "PUT",
        "minio.local:9000",
        S3Service(endpoint="http://minio.local:9000").place(S3Address("bucket", "in/Größe 1+2 (x)~.txt"))[1],
        {"content-type": "text/plain"},
        hashlib.sha256(b"hello").hexdigest(),
        Credentials("AK", "SK", "TOKEN"),
        region="eu-central-1",
        now_us=1_767_323_045 * 1_000_000,  # 2026-01-02T03:04:05Z
    )
    assert headers["authorization"].endswith("Signature=5b8545cfb7179651b5fff265d0cd96261b54860f13040011b38824552b70859d")
