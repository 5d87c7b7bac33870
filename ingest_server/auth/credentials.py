"""The tokens file: who is known by which token or certificate, and what each tenant may use.

    [tenants.acme]                      # optional: a tenant without a table has no quota
    live_jobs_max = 100000
    submit_rate_per_second = 5000
    weight = 2
    running_max = 8

    [[tokens]]
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"   # of the token; or:  token = "the token itself"
    tenant = "acme"
    principal = "nightly import"        # for logs
    admin = false

    [[certificates]]                    # for tls_client_ca
    name = "batch.acme.example"         # a subject alternative name, or the common name
    tenant = "acme"

All faults of a file are reported together.
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest_server.domain.caller import Caller
from ingest_server.domain.tenant import TenantQuota

FILE_BYTES_MAX = 16 * 1024 * 1024
"""About a hundred thousand tokens; who has more wants another authenticator."""
TOKEN_CHARACTERS_MIN = 16
TENANT_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class CredentialsError(ValueError):
    """The tokens file cannot be used. `faults` lists everything that is wrong with it; no line shows a token."""

    def __init__(self, source: str, faults: list[str]) -> None:
        self.faults = tuple(f"{source}: {fault}" for fault in faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who is known, and what tenants may use.

    Attributes:
        tokens: sha256 of the token (32 bytes) → caller.
        certificates: name in the certificate → caller.
        quotas: tenant → quota; a tenant that is not here has none.
    """

    tokens: Mapping[bytes, Caller] = field(default_factory=dict)
    certificates: Mapping[str, Caller] = field(default_factory=dict)
    quotas: Mapping[str, TenantQuota] = field(default_factory=dict)


def token_digest(token: str) -> bytes:
    """The form in which tokens are kept. Plain sha256 is enough for tokens of full entropy; passwords do not belong here."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def load_credentials(path: Path) -> Credentials:
    """Read a tokens file. Raises CredentialsError with all of its faults."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes > FILE_BYTES_MAX:
            raise CredentialsError(str(path), [f"has {size_bytes:,} bytes; at most {FILE_BYTES_MAX:,} are read"])
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except CredentialsError:
        raise
    except OSError as error:
        raise CredentialsError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise CredentialsError(str(path), [f"is not TOML in UTF-8: {error}"]) from None
    return parse_credentials(table, source=str(path))


def parse_credentials(table: Mapping[str, Any], *, source: str) -> Credentials:
    """Make credentials of a parsed tokens file. Raises CredentialsError with all of its faults."""
    faults = [f"{name} is unknown; known are tenants, tokens, certificates" for name in table.keys() - _SECTIONS]
    quotas = _quotas(table.get("tenants", {}), faults)
    tokens: dict[bytes, Caller] = {}
    for where, entry in _entries(table, "tokens", faults):
        digest = _digest(where, entry, faults)
        if digest in tokens:
            faults.append(f"{where} is the same token as an earlier one")
        tokens[digest] = _caller(where, entry, {"token", "sha256"}, faults)
    certificates: dict[str, Caller] = {}
    for where, entry in _entries(table, "certificates", faults):
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            faults.append(f"{where}.name must be a name in the certificate")
            continue
        if name in certificates:
            faults.append(f"{where}.name {name!r} was named before")
        certificates[name] = _caller(where, entry, {"name"}, faults)
    if faults:
        raise CredentialsError(source, faults)
    return Credentials(tokens, certificates, quotas)


_SECTIONS = {"tenants", "tokens", "certificates"}


def _entries(table: Mapping[str, Any], section: str, faults: list[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """The tables of a [[section]], each with its place for messages."""
    entries = table.get(section, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        faults.append(f"{section} must be written as [[{section}]] tables")
        return []
    return [(f"{section}[{index}]", entry) for index, entry in enumerate(entries)]


def _digest(where: str, entry: Mapping[str, Any], faults: list[str]) -> bytes:
    token, digest = entry.get("token"), entry.get("sha256")
    if (token is None) == (digest is None):
        faults.append(f"{where} must have either token or sha256")
        return b""
    if token is not None:
        if not isinstance(token, str) or len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or not token.isprintable():
            faults.append(f"{where}.token must be at least {TOKEN_CHARACTERS_MIN} printable ASCII characters")
            return b""
        return token_digest(token)
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        faults.append(f"{where}.sha256 must be 64 lower-case hexadecimal digits")
        return b""
    return bytes.fromhex(digest)


def _caller(where: str, entry: Mapping[str, Any], own_keys: set[str], faults: list[str]) -> Caller:
    for name in sorted(entry.keys() - own_keys - {"tenant", "principal", "admin"}):
        faults.append(f"{where}.{name} is unknown")
    tenant, principal, admin = entry.get("tenant"), entry.get("principal", where), entry.get("admin", False)
    if not isinstance(tenant, str) or not TENANT_NAME.fullmatch(tenant):
        faults.append(f"{where}.tenant must match {TENANT_NAME.pattern}, not {tenant!r}")
    if not isinstance(principal, str) or not 0 < len(principal) <= 255:
        faults.append(f"{where}.principal must be a text of 1 to 255 characters")
    if not isinstance(admin, bool):
        faults.append(f"{where}.admin must be true or false, not {admin!r}")
    return Caller(str(tenant), str(principal), admin is True)


_QUOTA_LIMITS: Mapping[str, tuple[type, float]] = {
    "live_jobs_max": (int, 0),
    "submit_rate_per_second": (float, 0),
    "weight": (int, 1),
    "running_max": (int, 0),
}
"""Field of TenantQuota → its type and least value."""


def _quotas(tenants: Any, faults: list[str]) -> dict[str, TenantQuota]:
    quotas: dict[str, TenantQuota] = {}
    if not isinstance(tenants, dict):
        faults.append("tenants must be written as [tenants.NAME] tables")
        return quotas
    for tenant, values in tenants.items():
        if not TENANT_NAME.fullmatch(tenant):
            faults.append(f"tenants: a name must match {TENANT_NAME.pattern}, not {tenant!r}")
        if not isinstance(values, dict):
            faults.append(f"tenants.{tenant} must be a table")
            continue
        found = len(faults)
        for name, value in values.items():
            _check_quota(f"tenants.{tenant}", name, value, faults)
        if len(faults) == found:
            quotas[tenant] = TenantQuota(**values)
    return quotas


def _check_quota(where: str, name: str, value: Any, faults: list[str]) -> None:
    if name not in _QUOTA_LIMITS:
        faults.append(f"{where}.{name} is unknown; known are {', '.join(_QUOTA_LIMITS)}")
        return
    kind, least = _QUOTA_LIMITS[name]
    wanted = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted) or not math.isfinite(value) or value < least:
        noun = "a whole number" if kind is int else "a number"
        faults.append(f"{where}.{name} must be {noun} of at least {least}, not {value!r}")
