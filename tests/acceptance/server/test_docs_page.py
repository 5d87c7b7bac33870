"""The page /docs in a real browser: drawn whole, within its own policy; links lead somewhere, a trial reaches the server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.server.devtools import Page, chromium, find_chromium
from tests.acceptance.server.server_process import ServerProcess
from tests.conftest import child_processes

TOKEN = "a-token-of-many-letters"
READY = """
    new Promise((resolve, reject) => {
        const look = () => document.documentElement.dataset.ready ? resolve(true) : setTimeout(look, 10);
        look();
    })
"""
RUN = """
    (async () => {
        const article = document.getElementById("JobService_RunJob");
        article.querySelector("details.try").open = true;
        article.querySelector("button.primary").click();
        while (!article.querySelector(".status b")) await new Promise((resolve) => setTimeout(resolve, 10));
        while (article.querySelector("button.primary").disabled) await new Promise((resolve) => setTimeout(resolve, 10));
        return [article.querySelector(".status b").textContent, article.querySelector(".answer code").textContent];
    })()
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that asks for a token, with its shim."""
    children = child_processes()
    folder = tmp_path_factory.mktemp("guarded")
    started = ServerProcess(folder, flags=["--rest-listen", "127.0.0.1:0"], variables={"INGEST_AUTH_TOKEN": TOKEN})
    try:
        yield started.start()
        assert started.stop() == 0, started.log
    finally:
        started.close()
    assert child_processes().keys() <= children.keys()


@pytest.fixture
async def page(guarded: ServerProcess, tmp_path: Path) -> AsyncIterator[Page]:
    """/docs, drawn."""
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or CHROMIUM=/path/to/it")
    folder = tmp_path / "profile"
    folder.mkdir()
    async with chromium(program, folder) as opened:
        await opened.go(guarded.rest_url + "/docs")
        assert await opened.run(READY)
        yield opened


@pytest.fixture
def described(guarded: ServerProcess) -> dict[str, Any]:
    """The document the page is drawn from."""
    found: dict[str, Any] = httpx.get(guarded.rest_url + "/openapi.json").json()
    return found


async def texts(page: Page, selector: str) -> list[str]:
    found: list[str] = await page.run(f"[...document.querySelectorAll('{selector}')].map((each) => each.textContent)")
    return found


@pytest.mark.slow
async def test_every_operation_and_schema_is_drawn(page: Page, described: dict[str, Any]) -> None:
    wanted = [operation["operationId"] for item in described["paths"].values() for operation in item.values()]
    drawn = await page.run("[...document.querySelectorAll('article')].map((each) => each.id)")
    assert sorted(drawn) == sorted(wanted)
    assert await texts(page, ".card > summary") == list(described["components"]["schemas"])
    assert await page.run("document.title") == "Ingest API"
    assert "its job is on disk (fsync)" in (await texts(page, "#JobService_SubmitJobs .prose"))[0]


@pytest.mark.slow
async def test_links_of_the_page_lead_somewhere_in_it(page: Page) -> None:
    dangling = await page.run(
        """[...document.querySelectorAll("details")].forEach((each) => { each.open = true; });
        new Promise((resolve) => setTimeout(resolve, 300)).then(() =>
            [...document.querySelectorAll("a[href^='#']")].map((link) => link.getAttribute("href").slice(1))
                .filter((name) => name && !document.getElementById(decodeURIComponent(name))))"""
    )
    assert dangling == []


@pytest.mark.slow
async def test_a_trial_is_refused_without_the_token_and_answered_with_it(page: Page) -> None:
    status, body = await page.run(RUN)
    assert status.startswith("401")
    assert "UNAUTHENTICATED" in body
    await page.run(
        f"""document.getElementById("token").value = "{TOKEN}";
        document.getElementById("token").dispatchEvent(new Event("input"))"""
    )
    await page.run("document.querySelector('#JobService_RunJob .answer').replaceChildren()")
    status, body = await page.run(RUN)
    assert status.startswith("200")
    assert '"state": "JOB_STATE_SUCCEEDED"' in body
    (curl,) = await texts(page, "#JobService_RunJob .aside .tabbed .code:not([hidden]) code")
    assert f"Authorization: Bearer {TOKEN}" in curl


@pytest.mark.slow
async def test_nothing_from_elsewhere_can_be_loaded_or_called(page: Page, guarded: ServerProcess) -> None:
    loaded = await page.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded
    assert [name for name in loaded if not name.startswith(guarded.rest_url + "/")] == []
    refused = await page.run(
        """new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), {once: true});
            fetch("http://127.0.0.1:9/").catch(() => {});
        })"""
    )
    assert refused == "connect-src"


@pytest.mark.slow
async def test_the_search_leaves_what_fits(page: Page) -> None:
    await page.run(
        """document.getElementById("search").value = "pause queue";
        document.getElementById("search").dispatchEvent(new Event("input"))"""
    )
    shown = await page.run("[...document.querySelectorAll('#index li:not([hidden])')].map((each) => each.textContent)")
    assert shown == ["POST/v1/queues/{name}:pause", "PauseQueueResponse"]
