"""Addresses of S3 objects: `s3://BUCKET/KEY`; and of the services that hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

KEY_BYTES_MAX = 1_024
"""Of S3 itself."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""The rule for new buckets; those with upper-case letters and underscores, which AWS allowed before 2018, are left out."""


@dataclass(frozen=True, slots=True)
class S3Address:
    """An object, or with a key that is "" or ends in "/" a prefix of objects.

    Attributes:
        bucket: its name.
        key: without a leading slash.
    """

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def below(self, name: str) -> S3Address:
        """The object `name` below this prefix. Raises ValueError as `parse_s3_uri` does."""
        prefix = self.key if not self.key or self.key.endswith("/") else self.key + "/"
        return S3Address(self.bucket, _checked(prefix + name, f"s3://{self.bucket}/{prefix}{name}"))

    def holds(self, other: S3Address) -> bool:
        """Whether `other` is this object or prefix, or lies below it. `s3://b/in` holds `s3://b/in/x`, not `s3://b/inner`."""
        prefix = self.key.rstrip("/")
        return other.bucket == self.bucket and (
            not prefix or other.key.rstrip("/") == prefix or other.key.startswith(prefix + "/")
        )


def parse_s3_uri(uri: str) -> S3Address:
    """Read `s3://BUCKET/KEY`; percent-encoded bytes of the key are decoded.

    Raises:
        ValueError: another scheme, a bucket's name that breaks S3's rules, a key that is too long or holds control characters,
            empty steps, "." or "..".
    """
    scheme, separator, rest = uri.partition("://")
    if scheme.lower() != "s3" or not separator:
        raise ValueError(f"{uri!r} must have the form s3://BUCKET/KEY")
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise ValueError(f"{uri!r} has the bucket {bucket!r}: S3's are 3 to 63 lower-case letters, digits, dots and hyphens")
    try:
        return S3Address(bucket, _checked(unquote(key, errors="strict"), uri))
    except UnicodeDecodeError as error:
        raise ValueError(f"{uri!r} has a key that is not UTF-8") from error


def _checked(key: str, shown: str) -> str:
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{shown!r} has a key that is not valid Unicode") from error
    if size_bytes > KEY_BYTES_MAX:
        raise ValueError(f"{shown[:80]!r}… has a key of {size_bytes:,} bytes; S3 allows {KEY_BYTES_MAX:,}")
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in key):
        raise ValueError(f"{shown!r} has a key with control characters")
    steps = key.removesuffix("/").split("/") if key else []
    if any(step in ("", ".", "..") for step in steps):
        raise ValueError(f"{shown!r} has a key with empty steps, '.' or '..', which services and tools read differently")
    return key


def check_s3_endpoint(endpoint: str) -> None:
    """Raise ValueError unless it has the form http[s]://HOST[:PORT]."""
    try:
        parts = urlsplit(endpoint)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError as error:
        raise ValueError(f"{endpoint!r} must be http[s]://HOST[:PORT]: {error}") from error
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not parts.hostname or extra or not port_is_one or not endpoint.isprintable():
        raise ValueError(f"{endpoint!r} must be http[s]://HOST[:PORT], without a path, a query or a user name")
