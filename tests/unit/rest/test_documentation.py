"""/openapi.json and /docs as a browser gets them: whole, from this place only, cached by tag."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from ingest_server.rest.app import RestApp, rest_app
from ingest_server.rest.documentation import PAGE_FILES
from ingest_server.rest.upstream import Upstream

ORIGIN = "http://shim"


async def get(path: str, *, root: str = "", method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
    """Ask an app whose server nobody needs."""
    upstream = Upstream("127.0.0.1:1")
    try:
        transport = httpx.ASGITransport(rest_app(upstream), root_path=root)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            return await client.request(method, path, headers=headers)
    finally:
        await upstream.close()


async def test_the_description_names_the_place_it_is_mounted_at() -> None:
    assert (await get("/openapi.json")).json()["servers"] == [{"url": "/"}]
    assert (await get("/api/openapi.json", root="/api")).json()["servers"] == [{"url": "/api"}]


async def test_the_description_is_told_by_its_media_type_and_not_sent_twice() -> None:
    first = await get("/openapi.json")
    assert first.headers["content-type"] == "application/json"
    again = await get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    weak = await get("/openapi.json", headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert weak.status_code == 304
    other = await get("/openapi.json", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


async def test_a_head_request_has_no_body() -> None:
    answer = await get("/docs", method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 500


@pytest.mark.parametrize("name", ["", *PAGE_FILES])
async def test_the_page_loads_nothing_from_elsewhere(name: str) -> None:
    answer = await get(f"/docs/{name}".removesuffix("/"))
    assert answer.status_code == 200
    text = answer.text
    loaded = re.findall(r"""(?:src|href)="([^"#]*)"|url\(([^)]*)\)|@import|from "([^"]+)"|import\("([^"]+)"\)""", text)
    places = [place for found in loaded for place in found if place]
    assert [place for place in places if "//" in place or place.startswith("/")] == []


async def test_the_page_may_only_use_its_own_files() -> None:
    answer = await get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    inline = re.findall(r"<style|<script(?![^>]*\bsrc=)|\bon\w+=|\bstyle=", answer.text)
    assert inline == [], "the policy would not let it run"


async def test_files_that_the_page_names_are_served_as_what_they_are() -> None:
    page = (await get("/docs")).text
    named = set(re.findall(r'(?:src|href)="docs/([^"]+)"', page))
    scripts = {name for name in PAGE_FILES if name.endswith(".js")}
    for script in scripts:
        named |= set(re.findall(r"""(?:from |import\()"\./([^"]+)\"""", (await get(f"/docs/{script}")).text))
    assert named == set(PAGE_FILES), "every file is used, and what is used is there"
    assert (await get("/docs/main.js")).headers["content-type"].startswith("text/javascript")


async def test_other_files_are_not_served() -> None:
    for path in ("/docs/index.html", "/docs/../app.py", "/docs/%2e%2e/app.py", "/docs/"):
        assert (await get(path)).status_code == 404


async def test_a_wrong_verb_is_told() -> None:
    answer = await get("/docs", method="POST")
    assert answer.status_code == 501
    assert answer.headers["allow"] == "GET, HEAD"


def test_an_app_may_go_without_documentation() -> None:
    nobody: Any = None
    assert RestApp(nobody).routes.match("GET", "/docs") is None
