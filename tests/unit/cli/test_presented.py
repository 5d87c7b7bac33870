"""Documents as the command line gives them: files that are not there yet, formats, partial failures, pipes.

The fake server gives every input back; the inputs here are documents already.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path, PurePath

import pytest

from ingest.v1 import document_pb2
from ingest_client.cli.output_folder import OutputFolder, places
from ingest_client.document import DOCUMENT_MEDIA_TYPE
from tests.fakes.job_service import FakeServer, status_of
from tests.unit.cli.conftest import Ran

Ingest = Callable[..., Ran]


@pytest.fixture
def documents(server: FakeServer) -> FakeServer:
    """The fake server, its outputs being documents."""
    server.output_media_type = DOCUMENT_MEDIA_TYPE
    return server


def document(text: str, *issues: str) -> bytes:
    """A document of a heading, and what could not be read of it."""
    made = document_pb2.Document()
    element = made.elements.add(id="e1", page=1, heading_level=1)
    element.text.text, element.text.role = text, document_pb2.TEXT_ROLE_HEADING
    for issue in issues:
        made.issues.add(page=3, reason="PAGE_UNREADABLE", message=issue)
    return made.SerializeToString()


def fill(folder: Path, *names: str) -> Path:
    """Files that hold their own name as a document."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document(name))
    return folder


