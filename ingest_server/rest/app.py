"""The shim as a plain ASGI app: one way in, which finds the route of every request, calls its endpoint, and answers errors.

It mounts under any path of a Starlette or FastAPI app (`root_path` is honoured). No route is written by hand: what is not an RPC
of the contract is one of the shim's own paths (probes, docs, metrics), given as a table.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from ingest.v1 import blob_service_pb2, job_service_pb2, queue_service_pb2, server_service_pb2
from ingest_server import __version__
from ingest_server.rest.byte_shapes import gives_bytes
from ingest_server.rest.cors import Cors, is_preflight
from ingest_server.rest.documentation import documentation_paths
from ingest_server.rest.errors import RestError, invalid, rest_error
from ingest_server.rest.exchange import JSON, ClientGone, Endpoint, Exchange, Receive, Scope, Send
from ingest_server.rest.metadata import read_metadata
from ingest_server.rest.openapi import openapi_document
from ingest_server.rest.options import RestOptions
from ingest_server.rest.routes import RouteTable
from ingest_server.rest.streams import Streams
from ingest_server.rest.transcode import write_message
from ingest_server.rest.unary import serve_unary
from ingest_server.rest.upstream import Upstream

log = logging.getLogger(__name__)

SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    module.DESCRIPTOR.services_by_name[name]
    for module, name in (
        (job_service_pb2, "JobService"),
        (blob_service_pb2, "BlobService"),
        (queue_service_pb2, "QueueService"),
        (server_service_pb2, "ServerService"),
    )
)
"""The contract."""
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
SOCKET_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""A WebSocket is opened with GET whatever the verb of its route."""
FORM = "application/x-www-form-urlencoded"


