"""Finds out who calls, and leaves it for the servicers in `CALLER`."""

from __future__ import annotations

from typing import Any

from ingest_server.auth.interface import Authenticator, PeerCertificate
from ingest_server.wire.calls import CALLER, Behaviour, Context, Method

OPEN_SERVICES = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
)
"""Served to everybody. Probes carry no credentials; reflection tells the public contract and nothing of any tenant."""


def is_open(method: Method) -> bool:
    """Whether a method is served without credentials. It must not ask who calls."""
    return method.service in OPEN_SERVICES


class Authentication:
    """Asks the authenticator.

    Args:
        authenticator: who knows callers; raises Denied for the rest.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """See `Interceptor`."""
        if is_open(method):
            return inner
        authenticate = self._authenticator.authenticate

        async def authenticated(request: Any, context: Context) -> bytes | None:
            metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
            CALLER.set(authenticate(metadata, peer_certificate(context)))
            return await inner(request, context)

        return authenticated


def peer_certificate(context: Context) -> PeerCertificate | None:
    """The client's certificate as TLS has verified it; None without one."""
    facts = context.auth_context()
    if not facts:
        return None
    names = tuple(_text(name) for name in facts.get("x509_subject_alternative_name", ()))
    common = facts.get("x509_common_name", ())
    if not names and not common:
        return None
    return PeerCertificate(_text(next(iter(common))) if common else "", names)


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
