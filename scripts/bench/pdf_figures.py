"""Figures of PDFs: many documents at once, and one of many pages, through the service and in a bare loop."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

from scripts.bench import pdf_service
from scripts.bench.figures import Figure, Requirement
from scripts.bench.pdf_pages import find_pdfs
from scripts.bench.plan import Plan
from scripts.bench.server import server

PDF_BYTES_MAX = 5_000_000
PDF_PAGES_ARE_ENOUGH_BYTES = 12_000_000
"""Files are taken until they have so many bytes together: some 2,500 pages of manuals, a few seconds a round."""
ONE_DOCUMENT_PAGES = 2_000


def documents(plan: Plan) -> list[Figure]:
    """PDFs through the service, beside a bare loop in two processes."""
    rounds = []
    with plan.folder() as folder, server("--workers", "2", data_dir=folder / "data") as running, pdf_service.pool() as bare:
        paths = _chosen(plan, folder)
        for number in range(plan.rounds + 1):
            with plan.folder() as fresh:
                files = pdf_service.copies(paths, fresh, number)
                rounds.append(pdf_service.measure(running, bare, files, service_first=number % 2 == 0))
    del rounds[0]  # it loaded what both need
    ours = tuple(each.pages / each.service_seconds for each in rounds)
    ceiling = tuple(each.pages / each.bare_seconds for each in rounds)
    what = f"text of {len(paths)} PDFs, {rounds[0].pages:,} pages, 2 workers"
    return [
        Figure("pdf.pages", what, "pages/s", ours, ceiling, "bare pypdfium2, 2 processes", (Requirement("ratio", least=0.9),))
    ]


def one_document(plan: Plan) -> list[Figure]:
    """One document of many pages, which the service reads in parts, beside a bare loop whose two processes read a half each."""
    pages = plan.size(ONE_DOCUMENT_PAGES, 100)
    rounds = []
    with plan.folder() as folder, server("--workers", "2", data_dir=folder / "data") as running, pdf_service.pool() as bare:
        path = _longest(plan, folder)
        for number in range(plan.rounds + 1):
            with plan.folder() as fresh:
                (file,) = pdf_service.copies([path], fresh, number)
                rounds.append(pdf_service.measure_one(running, bare, file, pages, service_first=number % 2 == 0))
    del rounds[0]  # it loaded what both need
    ours = tuple(each.pages / each.service_seconds for each in rounds)
    ceiling = tuple(each.pages / each.bare_seconds for each in rounds)
    what = f"text of one PDF, {rounds[0].pages:,} pages in parts, 2 workers"
    needs = (Requirement("ratio", least=0.85),)
    return [Figure("pdf.one", what, "pages/s", ours, ceiling, "bare pypdfium2, 2 processes, a half each", needs)]


def _longest(plan: Plan, folder: Path) -> Path:
    """The largest PDF of the machine; of the sample documents where it has none."""
    return (_found(plan, folder) or _chosen(plan, folder / "none"))[0]


def _found(plan: Plan, folder: Path) -> list[Path]:
    """PDFs of the machine, largest first."""
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    found: list[Path] = []
    for place in plan.pdf_folders:
        try:
            found += find_pdfs(place, unpacked)
        except (OSError, gzip.BadGzipFile, EOFError) as error:
            raise ValueError(f"cannot read the PDFs in {place}: {error}") from error
    return sorted(found, key=lambda path: -path.stat().st_size)


def _chosen(plan: Plan, folder: Path) -> list[Path]:
    """PDFs of the machine, not too many; the sample documents where it has none."""
    chosen: list[Path] = []
    room = plan.size(PDF_PAGES_ARE_ENOUGH_BYTES, 1_000_000)
    for path in _found(plan, folder):
        size = path.stat().st_size
        if size <= min(PDF_BYTES_MAX, room):
            chosen.append(path)
            room -= size
    if chosen:
        return chosen
    samples = folder / "samples"
    subprocess.run([sys.executable, "-m", "scripts.sample_documents", samples], check=True, stdout=subprocess.DEVNULL)
    return [path for path in samples.glob("*.pdf") if _readable(path)]


def _readable(path: Path) -> bool:
    """Whether it is one of the samples that are meant to be read."""
    return "encrypted" not in path.name and "malformed" not in path.name