class RestApp:
    """The ASGI application.

    Args:
        upstream: the server; whoever made it closes it.
        options: limits.
        services: whose RPCs are served.
        own_paths: endpoints of paths that are no RPC, such as {"/healthz": …}; they answer GET and HEAD, before any
            route.
        method_endpoints: endpoints in place of the general ones, by full method name, such as the blob transfers.
        stream_endpoint: serves every other RPC that streams either way. None: those answer UNIMPLEMENTED.
        websocket_endpoint: serves WebSocket connections to routes that stream. None: they are refused.
    """

    def __init__(
        self,
        upstream: Upstream,
        options: RestOptions | None = None,
        *,
        services: Sequence[ServiceDescriptor] = SERVICES,
        own_paths: Mapping[str, Endpoint] | None = None,
        method_endpoints: Mapping[str, Endpoint] | None = None,
        stream_endpoint: Endpoint | None = None,
        websocket_endpoint: Endpoint | None = None,
    ) -> None:
        self.upstream = upstream
        self.options = options or RestOptions()
        self.routes = RouteTable(services)
        self._own_paths = dict(own_paths or {})
        self._method_endpoints = dict(method_endpoints or {})
        self._stream_endpoint = stream_endpoint or _no_streams
        self._websocket_endpoint = websocket_endpoint
        self._cors = Cors(self.options) if self.options.cors_origins else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI has it."""
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            await _lifespan(receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange | None = None
        try:
            metadata = read_metadata(scope, self.options)
            exchange = Exchange(scope, receive, send, scope["path"], self.options, self.upstream, metadata)
            exchange.headers.append((b"x-request-id", metadata.request_id.encode("latin-1")))
            if self._cors is not None:
                exchange.headers += self._cors.headers(scope["headers"])
            exchange.path = read_path(scope, self.options)
            await self._endpoint(exchange)(exchange)
        except RestError as error:
            await send_error(send, error, exchange)
        except ClientGone:
            pass
        except Exception:
            request_id = exchange.metadata.request_id if exchange is not None else ""
            log.exception("the shim failed at %s %r (request %s)", scope["method"], scope["path"], request_id)
            fault = rest_error(grpc.StatusCode.INTERNAL, "the REST shim failed; its log tells why", "INTERNAL")
            await send_error(send, fault, exchange)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._websocket_endpoint is None:
                raise invalid("no WebSocket is served here", reason="NOT_SUPPORTED")
            metadata = read_metadata(scope, self.options)
            exchange = Exchange(scope, receive, send, read_path(scope, self.options), self.options, self.upstream, metadata)
        except RestError as error:
            await receive()  # websocket.connect
            await send({"type": "websocket.close", "code": 1008, "reason": error.status.message[:100]})
            return
        exchange.headers.append((b"x-request-id", metadata.request_id.encode("latin-1")))
        # A query is a request; without one the first message is, where some verb has a body.
        verbs = SOCKET_VERBS if scope["query_string"] else (*SOCKET_VERBS[1:], SOCKET_VERBS[0])
        found = (self.routes.match(verb, exchange.path) for verb in verbs)
        exchange.match = next((match for match in found if match is not None and match.route.streaming), None)
        await self._websocket_endpoint(exchange)

    def _endpoint(self, exchange: Exchange) -> Endpoint:
        """Find who answers.

        A form by POST may stand for a GET whose query is too long for a URL, or for the verb that X-HTTP-Method-Override names.

        Raises:
            RestError: 404 for an unknown path, 501 for a wrong verb, as grpc-gateway has it.
        """
        verb: str = exchange.scope["method"]
        own = self._own_paths.get(exchange.path)
        if own is not None and verb in ("GET", "HEAD"):
            return own
        if verb == "OPTIONS" and self._cors is not None and is_preflight(verb, exchange.scope["headers"]):
            return self._preflight
        form = verb == "POST" and exchange.header(b"content-type") == FORM
        if form:
            override = exchange.header(b"x-http-method-override")
            verb, exchange.form = override.upper() or verb, bool(override)
        match = self.routes.match(verb, exchange.path)
        if match is None and form:
            match, exchange.form = self.routes.match("GET", exchange.path), True
        if match is None and verb == "HEAD":
            match = self.routes.match("GET", exchange.path)
            if match is not None and not gives_bytes(match.route):
                match = None  # grpc-gateway has no HEAD; ours is for what has a size
        if match is None:
            raise self._no_route(exchange.path)
        exchange.match = match
        special = self._method_endpoints.get(match.route.full_method)
        if special is not None:
            return special
        return self._stream_endpoint if match.route.streaming else serve_unary

    async def _preflight(self, exchange: Exchange) -> None:
        assert self._cors is not None  # asked before
        verbs = self._verbs(exchange.path)
        if not verbs:
            raise self._no_route(exchange.path)
        exchange.headers += self._cors.preflight(exchange.scope["headers"], verbs)
        await exchange.start(204, [])
        await exchange.body(b"", more=False)

    def _verbs(self, path: str) -> tuple[str, ...]:
        return ("GET", "HEAD") if path in self._own_paths else self.routes.allowed(path)

    def _no_route(self, path: str) -> RestError:
        allowed = self._verbs(path)
        if not allowed:
            return rest_error(grpc.StatusCode.NOT_FOUND, "Not Found", "NOT_SUPPORTED", metadata={"path": path})
        verbs = ", ".join(allowed)
        return rest_error(
            grpc.StatusCode.UNIMPLEMENTED, "Method Not Allowed", "NOT_SUPPORTED", headers=[(b"allow", verbs.encode("latin-1"))]
        )


def rest_app(upstream: Upstream, options: RestOptions | None = None) -> RestApp:
    """The shim for the whole contract, ready to be served or mounted.

    Args:
        upstream: the server; whoever made it closes it.
        options: limits.
    """
    streams = Streams()
    return RestApp(
        upstream,
        options,
        own_paths=documentation_paths(describe_contract),
        stream_endpoint=streams.serve,
        websocket_endpoint=streams.serve_socket,
    )


def describe_contract(own_paths: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """The OpenAPI document of the whole contract.

    Args:
        own_paths: path items of what is no RPC.
    """
    return openapi_document(RouteTable(SERVICES), title="Ingest", version=__version__, own_paths=own_paths)


def read_path(scope: Mapping[str, Any], options: RestOptions) -> str:
    """The path of a request, decoded, below the place the app is mounted at.

    Raises:
        RestError: INVALID_ARGUMENT: path and query are too long, or the path is not UTF-8.
    """
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    size = len(raw or path) + len(scope["query_string"])
    if size > options.url_bytes_max:
        raise rest_error(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"path and query have {size:,} bytes, the limit is {options.url_bytes_max:,}: send a POST with a body",
            "TOO_LARGE",
            http_status=414,
        )
    if b"%" in raw:
        if BAD_ESCAPE.search(raw):
            raise invalid('the path is not percent-encoded: write "%" as "%25"')
        try:
            path = unquote_to_bytes(raw.partition(b"?")[0]).decode("utf-8")
        except UnicodeDecodeError:
            raise invalid("the path is not UTF-8 after percent-decoding") from None
    root: str = scope.get("root_path") or ""
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        path = path[len(root) :]
    return path if path.startswith("/") else "/" + path


async def send_error(send: Send, error: RestError, exchange: Exchange | None) -> None:
    """Answer with a status, unless an answer has begun already: then the connection ends without its last piece, so that the
    client sees it was cut."""
    if exchange is None:
        body = write_message(error.status)
        headers = [JSON, (b"content-length", str(len(body)).encode()), *error.headers]
        await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    elif not exchange.started:
        await exchange.answer(error.http_status, write_message(error.status), [JSON, *error.headers])


async def _no_streams(exchange: Exchange) -> None:
    raise rest_error(
        grpc.StatusCode.UNIMPLEMENTED, "this app serves no streams", "NOT_SUPPORTED", metadata={"feature": "streams"}
    )


async def _lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start or stop: the upstream belongs to whoever made it."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
