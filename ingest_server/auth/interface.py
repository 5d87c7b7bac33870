"""What every authenticator promises: it turns credentials into a `Caller`, or refuses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from ingest_server.domain.caller import Caller


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """The client certificate of a connection, *already verified* against the accepted authorities by TLS.

    Attributes:
        common_name: CN of the subject; "" if it has none.
        alternative_names: subject alternative names (DNS names, URIs, e-mail addresses), in the certificate's order.
    """

    common_name: str = ""
    alternative_names: tuple[str, ...] = ()


class Authenticator(ABC):
    """Finds out who calls. Called for every call: must be quick, must not wait, must not log what it was given."""

    @abstractmethod
    def authenticate(self, metadata: Mapping[str, str], peer_certificate: PeerCertificate | None) -> Caller:
        """Find out who calls.

        Args:
            metadata: the call's metadata, keys in lower case, text values only; of a repeated key the last value.
            peer_certificate: None on a connection without TLS, or where the client sent no certificate.

        Raises:
            Denied: UNAUTHENTICATED, credentials are missing or wrong. The message tells what was wanted, never what was given.
        """
