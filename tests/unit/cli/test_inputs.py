"""Arguments that become the tasks of jobs, and what is said when nothing is found."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.v1 import job_pb2
from ingest_client.cli import inputs, main
from ingest_client.cli.options import UsageError
from ingest_client.task import extract
from tests.unit.cli.conftest import Ran


@pytest.mark.parametrize(
    ("pages", "first", "last"), [("", 0, 0), ("3", 3, 3), ("2-5", 2, 5), ("7-", 7, 0), ("-4", 0, 4), ("2 - 2", 2, 2)]
)
def test_pages_become_a_range(tmp_path: Path, pages: str, first: int, last: int) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    parser = argparse.ArgumentParser()
    inputs.register(parser)
    (job,) = inputs.jobs_from(parser.parse_args([str(tmp_path / "a.pdf"), f"--pages={pages}"]))
    extract = job.to_proto().tasks[0].extract
    assert (extract.first_page, extract.last_page) == (first, last)


def test_languages_of_pictures_become_options_of_extract(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    parser = argparse.ArgumentParser()
    inputs.register(parser)
    arguments = [str(tmp_path / "a.png"), "--ocr-language", "deu", "--ocr-language", "eng"]
    (job,) = inputs.jobs_from(parser.parse_args(arguments))
    assert list(job.to_proto().tasks[0].extract.ocr_languages) == ["deu", "eng"]
    with pytest.raises(UsageError, match="--ocr-language: for extract only"):
        inputs.jobs_from(parser.parse_args([*arguments, "--handler", "echo"]))


def test_what_is_read_of_pdfs_becomes_options_of_extract(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    parser = argparse.ArgumentParser()
    inputs.register(parser)
    arguments = [str(tmp_path / "a.pdf"), "--images", "--page-images-dpi", "150", "--links", "--outline"]
    (job,) = inputs.jobs_from(parser.parse_args(arguments))
    task = job.to_proto().tasks[0].extract
    assert (task.images, task.page_images_dpi, task.links, task.outline) == (True, 150, True, True)
    with pytest.raises(UsageError, match="--images, --page-images-dpi, --links, --outline: for extract only"):
        inputs.jobs_from(parser.parse_args([*arguments, "--handler", "echo"]))


@pytest.mark.parametrize(("given", "scope"), [([], 0), (["--content", "main"], 0), (["--content", "full"], 2)])
def test_the_scope_of_content_becomes_an_option_of_extract(tmp_path: Path, given: list[str], scope: int) -> None:
    (tmp_path / "a.html").write_bytes(b"<p>")
    parser = argparse.ArgumentParser()
    inputs.register(parser)
    (job,) = inputs.jobs_from(parser.parse_args([str(tmp_path / "a.html"), *given]))
    assert job.to_proto().tasks[0].extract.content == scope
    if given:
        with pytest.raises(UsageError, match="--content: for extract only"):
            inputs.jobs_from(parser.parse_args([str(tmp_path / "a.html"), *given, "--handler", "echo"]))


def test_recognition_is_switched_off_by_an_option(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    parser = argparse.ArgumentParser()
    inputs.register(parser)
    for given, mode in (([], 0), (["--ocr", "auto"], 0), (["--ocr", "off"], 2)):
        (job,) = inputs.jobs_from(parser.parse_args([str(tmp_path / "a.png"), *given]))
        assert job.to_proto().tasks[0].extract.ocr == mode
    with pytest.raises(UsageError, match="--ocr: for extract only"):
        inputs.jobs_from(parser.parse_args([str(tmp_path / "a.png"), "--ocr", "off", "--handler", "echo"]))


def test_a_scope_or_mode_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="content must be one of main, full, not 'all'"):
        extract(content="all")
    with pytest.raises(ValueError, match="ocr must be one of auto, off, not 'on'"):
        extract(ocr="on")


def test_tables_can_be_left_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    parser = argparse.ArgumentParser()
    inputs.register(parser)
    usual, off = (
        job.to_proto().tasks[0].extract.tables
        for arguments in ([], ["--no-tables"])
        for job in inputs.jobs_from(parser.parse_args([str(tmp_path / "a.pdf"), *arguments]))
    )
    assert (usual, off) == (job_pb2.TABLE_MODE_UNSPECIFIED, job_pb2.TABLE_MODE_OFF)
    with pytest.raises(UsageError, match="--no-tables: for extract only"):
        inputs.jobs_from(parser.parse_args([str(tmp_path / "a.pdf"), "--no-tables", "--handler", "echo"]))


def test_a_folder_without_files_is_no_fault_but_told(ingest: Callable[..., Ran], tmp_path: Path) -> None:
    ran = ingest("submit", "--recursive", str(tmp_path))
    assert ran.status == 0
    assert "no file was found" in ran.err


def test_the_version_needs_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("ingest")


def test_a_uri_is_passed_on_and_a_path_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "https:").mkdir()
    (tmp_path / "https:" / "a.txt").write_text("a file after all")
    parser = argparse.ArgumentParser()
    inputs.register(parser)
    arguments = parser.parse_args(
        ["https://files.example/a?b=[1]", "file:///srv/in/*.pdf", "s3://scans/a", "https:/a.txt", "--media-type", "text/plain"]
    )
    sent = [job.to_proto().input for job in inputs.jobs_from(arguments)]
    assert [each.uri for each in sent] == ["https://files.example/a?b=[1]", "file:///srv/in/*.pdf", "s3://scans/a", ""]
    assert [each.name for each in sent] == ["", "", "", "a.txt"]
    assert {each.media_type for each in sent} == {"text/plain"}
    assert inputs.folders(arguments) == []


def test_a_result_of_a_uri_lies_under_its_last_part(ingest: Callable[..., Ran], tmp_path: Path) -> None:
    ran = ingest("run", "https://files.example/dir/report.pdf?token=hush", "-o", str(tmp_path / "out"))
    assert ran.status == 0, ran.err
    assert "hush" not in ran.err + ran.out
    (written,) = (tmp_path / "out").iterdir()
    assert written.name.startswith("report.pdf")
