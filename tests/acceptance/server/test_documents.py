"""Real documents through the service: what the script put in comes out, and what is broken fails alone, in words."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_client import Client, Input, JobSpec, JobState, dedup, extract, filter_chunks, split
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import ROOT, environment
from tests.unit.handlers.documents.pdf_structure_files import everything
from tests.unit.handlers.documents.pictures import needs_tesseract, page, saved


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample documents."""
    folder = tmp_path_factory.mktemp("documents")
    script = [sys.executable, str(ROOT / "scripts" / "sample_documents"), str(folder)]
    subprocess.run(script, check=True, cwd=ROOT, env=environment(), timeout=60)
    return folder


def texts(document: document_pb2.Document) -> str:
    return " ".join(element.text.text for element in document.elements if element.HasField("text"))


async def test_samples_come_out_as_they_were_made(client: Client, documents: Path) -> None:
    manifest: list[dict[str, Any]] = json.loads((documents / "manifest.json").read_text(encoding="utf-8"))
    readable = [
        entry
        for entry in manifest
        if not entry.get("password") and (not entry.get("needs") or shutil.which(entry["needs"]) is not None)
    ]
    assert len(readable) >= 4
    batch = await client.submit([JobSpec(documents / entry["file"]) for entry in readable])
    batch.raise_for_refused()
    for entry, result in zip(readable, await client.wait(batch), strict=True):
        assert result.succeeded, (entry["file"], result.error)
        document = await result.document()
        if entry.get("title"):
            assert document.title == entry["title"]
        if entry.get("pages"):
            assert document.page_count == entry["pages"]
        found = " ".join(texts(document).split())
        for element in entry.get("elements", ()):
            if element.get("text"):
                assert " ".join(element["text"].split()) in found, (entry["file"], element)


async def test_encrypted_and_malformed_fail_alone(client: Client, documents: Path) -> None:
    manifest: list[dict[str, Any]] = json.loads((documents / "manifest.json").read_text(encoding="utf-8"))
    (locked,) = [entry for entry in manifest if entry.get("password")][:1]
    good = next(entry for entry in manifest if entry["file"].endswith(".pdf") and not entry.get("password"))
    torn = (documents / good["file"]).read_bytes()[:300]
    batch = await client.submit(
        [
            JobSpec(documents / locked["file"]),
            JobSpec(documents / locked["file"], extract(password="wrong")),
            JobSpec(documents / locked["file"], extract(password=locked["password"])),
            JobSpec(torn),
            JobSpec(b"%PDF-1.4 " + b"\x00" * 5_000),
            JobSpec(b"\x7fELF" + bytes(range(256)) * 10),
            JobSpec(b""),
            JobSpec(documents / good["file"]),
        ]
    )
    results = await client.wait(batch)
    reasons = [result.error.reason if result.error else "" for result in results]
    assert reasons[:5] == ["DOCUMENT_ENCRYPTED", "DOCUMENT_ENCRYPTED", "", "DOCUMENT_MALFORMED", "DOCUMENT_MALFORMED"]
    assert reasons[5] == "MEDIA_TYPE_NOT_SUPPORTED"
    assert reasons[7] == ""
    for result in results[:2]:
        assert result.error is not None
        assert "password" in result.error.message
    assert {result.state for result in results[3:6]} == {JobState.FAILED}
    for job_id in batch.job_ids:
        assert (await client.get(job_id)).attempt == 1, "a damaged document stays damaged: it must not be tried again"


@pytest.mark.parametrize("rotation", [0, 90])
async def test_what_stands_beside_the_text_is_the_same_in_parts(client: Client, rotation: int) -> None:
    data = everything(rotation)
    wanted: dict[str, Any] = {"images": True, "page_images_dpi": 72, "links": True, "outline": True}
    batch = await client.submit([JobSpec(data, extract(**wanted)), JobSpec(data, extract(**wanted, pages_per_part=1))])
    whole, parts = [await result.raise_for_state().document() for result in await client.wait(batch)]
    assert whole == parts
    assert [(item.title, item.page) for item in whole.outline] == [("One", 1), ("Äfter 2", 2), ("Away", 0)]
    assert [image.page for image in whole.page_images] == [1, 2]
    assert {link.page for link in whole.links} == {field.page for field in whole.form_fields} == {1, 2}
    assert [element.image.media_type for element in whole.elements if element.HasField("image")] == ["image/jpeg", "image/png"]
    assert not whole.issues


