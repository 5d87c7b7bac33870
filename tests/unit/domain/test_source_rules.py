"""Which URIs inputs may be fetched from: what is malformed, what is not offered, what is not allowed, and then what is."""

from __future__ import annotations

import pytest

from ingest_server.domain.destination import Endpoint
from ingest_server.domain.s3_address import S3Address
from ingest_server.domain.source_rules import FileLocation, SchemeNotOffered, SourceRules

RULES = SourceRules(["/srv/in", "/data/"], ["files.example.com", "http://plain.example.com:8080"], [], ["s3://scans/in"])


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "absolute URI"),
        ("/srv/in/a.pdf", "absolute URI"),
        ("a.pdf", "absolute URI"),
        ("HTTPS://files.example.com/a.pdf", "lower case"),
        (" https://files.example.com/", "absolute URI"),
        ("https:files.example.com", "absolute http or https"),
        ("https://files.example.com/" + "a" * 2_048, "at most 2,048 bytes"),
        ("https://me:secret@files.example.com/", "user name"),
        ("https://files.example.com/a b", "printable ASCII"),
        ("https://files.example.com/a\r\nHost: evil", "printable ASCII"),
        ("file:/srv/in/a", "form file:///"),
        ("file:srv/in/a", "form file:///"),
        ("file://", "other machines"),
        ("file://other/srv/in/a", "other machines"),
        ("file:///srv/in/a?b", "escape these"),
        ("file:///srv/in/a#b", "escape these"),
        ("file:///srv/in/ä", "printable ASCII"),
        ("file:///srv/in/a%2", "escape these"),
        ("file:///srv/in/a%00.pdf", "zero byte"),
        ("file:///srv/in/../a", "plain path"),
        ("file:///srv/in/%2e%2e/a", "plain path"),
        ("file:///srv/in/x%2F..%2F..%2Fetc/passwd", "plain path"),
        ("file:///srv/in/./a", "plain path"),
        ("file:///srv/in//a", "plain path"),
        ("file:////srv/in/a", "plain path"),
        ("file:///srv/in/", "plain path"),
        ("s3://scans", "must name an object"),
        ("s3://scans/in/", "must name an object"),
        ("s3://scans/in/../out/a", "'..'"),
        ("s3://scans/in/a?versionId=1", "escape these"),
        ("s3:///in/a", "bucket ''"),
    ],
)
def test_a_uri_that_is_not_plain_is_refused(uri: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        RULES.check(uri)
    assert not isinstance(caught.value, SchemeNotOffered)


@pytest.mark.parametrize("uri", ["ftp://files.example.com/a", "gopher:x", "data:text/plain,a", "javascript:1", "s3x://a/b"])
def test_a_scheme_that_is_not_on_is_told_apart(uri: str) -> None:
    with pytest.raises(SchemeNotOffered, match="file, http, https, s3") as caught:
        RULES.check(uri)
    assert caught.value.scheme == uri.partition(":")[0]


def test_without_settings_no_scheme_is_on() -> None:
    rules = SourceRules()
    assert rules.schemes == ()
    for uri in ("file:///srv/in/a", "https://files.example.com/", "http://1.1.1.1/", "s3://scans/in/a"):
        with pytest.raises(SchemeNotOffered, match="nothing by URI"):
            rules.check(uri)
    assert SourceRules(hosts=["files.example.com"]).schemes == ("https",)
    assert SourceRules(hosts=["http://files.example.com"]).schemes == ("http",)


@pytest.mark.parametrize(
    ("uri", "setting"),
    [
        ("file:///etc/passwd", "source_roots"),
        ("file:///srv/inner/a", "source_roots"),
        ("file:///srv/in", "source_roots"),
        ("file:///srv", "source_roots"),
        ("https://evil.example/", "source_hosts"),
        ("http://files.example.com/", "source_hosts"),
        ("https://files.example.com:8443/", "source_hosts"),
        ("https://127.0.0.1/", "source_hosts"),
        ("s3://scans/inner/a", "source_buckets"),
        ("s3://others/in/a", "source_buckets"),
        ("s3://scans/in", ""),
    ],
)
def test_what_the_operator_has_not_allowed_is_refused(uri: str, setting: str) -> None:
    if not setting:  # an object of the very name of the prefix
        assert RULES.check(uri) == S3Address("scans", "in")
        return
    with pytest.raises(ValueError, match=setting):
        RULES.check(uri)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"]
)
def test_a_private_address_is_refused_though_any_host_is_allowed(address: str) -> None:
    with pytest.raises(ValueError, match="source_networks"):
        SourceRules(hosts=["*"]).check(f"https://{address}/")


def test_what_is_allowed_is_taken_apart() -> None:
    assert RULES.check("file:///srv/in/a%20b/%C3%BC.pdf") == FileLocation("/srv/in/a b/ü.pdf")
    assert RULES.check("file://localhost/data/a.pdf") == FileLocation("/data/a.pdf")
    assert SourceRules(["/"]).check("file:///a") == FileLocation("/a")
    assert RULES.check("https://files.example.com/a?b=c") == Endpoint(
        "https://files.example.com/a?b=c", "https", "files.example.com", 443
    )
    assert RULES.check("http://plain.example.com:8080/") == Endpoint(
        "http://plain.example.com:8080/", "http", "plain.example.com", 8080
    )
    assert RULES.check("s3://scans/in/a%20b.pdf") == S3Address("scans", "in/a b.pdf")


@pytest.mark.parametrize("root", ["", "srv/in", "./in", "//srv", "~/in"])
def test_a_root_that_is_no_absolute_path_is_named(root: str) -> None:
    with pytest.raises(ValueError, match=repr(root)):
        SourceRules([root])


def test_a_bucket_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="scans"):
        SourceRules(buckets=["scans"])
