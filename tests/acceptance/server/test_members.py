"""Archives and mails through a real server: hostile ones beside sound ones, small ones at once and large ones in parts."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest_client import Client, JobSpec, JobState, extract, split
from tests.acceptance.server.server_process import ROOT, environment
from tests.unit.handlers.documents.archive_files import tar_of, zip_of
from tests.unit.handlers.documents.msg_files import attachment, compound_file, message


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample documents."""
    folder = tmp_path_factory.mktemp("documents")
    script = [sys.executable, str(ROOT / "scripts" / "sample_documents"), str(folder)]
    subprocess.run(script, check=True, cwd=ROOT, env=environment(), timeout=60)
    return folder


def mail(*attachments: tuple[str, bytes]) -> bytes:
    """A mail with attachments."""
    made = EmailMessage()
    made["Subject"], made["From"], made["Message-ID"] = "with attachments", "Jane Roe <a@example.org>", "<1@example.org>"
    made.set_content("the text")
    for name, data in attachments:
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes()


async def test_containers_are_read_rendered_and_split(client: Client, documents: Path) -> None:
    pdf = (documents / "report.pdf").read_bytes()
    locked = (documents / "encrypted.pdf").read_bytes()
    inner = message({0x37: "inner", 0x1000: "inner text"}, embedded=True)
    outlook = compound_file(message({0x37: "outer"}, attachments=[attachment("r.pdf", pdf), attachment("f", inner)]))
    bomb = zip_of({"bomb.txt": bytes(64 * 1024 * 1024), "fine.txt": b"fine"})
    batch = await client.submit(
        [
            JobSpec(gzip.compress(tar_of({"a/report.pdf": pdf, "locked.pdf": locked})), [extract(), split()]),
            JobSpec(mail(("report.pdf", pdf), ("inner.zip", zip_of({"note.txt": b"zipped note"})))),
            JobSpec(outlook),
            JobSpec(bomb),
            JobSpec(b"PK\x03\x04 torn"),
        ]
    )
    results = await client.wait(batch)
    assert [result.state for result in results] == [JobState.SUCCEEDED] * 4 + [JobState.FAILED]
    archive, letter, msg, bombed = [await result.document() for result in results[:4]]
    assert [inner.name for inner in archive.documents] == ["a/report.pdf"]
    assert archive.documents[0].chunks
    assert [issue.reason for issue in archive.issues] == ["MEMBER_ENCRYPTED"]
    assert (letter.title, letter.properties["from"]) == ("with attachments", "Jane Roe <a@example.org>")
    assert letter.documents[0].elements == archive.documents[0].elements == msg.documents[0].elements
    assert letter.documents[1].documents[0].elements[0].text.text == "zipped note"
    assert msg.documents[1].elements[1].text.text == "inner text"
    assert [inner.name for inner in bombed.documents] == ["fine.txt"]
    text = await results[1].text()
    assert "inner.zip\n\nnote.txt\n\nzipped note" in text


async def test_a_large_archive_is_read_in_parts_in_the_order_of_its_members(client: Client, documents: Path) -> None:
    pdf = (documents / "report.pdf").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(120):
            archive.writestr(f"{number}.txt", f"text {number}")
            archive.writestr(f"{number}.pdf", pdf if number % 10 else b"%PDF-1.4 torn " + os.urandom(100))
    batch = await client.submit([JobSpec(packed.getvalue())])
    (result,) = await client.wait(batch)
    document = await result.document()
    names = [f"{number}.{kind}" for number in range(120) for kind in ("txt", "pdf")]
    torn = {f"{number}.pdf" for number in range(0, 120, 10)}
    assert [inner.name for inner in document.documents] == [name for name in names if name not in torn]
    assert {issue.message.split('"')[1] for issue in document.issues} == torn
    progress = (await client.get(result.job_id)).progress
    assert progress is not None
    assert (progress.completed_units, progress.total_units, progress.unit) == (240, 240, "members")