@needs_tesseract
async def test_pictures_are_recognised_beside_a_hostile_one(client: Client) -> None:
    scan = saved(page(["Seen by the service"]), "TIFF", page(["and its second page"]))
    batch = await client.submit(
        [
            JobSpec(scan, extract(ocr_languages=["eng"])),
            JobSpec(gzip.compress(scan), extract(first_page=2)),
            JobSpec(scan, extract(ocr_languages=["xxx"])),
            JobSpec(b"II*\x00\x08\x00\x00\x00" + bytes(4_000)),
        ]
    )
    results = await client.wait(batch)
    reasons = [result.error.reason if result.error else "" for result in results]
    assert reasons == ["", "", "MEDIA_TYPE_NOT_SUPPORTED", "DOCUMENT_MALFORMED"]
    assert texts(await results[0].document()) == "Seen by the service and its second page"
    inside = await results[1].document()
    assert (texts(inside), list(inside.wrappers)) == ("and its second page", ["application/gzip"])


async def test_what_the_operator_sets_reaches_the_readers_in_the_workers(start_server: StartServer) -> None:
    server = start_server("--workers", "1", "--no-ocr", "--read-wrappers-max", "0")
    picture = saved(page(), "PNG")
    async with Client(server.address) as client:
        batch = await client.submit(
            [JobSpec(picture), JobSpec(picture, extract(ocr="off")), JobSpec(gzip.compress(b"words")), JobSpec(b"words")]
        )
        results = await client.wait(batch)
        messages = [result.error.message if result.error else "" for result in results]
        assert "setting ocr" in messages[0]
        assert "wrapped more than 0 times" in messages[2]
        assert (messages[1], messages[3]) == ("", "")
        assert (await results[1].document()).elements[0].image.width_pixels == 1000
    assert server.stop() == 0


async def test_a_document_is_extracted_and_split_in_one_job(client: Client, documents: Path) -> None:
    batch = await client.submit(
        [
            JobSpec(documents / "report.pdf", [extract(), split("tokens", 32, overlap=8)]),
            JobSpec(documents / "report.pdf", [extract(), split("pages")]),
            JobSpec(Input.text("One. Two. Three."), split("sentences", 2)),
            JobSpec(documents / "report.pdf", split()),
        ]
    )
    results = await client.wait(batch)
    tokens, pages, plain = [await result.document() for result in results[:3]]
    known = {element.id: element.page for element in tokens.elements}
    assert len(tokens.chunks) > 1
    assert all(chunk.token_count <= 32 for chunk in tokens.chunks)
    for chunk in tokens.chunks:
        assert list(chunk.pages) == sorted({known[name] for name in chunk.element_ids})
    assert [list(chunk.pages) for chunk in pages.chunks] == [[page] for page in sorted(set(known.values()))]
    assert [chunk.text for chunk in plain.chunks] == ["One. Two.", "Three."]
    assert results[3].error is not None
    assert results[3].error.reason == "MEDIA_TYPE_NOT_SUPPORTED"
    assert "split" in (await client.info()).tasks


async def test_chunks_are_filtered_and_repetitions_dropped_in_the_same_job(client: Client) -> None:
    text = "Page 7. The cat sat on the mat all day long. A dog came by. THE cat sat on the mat all day long! 1 2 3 4 5."
    cut = split("sentences", 1)
    batch = await client.submit(
        [
            JobSpec(Input.text(text), [cut, filter_chunks(letters_min=0.5, exclude_phrases=["PAGE "]), dedup()]),
            JobSpec(Input.text(text), [cut, dedup(1.0)]),
            JobSpec(Input.text(text), [dedup()]),
        ]
    )
    results = await client.wait(batch)
    chosen, same = [await result.document() for result in results[:2]]
    assert [(chunk.id, chunk.text) for chunk in chosen.chunks] == [
        ("c2", "The cat sat on the mat all day long."),
        ("c3", "A dog came by."),
    ]
    assert [(each.chunk_id, each.rule, each.kept_chunk_id) for each in chosen.dropped_chunks] == [
        ("c1", "exclude_phrases", ""),
        ("c5", "letters_min", ""),
        ("c4", "near", "c2"),
    ]
    assert len(same.chunks) == 5
    assert results[2].error is not None
    assert results[2].error.reason == "MEDIA_TYPE_NOT_SUPPORTED"
    assert {"filter", "dedup"} <= set((await client.info()).tasks)
