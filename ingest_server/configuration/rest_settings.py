"""All settings of one REST shim: what it shares with `ingest-server`, and what it must know where it stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ingest_server.configuration.declaration import HOUR_SECONDS, Fault, SettingsError, own_faults, setting
from ingest_server.configuration.rest_fields import RestFields, rest_faults
from ingest_server.configuration.sources import Program, Sources
from ingest_server.domain.address import is_near, parse_listen


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSettings(RestFields):
    """The configuration of one shim. Values are checked when it is made: SettingsError names all faults at once."""

    rest_upstream: str = setting("127.0.0.1:50051", "The gRPC server behind it: HOST:PORT or unix:PATH.")
    rest_listen: str = setting("127.0.0.1:8080", "Where to serve HTTP: HOST:PORT (port 0 picks one).")
    rest_insecure_listen_anywhere: bool = setting(
        False, "Serve beyond loopback although the server behind is on loopback, where it may run without authentication."
    )
    rest_upstream_tls: bool = setting(False, "Speak TLS to the server behind, trusting the system's authorities.")
    rest_upstream_ca: str = setting("", "PEM file with the authorities to trust instead. Turns TLS on.")
    rest_upstream_cert: str = setting("", "PEM file with a client certificate chain for a server that wants one (mTLS).")
    rest_upstream_key: str = setting("", "PEM file with the private key of upstream_cert.")
    rest_upstream_name: str = setting("", "Name to expect in the server's certificate where it is not the host of upstream.")
    rest_upstream_metrics: str = setting(
        "", "Where the server behind serves its metrics (HOST:PORT or unix:PATH): /metrics shows them below the shim's own."
    )
    rest_drain_seconds: float = setting(
        30.0,
        "At SIGTERM requests under way get so long to end; streams are told to go elsewhere at once.",
        least=0,
        most=HOUR_SECONDS,
    )
    rest_log_level: str = setting("info", "Least severe lines logged.", choices=("debug", "info", "warning", "error"))
    rest_log_format: str = setting(
        "json", "Form of the lines on stderr: json for machines, text for people.", choices=("json", "text")
    )

    def __post_init__(self) -> None:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        faults = rest_faults(values) + _upstream_faults(values) + own_faults(fields(self), values)
        if faults:
            raise SettingsError(faults)

    @property
    def upstream_tls_on(self) -> bool:
        """Whether the connection to the server behind is encrypted."""
        return self.rest_upstream_tls or bool(self.rest_upstream_ca or self.rest_upstream_cert)


def _upstream_faults(values: Mapping[str, Any]) -> list[Fault]:
    faults = []
    for name in ("rest_listen", "rest_upstream", "rest_upstream_metrics"):
        if not values[name] and name != "rest_upstream_metrics":
            faults.append(Fault("settings", name, "", "must be set"))
        elif values[name] and name != "rest_listen":
            try:
                parse_listen(values[name])
            except ValueError as error:
                faults.append(Fault("settings", name, values[name], str(error)))
    if bool(values["rest_upstream_cert"]) != bool(values["rest_upstream_key"]):
        missing = "rest_upstream_key" if values["rest_upstream_cert"] else "rest_upstream_cert"
        faults.append(Fault("settings", missing, "", "is one half of a pair: set upstream_cert and upstream_key together"))
    if not (is_near(values["rest_listen"]) or not is_near(values["rest_upstream"]) or values["rest_insecure_listen_anywhere"]):
        # A server that is itself reachable from elsewhere had to decide on authentication; one on loopback had not.
        rule = (
            "is reachable from other machines, and the server behind is on loopback, where it may run without authentication: "
            "listen on 127.0.0.1; or, when the server has tokens or is meant for everybody, say insecure_listen_anywhere"
        )
        faults.append(Fault("settings", "rest_listen", values["rest_listen"], rule))
    return faults


REST_SOURCES = Sources(
    RestSettings,
    Program(
        name="ingest-rest",
        usage="ingest-rest --upstream HOST:PORT [--listen HOST:PORT] [other flags]",
        description="Serves REST, server-sent events and WebSockets in front of a gRPC server of Ingest.",
        variable_prefix="INGEST_REST_",
        field_prefix="rest_",
    ),
)
