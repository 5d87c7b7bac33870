"""Who calls: the outcome of authentication, handed to every use case.

It lives here because the use cases need it and must not know how it was found out.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest_server.domain.job import DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        tenant: owner of the jobs this caller submits and sees. Never taken from a request.
        principal: which person or program, for logs; never a secret.
        admin: may change what all tenants share: queues, workers.
    """

    tenant: str = DEFAULT_TENANT
    principal: str = "anonymous"
    admin: bool = False


OPEN_CALLER = Caller(admin=True)
"""Everybody, where authentication is off: such a server listens on loopback only, unless told otherwise."""
