"""The authenticator and the credentials that a configuration asks for, and how they are read again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ingest_server.auth.credentials import Credentials, load_credentials, token_digest
from ingest_server.auth.interface import Authenticator, PeerCertificate
from ingest_server.auth.mtls import ClientCertificates
from ingest_server.auth.open import OpenAuthenticator
from ingest_server.auth.static_tokens import METADATA_KEY, StaticTokens
from ingest_server.domain.caller import Caller


class TokensOrCertificates(Authenticator):
    """A token where one was sent, else the certificate: a person with a token may come over a machine's certificate."""

    def __init__(self, tokens: StaticTokens, certificates: ClientCertificates) -> None:
        self._tokens = tokens
        self._certificates = certificates

    def authenticate(self, metadata: Mapping[str, str], peer_certificate: PeerCertificate | None) -> Caller:
        """Answer the caller. A wrong token is refused, even beside a good certificate. Raises Denied."""
        if METADATA_KEY in metadata:
            return self._tokens.authenticate(metadata, peer_certificate)
        return self._certificates.authenticate(metadata, peer_certificate)


class ConfiguredAuthentication:
    """Holds the authenticator that the settings ask for, and the credentials it knows.

    Args:
        tokens_file: path of the tokens file; "" for none.
        auth_token: one more token, of the default tenant, with admin rights; "" for none.
        client_certificates: whether TLS verifies client certificates.

    Raises:
        CredentialsError: the tokens file cannot be used.
    """

    def __init__(self, *, tokens_file: str, auth_token: str, client_certificates: bool) -> None:
        self._tokens_file = tokens_file
        self._auth_token = auth_token
        self.credentials = self._read()
        self._tokens = StaticTokens(self.credentials.tokens)
        self._certificates = ClientCertificates(self.credentials.certificates)
        self.authenticator: Authenticator
        if client_certificates and (tokens_file or auth_token):
            self.authenticator = TokensOrCertificates(self._tokens, self._certificates)
        elif client_certificates:
            self.authenticator = self._certificates
        elif tokens_file or auth_token:
            self.authenticator = self._tokens
        else:
            self.authenticator = OpenAuthenticator()

    def reload(self, *, auth_token: str) -> Credentials:
        """Read the tokens file again and know what it says from now on. Raises CredentialsError; then nothing has changed."""
        self._auth_token, earlier = auth_token, self._auth_token
        try:
            self.credentials = self._read()
        except ValueError:
            self._auth_token = earlier
            raise
        self._tokens.replace(self.credentials.tokens)
        self._certificates.replace(self.credentials.certificates)
        return self.credentials

    def _read(self) -> Credentials:
        credentials = load_credentials(Path(self._tokens_file)) if self._tokens_file else Credentials()
        if not self._auth_token:
            return credentials
        tokens = {**credentials.tokens, token_digest(self._auth_token): Caller(principal="auth_token", admin=True)}
        return Credentials(tokens, credentials.certificates, credentials.quotas)
