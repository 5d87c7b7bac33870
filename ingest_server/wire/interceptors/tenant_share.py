"""Holds each tenant to its share of calls under way, so that none shuts out the others."""

from __future__ import annotations

from typing import Any

from ingest_server.wire.calls import Behaviour, Context, Method, caller
from ingest_server.wire.interceptors.admission import overloaded
from ingest_server.wire.interceptors.authentication import is_open
from ingest_server.wire.limits import LiveConfiguration


class TenantShare:
    """Counts calls under way by tenant, streams included. Tenants come from credentials, so there are as many counts as tenants
    that have a call under way now.

    Args:
        configuration: the limit; read at each call.
    """

    def __init__(self, configuration: LiveConfiguration) -> None:
        self._configuration = configuration
        self.calls: dict[str, int] = {}

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """See `Interceptor`."""
        if is_open(method):
            return inner

        async def shared(request: Any, context: Context) -> bytes | None:
            tenant = caller().tenant
            calls = self.calls
            present = calls.get(tenant, 0)
            limits = self._configuration.limits
            if present >= limits.concurrent_calls_per_tenant_max:
                most, retry_seconds = limits.concurrent_calls_per_tenant_max, limits.overload_retry_seconds
                raise overloaded("calls", most, retry_seconds, f" of tenant {tenant}")
            calls[tenant] = present + 1
            try:
                return await inner(request, context)
            finally:
                if calls[tenant] == 1:
                    del calls[tenant]
                else:
                    calls[tenant] -= 1

        return shared
