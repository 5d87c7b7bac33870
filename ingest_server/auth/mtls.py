"""Client certificates: TLS has verified them, here their names become callers."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_server.auth.interface import Authenticator, PeerCertificate
from ingest_server.domain.caller import Caller
from ingest_server.domain.errors import Denied


class ClientCertificates(Authenticator):
    """Knows callers by the names in their certificates.

    Args:
        callers: name → caller. Empty: every certificate of an accepted authority is the default tenant, without admin rights,
            and its first name is the principal.
    """

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = dict(callers)

    def replace(self, callers: Mapping[str, Caller]) -> None:
        """Know these names from now on, and no others."""
        self._callers = dict(callers)

    def authenticate(self, metadata: Mapping[str, str], peer_certificate: PeerCertificate | None) -> Caller:
        """Answer the caller of the first known name: alternative names in order, then the common name (RFC 6125, section 6.4.4:
        the common name is the last resort). Raises Denied."""
        if peer_certificate is None:
            raise Denied("a client certificate is missing: connect with one that this server's authorities have signed")
        names = [name for name in (*peer_certificate.alternative_names, peer_certificate.common_name) if name]
        if not self._callers and names:
            return Caller(principal=names[0])
        for name in names:
            if name in self._callers:
                return self._callers[name]
        raise Denied(f"no caller is known by the names of this certificate: {', '.join(names[:8]) or 'it has none'}")
