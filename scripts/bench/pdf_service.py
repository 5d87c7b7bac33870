"""Text of PDFs, pages a second: through the whole service with two workers, against a bare pypdfium2 loop in two processes."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ingest_client import BlockingClient, JobSpec, extract
from scripts.bench.pdf_pages import bare_loop
from scripts.bench.server import RunningServer

PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Pages:
    """What one round showed.

    Attributes:
        pages: in all files together.
        service_seconds: from the first byte sent to the last document received.
        bare_seconds: of the bare loop over the same files, largest first, its processes running already.
    """

    pages: int
    service_seconds: float
    bare_seconds: float


def pool() -> ProcessPoolExecutor:
    """Processes for the bare loop, started and with pypdfium2 loaded."""
    executor = ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn"))
    list(executor.map(time.sleep, [0.2] * PROCESSES))
    return executor


def copies(paths: Sequence[Path], folder: Path, mark: int) -> list[Path]:
    """Copies that end in a comment of their own, largest first, so that no blob of an earlier round is found again."""
    made = []
    for number, path in enumerate(sorted(paths, key=lambda path: -path.stat().st_size)):
        copy = folder / f"{number}-{path.name}"
        copy.write_bytes(path.read_bytes() + b"\n%% round %d\n" % mark)
        made.append(copy)
    return made


def measure(running: RunningServer, bare: ProcessPoolExecutor, paths: Sequence[Path], service_first: bool) -> Pages:
    """One round over `paths`.

    Raises:
        RuntimeError: the two disagree about the number of pages.
    """
    seconds = {}
    pages = {}
    for way in ("service", "bare") if service_first else ("bare", "service"):
        begin = time.perf_counter()
        pages[way] = _through_service(running.address, paths) if way == "service" else sum(bare.map(bare_loop, paths))
        seconds[way] = time.perf_counter() - begin
    if pages["service"] != pages["bare"]:
        raise RuntimeError(f"the service read {pages['service']} pages, the bare loop {pages['bare']}")
    return Pages(pages["bare"], seconds["service"], seconds["bare"])


def measure_one(running: RunningServer, bare: ProcessPoolExecutor, path: Path, pages: int, service_first: bool) -> Pages:
    """One round over the first `pages` pages of one document.

    Raises:
        RuntimeError: the two disagree about the number of pages with text.
    """
    seconds = {}
    found = {}
    half = pages // 2
    for way in ("service", "bare") if service_first else ("bare", "service"):
        begin = time.perf_counter()
        if way == "service":
            found[way] = _pages_with_text(running.address, path, pages)
        else:
            found[way] = sum(bare.map(bare_loop, [path] * 2, [0, half], [half, pages]))
        seconds[way] = time.perf_counter() - begin
    if found["service"] > found["bare"]:
        raise RuntimeError(f"the service found text on {found['service']} pages, of {found['bare']} that there are")
    return Pages(found["bare"], seconds["service"], seconds["bare"])


def _pages_with_text(address: str, path: Path, pages: int) -> int:
    with BlockingClient(address) as client:
        result = client.run(JobSpec(input=path, tasks=[extract(last_page=pages)]))
        document = result.raise_for_state().document()
    if document.issues:
        raise RuntimeError(f"{len(document.issues)} pages could not be read, the first: {document.issues[0].message}")
    return len({element.page for element in document.elements})


def _through_service(address: str, paths: Sequence[Path]) -> int:
    with BlockingClient(address) as client:
        batch = client.submit([JobSpec(input=path, tasks=[extract()]) for path in paths])
        return sum(result.raise_for_state().document().page_count for result in client.as_completed(batch))
