"""Signatures of callbacks, after Standard Webhooks (https://www.standardwebhooks.com).

The signed text is `webhook-id.webhook-timestamp.body`; a signature is `v1,` and the base64 of its HMAC-SHA256; several, separated
by spaces, let a receiver pass over from an old secret to a new one. A secret is written `whsec_` and the base64 of 24 … 64 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence

SECRET_PREFIX = "whsec_"
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
_TENANT_SECRET = re.compile(r"(?:([^=:]{1,255}):)?(whsec_.*)", re.DOTALL)
_NAME = re.compile(r"msg_([0-9a-f]{32})_([0-9a-f]{1,16})")


def parse_secret(text: str) -> bytes:
    """The key of a secret. Raises ValueError, which does not show it."""
    encoded = text.removeprefix(SECRET_PREFIX)
    if encoded == text:
        raise ValueError(f"a secret must begin with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a secret must be base64 behind {SECRET_PREFIX}") from None
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise ValueError(f"a secret must hold {SECRET_BYTES_MIN} … {SECRET_BYTES_MAX} bytes, not {len(key)}")
    return key


class SigningKeys:
    """The secrets of one server.

    Args:
        secrets: entries `whsec_…`, for all tenants that have none of their own, or `TENANT:whsec_…`. All that apply sign.

    Raises:
        ValueError: an entry is wrong; it is not shown.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._by_tenant: dict[str, list[bytes]] = {}
        for entry in secrets:
            match = _TENANT_SECRET.fullmatch(entry)
            if match is None:
                raise ValueError(f"a secret must be {SECRET_PREFIX}… or TENANT:{SECRET_PREFIX}…")
            self._by_tenant.setdefault(match[1] or "", []).append(parse_secret(match[2]))

    @property
    def has_common(self) -> bool:
        """Whether every tenant has a secret."""
        return "" in self._by_tenant

    def sign(self, tenant: str, message_id: str, timestamp_seconds: int, body: bytes) -> Mapping[str, str]:
        """The headers of a message of a tenant."""
        keys = self._by_tenant.get(tenant) or self._by_tenant.get("", [])
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp_seconds),
            "webhook-signature": " ".join(signature(key, message_id, timestamp_seconds, body) for key in keys),
        }


def signature(key: bytes, message_id: str, timestamp_seconds: int, body: bytes) -> str:
    """One signature."""
    signed = f"{message_id}.{timestamp_seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")


def message_id(job_id: bytes, number: int) -> str:
    """The `webhook-id` of a delivery: the same for every attempt, another for every other delivery of any server."""
    return f"msg_{job_id.hex()}_{number:x}"


def parse_message_id(text: str) -> tuple[bytes, int]:
    """(job_id, number of the delivery). Raises ValueError for what `message_id` did not make."""
    match = _NAME.fullmatch(text)
    if match is None or int(match[2], 16) >> 63:
        raise ValueError("must be the delivery_id of a delivery, msg_…")
    return bytes.fromhex(match[1]), int(match[2], 16)
