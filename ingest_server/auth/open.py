"""Authentication switched off: everybody is the default tenant, and may do everything."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_server.auth.interface import Authenticator, PeerCertificate
from ingest_server.domain.caller import OPEN_CALLER, Caller


class OpenAuthenticator(Authenticator):
    """Lets everybody in. For servers that only their own machine can reach."""

    def authenticate(self, metadata: Mapping[str, str], peer_certificate: PeerCertificate | None) -> Caller:
        """Answer the default caller, whatever was sent: a client that has a token need not know that none is wanted."""
        return OPEN_CALLER