def tree(folder: Path) -> dict[str, str]:
    """All files below a folder, with what is in them."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "-", "--format", "docx"], "invalid choice"),
        (["fetch", "a", "--raw", "--format", "md"], "--raw and --format"),
        (["fetch", "a", "-o", "FILE"], "is a file, not a folder"),
        (["run", "-", "-o", "FILE"], "is a file, not a folder"),
    ],
)
def test_wrong_usage_is_2_before_anything_is_sent(
    server: FakeServer, ingest: Ingest, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "file").write_text("mine")
    ran = ingest(*[str(tmp_path / "file") if each == "FILE" else each for each in arguments])
    assert (ran.status, ran.out) == (2, "")
    assert words in ran.err
    assert not server.calls


def test_a_result_that_is_broken_is_told_and_the_others_are_written(
    documents: FakeServer, ingest: Ingest, tmp_path: Path
) -> None:
    fill(tmp_path / "in", "a.pdf", "c.pdf")
    (tmp_path / "in" / "b.pdf").write_bytes(b"\xff\xff\xff")
    ran = ingest("run", "-r", tmp_path / "in", "-o", tmp_path / "out", "--format", "md")
    assert ran.status == 1
    assert "b.pdf" in ran.err
    assert "the result cannot be had" in ran.err
    assert f"2 of 3 results are in {tmp_path / 'out'}, 1 failed and have none" in ran.err
    assert tree(tmp_path / "out") == {"a.pdf.md": "# a.pdf\n", "c.pdf.md": "# c.pdf\n"}


def test_a_place_that_cannot_be_written_is_told_and_the_others_are_written(
    documents: FakeServer, ingest: Ingest, tmp_path: Path
) -> None:
    fill(tmp_path / "in", "a.pdf", "sub/b.pdf")
    fill(tmp_path / "out", "sub")
    ran = ingest("run", "-r", tmp_path / "in", "-o", tmp_path / "out", "--format", "text")
    assert ran.status == 1
    assert "b.pdf" in ran.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.pdf.txt", "sub"]


def test_failed_and_refused_jobs_are_counted(server: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    jobs = [{"input": {"name": "../../x/../..", "data": "aGk="}}, {"input": {"name": "b", "data": "aGk="}, "queue": "nowhere"}]
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    ran = ingest("run", "--file", tmp_path / "jobs.json", "-o", tmp_path / "out")
    assert ran.status == 1
    assert "1 of 2 results" in ran.err
    (name,) = tree(tmp_path / "out")
    assert name.removesuffix(".txt") in server.jobs


def test_what_could_not_be_read_of_a_document_is_told(documents: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(document("a", *[f"damaged\x1b[2J {n}" for n in range(7)]))
    ran = ingest("run", tmp_path / "a.pdf")
    assert (ran.status, ran.out) == (0, "a\n")
    assert "page 3: PAGE_UNREADABLE: damaged[2J 0" in ran.err
    assert "2 more" in ran.err
    assert len(json.loads(ingest("run", tmp_path / "a.pdf", "--json").out)["issues"]) == 7


def test_nothing_is_overwritten_unawares(documents: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    fill(tmp_path, "a.pdf")
    out = tmp_path / "out"
    for wanted in ("a.pdf.html", "a.pdf-2.html", "a.pdf-3.html"):
        ran = ingest("run", tmp_path / "a.pdf", "-o", out, "--format", "html")
        assert (ran.status, ran.out) == (0, f"{out / wanted}\n")
    assert "--overwrite" in ran.err
    (out / "a.pdf.html").write_text("old")
    ran = ingest("run", tmp_path / "a.pdf", "-o", out, "--format", "html", "--overwrite")
    assert ran.out == f"{out / 'a.pdf.html'}\n"
    assert (out / "a.pdf.html").read_text().startswith("<!DOCTYPE html>")
    assert len(tree(out)) == 3


def test_folders_are_kept(documents: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    fill(tmp_path / "docs", "a.pdf", "a.html", "x/a.pdf", "x/y/notes.md", "z/NOTES.MD")
    out = tmp_path / "out"
    assert ingest("run", tmp_path / "docs", "--recursive", "--format", "md", "-o", out).status == 0
    assert tree(out) == {
        "a.pdf.md": "# a.pdf\n",
        "a.html.md": "# a.html\n",
        "x/a.pdf.md": "# x/a.pdf\n",
        "x/y/notes.md": "# x/y/notes.md\n",
        "z/NOTES.md": "# z/NOTES.MD\n",
    }
    assert ingest("run", tmp_path / "docs" / "**" / "*.pdf", "--format", "json", "-o", tmp_path / "found").status == 0
    assert set(tree(tmp_path / "found")) == {"a.pdf.json", "x/a.pdf.json"}


def test_from_stdin_to_stdout(
    documents: FakeServer, ingest: Ingest, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for form, wanted in (("md", "# *T*"), ("text", "*T*"), ("json", '{"elements"'), ("html", "<!DOCTYPE html>")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(document("*T*"))))
        ran = ingest("run", "-", "--format", form)
        assert ran.status == 0
        assert ran.out.replace("\\", "").startswith(wanted)
        assert ran.err == ""


def test_fetch_renders_by_ids_and_by_batch(documents: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    fill(tmp_path / "in", "a", "b")
    ids = ingest("submit", "-r", tmp_path / "in").out.split()
    batch = documents.jobs[ids[0]].batch_id
    assert ingest("fetch", "--format", "md", "--ids", ",".join(ids)).out == "# a\n# b\n"
    lines = ingest("fetch", "--format", "json", "--batch", batch).out.splitlines()
    assert [json.loads(line)["elements"][0]["text"]["text"] for line in lines] == ["a", "b"]
    marked = ingest("fetch", "--format", "text", "--page-marks", ids[0])
    assert marked.out == "[page 1]\n\na\n"
    assert json.loads(ingest("fetch", "--format", "json", "--json", ids[0]).out)["document"]["elements"]
    ran = ingest("fetch", "--format", "md", "--batch", batch, "-o", tmp_path / "out")
    assert ran.status == 0
    assert set(tree(tmp_path / "out")) == {f"{job_id}.md" for job_id in ids}
    raw = ingest("fetch", "--raw", ids[0], "-o", tmp_path / "raw")
    assert raw.out.endswith(f"{ids[0]}.document.pb\n")
    assert Path(raw.out.strip()).read_bytes() == document("a")


def test_what_is_no_document_stays_as_it_is(server: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("*x*")
    ran = ingest("run", tmp_path / "a.txt", "--format", "md")
    assert (ran.status, ran.out) == (0, "*x*\n")
    assert "no document" in ran.err


def test_an_unknown_job_is_1_and_the_others_are_rendered(documents: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    fill(tmp_path, "a")
    job_id = ingest("submit", tmp_path / "a").out.strip()
    ran = ingest("fetch", "--format", "md", "00000000-0000-0000-0000-000000000000", job_id)
    assert (ran.status, ran.out) == (1, "# a\n")
    assert "no job" in ran.err


def test_a_download_that_fails_leaves_no_file(documents: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(document("x" * 2 * documents.info.limits.inline_bytes_max))
    job_id = ingest("submit", tmp_path / "a").out.strip()
    documents.faults.calls["DownloadBlob"].append(status_of(5, "BLOB_NOT_FOUND", "it is gone"))
    ran = ingest("fetch", "--raw", job_id, "-o", tmp_path / "out")
    assert ran.status == 1
    assert "it is gone" in ran.err
    assert tree(tmp_path / "out") == {}


def test_places_are_never_outside_and_never_alike() -> None:
    names = {
        "1": "docs/../../etc/passwd", "2": "/etc/passwd", "3": "..", "4": "", "5": "docs/a\nb\x00.txt", "6": "x/same.txt",
        "7": "y/same.txt", "8": "same-2.txt", "9": "docs/sub/c", "10": "/",
    }  # fmt: skip
    chosen = places(names, [Path("docs"), Path("docs/sub")])
    assert [str(place) for place in chosen.values()] == [
        "passwd", "passwd-2", "3", "4", "a b.txt", "same.txt", "same-2.txt", "same-2-2.txt", "sub/c", "10",
    ]  # fmt: skip


def test_names_that_are_too_long_are_cut_between_letters(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path, overwrite=False)
    first, _ = folder.claim(PurePath("ß" * 127), ".md")
    second, numbered = folder.claim(PurePath("ß" * 126), ".md")
    assert (first.name, second.name) == ("ß" * 100 + ".md", "ß" * 100 + "-2.md")
    assert not numbered


def test_a_folder_never_gives_a_name_twice_even_where_it_may_overwrite(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path, overwrite=True)
    (tmp_path / "b.md").mkdir()
    assert [folder.claim(PurePath(name), ".md")[0].name for name in ("notes", "notes.md", "NOTES", "b")] == [
        "notes.md", "notes-2.md", "NOTES-3.md", "b-2.md",
    ]  # fmt: skip


def with_pictures() -> bytes:
    """A document with a heading, two pictures whose ids would lead elsewhere, one without bytes, and a drawn page."""
    made = document_pb2.Document.FromString(document("Title"))
    for identity, media_type, data in (("../x", "image/png", b"PNG"), ("/y", "image/jpeg", b"JPEG"), ("z", "", b"")):
        image = made.elements.add(id=identity, page=1).image
        image.media_type, image.data = media_type, data
    made.page_images.add(page=1, media_type="image/png", data=b"PAGE")
    made.page_images.add(page=2, media_type="text/html", data=b"no picture")
    return made.SerializeToString()


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("md", ["a b.bin-image-1.png", "a b.bin-image-2.jpg", "a b.bin-page-1.png", "a b.bin.md"]),
        ("html", ["a b.bin-page-1.png", "a b.bin.html"]),
        ("text", ["a b.bin-page-1.png", "a b.bin.txt"]),
        ("json", ["a b.bin.json"]),
    ],
)
def test_pictures_lie_beside_what_cannot_hold_them(
    documents: FakeServer, ingest: Ingest, tmp_path: Path, form: str, expected: list[str]
) -> None:
    path = tmp_path / "a b.bin"
    path.write_bytes(with_pictures())
    out = tmp_path / "out"
    assert ingest("run", path, "-o", out, "--format", form).status == 0
    found = tree(out)
    assert sorted(found) == expected
    assert {name: found[name] for name in expected[:-1]} == {
        name: {"image-1.png": "PNG", "image-2.jpg": "JPEG", "page-1.png": "PAGE"}[name.partition(".bin-")[2]]
        for name in expected[:-1]
    }
    if form == "md":
        assert found["a b.bin.md"].split("\n\n")[1:] == [
            "![](a%20b.bin-image-1.png)",
            "![](a%20b.bin-image-2.jpg)",
            "[image]\n",
        ]


def test_a_picture_takes_a_name_that_is_free(documents: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(with_pictures())
    out = tmp_path / "out"
    (out / "a.bin-image-1.png").mkdir(parents=True)
    ran = ingest("run", path, "-o", out, "--format", "md", "--overwrite")
    assert ran.status == 0
    assert "![](a.bin-image-1-2.png)" in (out / "a.bin.md").read_text()
    assert (out / "a.bin-image-1-2.png").read_bytes() == b"PNG"


def test_chunks_are_lines_of_json_unless_the_document_is_asked_for(documents: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    made = document_pb2.Document.FromString(document("Ü"))
    made.chunks.add(id="c1", text="Ü\n", element_ids=["e1"], pages=[1], token_count=1, headings=["H"])
    path = tmp_path / "a.bin"
    path.write_bytes(made.SerializeToString())
    chunk = {"id": "c1", "pages": [1], "element_ids": ["e1"], "headings": ["H"], "token_count": 1, "text": "Ü\n"}

    assert json.loads(ingest("run", path).out) == {"name": str(path), **chunk}
    both = ingest("run", path, path).out.splitlines()
    assert [json.loads(line)["name"] for line in both] == [str(path)] * 2, "no headings between lines of JSON"
    assert json.loads(ingest("run", path, "--json").out)["chunks"] == [chunk]
    assert ingest("run", path, "--format", "md").out == "# Ü\n"
    ingest("run", path, "-o", tmp_path / "out")
    written = tree(tmp_path / "out")
    assert {name: json.loads(text) for name, text in written.items()} == {"a.bin.chunks.jsonl": {"name": str(path), **chunk}}
