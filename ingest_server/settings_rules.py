"""Rules that tie several settings together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest_server.configuration.declaration import Fault
from ingest_server.configuration.rest_fields import rest_faults
from ingest_server.domain.address import is_near, parse_listen
from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.embed_rules import HASHING, EmbedModels, named
from ingest_server.domain.s3_address import check_s3_endpoint
from ingest_server.domain.source_rules import SourceRules
from ingest_server.domain.store_target import StoreRules
from ingest_server.domain.webhook import SigningKeys

AUTH_TOKEN_CHARACTERS_MIN = 16
"""Sixteen random letters and digits are about 80 bits: beyond guessing over a network."""


def auth_is_on(values: Mapping[str, Any]) -> bool:
    """Whether callers must prove who they are."""
    return bool(values["tokens_file"] or values["auth_token"] or values["tls_client_ca"])


def faults_between(values: Mapping[str, Any]) -> list[Fault]:
    """Find the rules over several settings that are broken, all of them. `values`: every setting by name."""
    return [
        *_address_faults(values),
        *_security_faults(values),
        *_callback_faults(values),
        *_target_faults(values),
        *_source_faults(values),
        *_embed_faults(values),
        *_order_faults(values),
        *rest_faults(values),
    ]


def _address_faults(values: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for name in ("listen", "metrics_listen"):
        value = values[name]
        if name == "metrics_listen" and not value:
            continue
        try:
            address = parse_listen(value)
        except ValueError as error:
            faults.append(Fault("settings", name, value, str(error)))
            continue
        if name == "metrics_listen" and address.path:
            faults.append(Fault("settings", name, value, "must be HOST:PORT: Prometheus reads no Unix socket"))
    for name in ("listen", "rest_listen"):
        value = values[name]
        if not (is_near(value) or auth_is_on(values) or values["insecure_listen_anywhere"]):
            rule = (
                "is reachable from other machines while authentication is off: whoever reaches it may run jobs. Set tokens_file, "
                "auth_token or tls_client_ca; or listen on 127.0.0.1; or say insecure_listen_anywhere"
            )
            faults.append(Fault("settings", name, value, rule))
    return faults


def _security_faults(values: Mapping[str, Any]) -> list[Fault]:
    faults = []
    if bool(values["tls_cert"]) != bool(values["tls_key"]):
        missing = "tls_key" if values["tls_cert"] else "tls_cert"
        present = "tls_cert" if values["tls_cert"] else "tls_key"
        faults.append(Fault("settings", missing, "", f"must be set together with {present}"))
    if values["tls_client_ca"] and not values["tls_cert"]:
        faults.append(
            Fault("settings", "tls_client_ca", values["tls_client_ca"], "needs tls_cert and tls_key: mTLS is a form of TLS")
        )
    if values["rest_listen"] and values["tls_client_ca"] and not (values["tokens_file"] or values["auth_token"]):
        rule = "serves nobody: callers over HTTP show no client certificate to the server. Set tokens_file or auth_token too"
        faults.append(Fault("settings", "rest_listen", values["rest_listen"], rule))
    if 0 < len(values["auth_token"]) < AUTH_TOKEN_CHARACTERS_MIN:
        rule = f"must have at least {AUTH_TOKEN_CHARACTERS_MIN} characters: shorter ones can be guessed"
        faults.append(Fault("settings", "auth_token", "********", rule))
    return faults


def _callback_faults(values: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for name in ("callback_hosts", "callback_networks"):
        for entry in values[name]:
            try:
                CallbackRules(**{name.removeprefix("callback_"): (entry,)})
            except ValueError as error:
                faults.append(Fault("settings", name, entry, str(error)))
    try:
        keys = SigningKeys(values["callback_secrets"])
    except ValueError as error:
        return [*faults, Fault("settings", "callback_secrets", "********", str(error))]
    if values["callback_hosts"] and not keys.has_common:
        rule = "must hold a secret for all tenants (whsec_…) where callback_hosts is set: receivers trust nothing unsigned"
        faults.append(Fault("settings", "callback_secrets", None, rule))
    return faults


def _embed_faults(values: Mapping[str, Any]) -> list[Fault]:
    faults = []
    try:
        keys = named(values["embed_keys"], "KEY")
    except ValueError as error:
        return [Fault("settings", "embed_keys", "********", str(error))]
    for name in ("embed_endpoints", "embed_local_models"):
        try:
            EmbedModels.read(HASHING, *((values[name], ()) if name == "embed_endpoints" else ((), values[name])))
        except ValueError as error:
            # Without the value: who writes a key into a URL shall not find it in a log.
            faults.append(Fault("settings", name, None, str(error)))
    if faults:
        return faults
    models = EmbedModels.read(HASHING, values["embed_endpoints"], values["embed_local_models"])
    if fault := models.fault_of(values["embed_model"]):
        faults.append(Fault("settings", "embed_model", values["embed_model"], fault))
    for name, key in keys.items():
        if name not in models.endpoints:
            faults.append(Fault("settings", "embed_keys", None, f"has a key for {name!r}, which embed_endpoints does not name"))
        elif not (key.isascii() and key.isprintable()):
            faults.append(Fault("settings", "embed_keys", None, f"has a key for {name!r} that is not printable ASCII"))
    return faults


def _target_faults(values: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for entry in values["store_targets"]:
        try:
            StoreRules((entry,))
        except ValueError as error:
            faults.append(Fault("settings", "store_targets", entry, f"must be a folder or s3://BUCKET/PREFIX: {error}"))
    if values["s3_endpoint"]:
        try:
            check_s3_endpoint(values["s3_endpoint"])
        except ValueError:
            rule = "must be http[s]://HOST[:PORT], without a path, a query or a user name"
            faults.append(Fault("settings", "s3_endpoint", values["s3_endpoint"], rule))
    if not re.fullmatch(r"[a-z0-9-]{1,64}", values["s3_region"]):
        faults.append(Fault("settings", "s3_region", values["s3_region"], "must be a region such as eu-central-1"))
    return faults


def _source_faults(values: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for name in ("source_roots", "source_hosts", "source_networks", "source_buckets"):
        for entry in values[name]:
            try:
                SourceRules(**{name.removeprefix("source_"): (entry,)})
            except ValueError as error:
                faults.append(Fault("settings", name, entry, str(error)))
    for name in ("data_dir", "tokens_file", "tls_key"):
        for root in values["source_roots"]:
            if values[name] and Path(values[name]).resolve().is_relative_to(Path(root).resolve()):
                rule = f"holds {name} ({values[name]}), which every job could then read: choose a folder beside it"
                faults.append(Fault("settings", "source_roots", root, rule))
    return faults


_ORDERED = (
    ("retry_backoff_initial_seconds", "retry_backoff_max_seconds"),
    ("inline_bytes_max", "response_bytes_max"),
    ("response_bytes_max", "message_bytes_max"),
    ("message_bytes_max", "store_pending_bytes_max"),
    ("inline_bytes_max", "result_bytes_max"),
    ("callback_backoff_initial_seconds", "callback_backoff_max_seconds"),
    ("callback_connect_seconds", "callback_attempt_seconds"),
    ("source_connect_seconds", "source_seconds_max"),
    ("callback_concurrent_per_host_max", "callback_concurrent_max"),
    ("read_member_bytes_max", "read_members_bytes_max"),
    ("read_office_part_bytes_max", "read_office_bytes_max"),
)
"""Pairs of which the first must not exceed the second."""


def _order_faults(values: Mapping[str, Any]) -> list[Fault]:
    return [
        Fault("settings", low, values[low], f"must not exceed {high} ({values[high]:,})")
        for low, high in _ORDERED
        if values[low] > values[high]
    ]
