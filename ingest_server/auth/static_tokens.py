"""Bearer tokens from a fixed list: `authorization: Bearer TOKEN`.

Only sha256 digests are kept. To find one without walking the list, and without telling by timing how much of a guess was right,
the table is keyed by a digest under a key of this process (the "double HMAC" of timing-safe comparison); the final comparison is
constant-time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from ingest_server.auth.credentials import token_digest
from ingest_server.auth.interface import Authenticator, PeerCertificate
from ingest_server.domain.caller import Caller
from ingest_server.domain.errors import Denied

METADATA_KEY = "authorization"
TOKEN_CHARACTERS_MAX = 4_096


class StaticTokens(Authenticator):
    """Knows a list of tokens.

    Args:
        tokens: sha256 of the token (32 bytes) → caller.
    """

    def __init__(self, tokens: Mapping[bytes, Caller]) -> None:
        self._key = secrets.token_bytes(32)
        self._callers: dict[bytes, tuple[bytes, Caller]] = {}
        self.replace(tokens)

    def replace(self, tokens: Mapping[bytes, Caller]) -> None:
        """Know these tokens from now on, and no others. Calls under way are not asked again."""
        self._callers = {self._place(digest): (digest, caller) for digest, caller in tokens.items()}

    def authenticate(self, metadata: Mapping[str, str], peer_certificate: PeerCertificate | None) -> Caller:
        """Answer the caller whose token was sent. Raises Denied."""
        value = metadata.get(METADATA_KEY)
        if value is None:
            raise Denied("credentials are missing: send metadata 'authorization: Bearer TOKEN'")
        scheme, _, token = value.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 0 < len(token) <= TOKEN_CHARACTERS_MAX:
            raise Denied("the authorization metadata is malformed: it must read 'Bearer TOKEN'")
        digest = token_digest(token)
        known, caller = self._callers.get(self._place(digest), (b"", None))
        if caller is None or not hmac.compare_digest(known, digest):
            raise Denied("the bearer token is unknown: it may be mistyped or withdrawn")
        return caller

    def _place(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._key, digest_size=32).digest()
