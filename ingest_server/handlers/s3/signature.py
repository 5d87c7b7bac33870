"""Signature version 4 of requests to S3, as AWS documents it ("Authenticating Requests: Using the Authorization Header").

Every header that is sent is signed. S3 differs from other services in two points, both used here: the path is percent-encoded
once, and the digest of the body travels in `x-amz-content-sha256`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_ALGORITHM = "AWS4-HMAC-SHA256"
_SERVICE = "s3"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of an account. The secret ones are not shown by `repr`.

    Attributes:
        access_key: its public half.
        secret_key: signs.
        session_token: beside keys that are lent for a time; "" for others.
    """

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def encoded_path(path: str) -> str:
    """A path percent-encoded as the signature wants it: all but letters, digits, `-._~` and `/`."""
    return quote(path, safe="/-._~")


def signed_headers(
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    body_sha256: str,
    credentials: Credentials | None,
    *,
    region: str,
    now_us: int,
) -> dict[str, str]:
    """The headers of a request, signed; without credentials those of an anonymous one.

    Args:
        method: such as "GET".
        host: as the Host header has it: with the port where it is not the scheme's.
        path: encoded, from its slash on; no query.
        headers: others to send; names in lower case.
        body_sha256: of the body, in hexadecimal digits.
        credentials: to sign with; None: anonymous.
        region: that the service is in.
        now_us: wall time; services refuse requests that are 15 minutes off.

    Returns:
        All headers to send but Content-Length, names in lower case.
    """
    sent = {**headers, "host": host, "x-amz-content-sha256": body_sha256}
    if credentials is None:
        return sent
    moment = datetime.fromtimestamp(now_us // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    sent["x-amz-date"] = moment
    if credentials.session_token:
        sent["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{' '.join(sent[name].split())}\n" for name in sorted(sent))
    canonical = "\n".join((method, path, "", lines, names, body_sha256))
    scope = f"{moment[:8]}/{region}/{_SERVICE}/aws4_request"
    to_sign = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (moment[:8], region, _SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    sent["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return sent
