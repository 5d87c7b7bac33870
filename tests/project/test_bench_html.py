"""The benchmark of HTML cuts its truth where it was told, says so where a page is another one, and prints its figures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.bench import html_quality, html_truth
from scripts.bench.html_truth import Page, TruthFault, content_words

SITE = "<html><head><title>Start</title></head><body><nav>Start here now</nav><div role=main>{}</div><p>Go on</p></body></html>"
BODY = "<h1>Start</h1><p>Contents One Two</p><h2>One</h2><p>a <b>b</b>c</p><script>no</script><h2>Two</h2><p>The end.</p>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text(SITE.format(BODY), "utf-8")
    return tmp_path


def test_truth_is_what_lies_between_the_words_without_its_lists(folder: Path) -> None:
    page = Page("page.html", "Start Contents", "The end.", (("Contents One", "Two"),))
    assert content_words(page, folder) == ["start", "one", "a", "bc", "two", "the", "end"]


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (Page("page.html", "Start", "The end."), "'Start' stands at 2 places, not at one"),
        (Page("page.html", "Start Contents", "no such words"), "'no such words' stands at 0 places"),
        (Page("page.html", "Start Contents", "The end.", (("The end", "Contents"),)), "'Contents' does not stand behind"),
    ],
)
def test_a_page_that_is_not_the_one_described_is_told(folder: Path, page: Page, fault: str) -> None:
    with pytest.raises(TruthFault, match=fault):
        content_words(page, folder)


def test_figures_are_printed_and_what_is_missed_is_an_exit_status(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(html_quality, "FILES_PER_SECOND_MIN", 0)
    monkeypatch.setattr(sys, "argv", ["html_quality", "--folder", str(folder), "--rounds", "1"])
    monkeypatch.setattr(html_quality, "PAGES", (Page("page.html", "Start Contents", "The end."),))
    assert html_quality.main() == 0
    printed = capsys.readouterr().out
    assert "page.html" in printed
    assert "worst" in printed
    assert "1.0000" in printed
    assert "1 files of 0.0 MB" in printed
    monkeypatch.setattr(html_quality, "PAGES", (Page("page.html", "Start here", "Go on"),))
    assert html_quality.main() == 1
    assert "NOT MET" in capsys.readouterr().out


def test_without_the_pages_it_says_which_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["html_quality", "--folder", str(tmp_path)])
    assert html_quality.main() == 2
    assert html_truth.PAGES[0].path in capsys.readouterr().err


def test_twenty_pages_are_described() -> None:
    assert len({page.path for page in html_truth.PAGES}) == 20
