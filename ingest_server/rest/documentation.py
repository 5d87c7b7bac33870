"""Serves /openapi.json and the documentation page at /docs, which loads nothing from anywhere else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

from ingest_server.rest.exchange import Endpoint, Exchange

OPENAPI_PATH = "/openapi.json"
PAGE_PATH = "/docs"
PAGE_FILES: Mapping[str, str] = {
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("main.js", "elements.js", "schema.js", "samples.js", "operation.js", "trial.js"), "text/javascript; charset=utf-8"
    ),
}
"""Files of the page by name, below `PAGE_PATH`."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page may load its own files and call its own origin, nothing else; it runs no inline script and stands in no frame."""
_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def documentation_paths(describe: Callable[[], Mapping[str, Any]]) -> dict[str, Endpoint]:
    """Endpoints of the description and its page, by path.

    Args:
        describe: makes the OpenAPI document without `servers`, which name the place where the app is mounted. Called when it is
            first asked for: most shims never are.
    """
    static = resources.files("ingest_server.rest") / "static"
    page = (static / "index.html").read_bytes()
    paths = {OPENAPI_PATH: _described(describe), PAGE_PATH: _file(page, "text/html; charset=utf-8")}
    for name, media_type in PAGE_FILES.items():
        paths[f"{PAGE_PATH}/{name}"] = _file((static / name).read_bytes(), media_type)
    return paths


def _described(describe: Callable[[], Mapping[str, Any]]) -> Endpoint:
    written: dict[str, Endpoint] = {}

    async def endpoint(exchange: Exchange) -> None:
        root = str(exchange.scope.get("root_path") or "/")
        if root not in written:
            written.clear()  # an app is mounted in one place as a rule; a caller must not fill the memory with others
            data = json.dumps({**describe(), "servers": [{"url": root}]}, ensure_ascii=False, separators=(",", ":"))
            written[root] = _file(data.encode(), "application/json")
        await written[root](exchange)

    return endpoint


def _file(data: bytes, media_type: str) -> Endpoint:
    """Answers bytes that stay the same while the process lives; a client that has them already gets 304."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = ((b"etag", tag.encode()), (b"cache-control", b"no-cache"), *_HEADERS)

    async def endpoint(exchange: Exchange) -> None:
        known = [each.strip().removeprefix("W/") for each in exchange.header(b"if-none-match").split(",")]
        if tag in known or "*" in known:
            await exchange.start(304, headers)
            await exchange.body(b"", more=False)
            return
        await exchange.answer(200, data, ((b"content-type", media_type.encode()), *headers))

    return endpoint
