"""Recognition switched off, by the task or by the operator: nothing is started, and what is not read says why."""

from __future__ import annotations

import pytest

from ingest_server.domain.extract_rules import OcrMode
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.ocr.tesseract import Tesseract
from tests.unit.handlers.documents.conftest import Read, SetLimits
from tests.unit.handlers.documents.pictures import page, png_claiming, saved, tiff_claiming
from tests.unit.handlers.documents.test_pdf_scans import issues, pdf


@pytest.fixture(autouse=True)
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if a program is started."""
    monkeypatch.setattr(Tesseract, "_run", lambda *_: pytest.fail("tesseract was started"))


def test_a_number_that_is_no_mode_is_refused(read: Read) -> None:
    with pytest.raises(HandlerFailure, match=r"ocr must be one of 0 \(UNSPECIFIED\), 1 \(AUTO\), 2 \(OFF\), not 7") as refused:
        read(saved(page(), "PNG"), ocr=7)
    assert refused.value.reason == "INVALID_OPTIONS"


@pytest.mark.parametrize("mode", [OcrMode.UNSPECIFIED, OcrMode.AUTO])
def test_the_operator_can_switch_it_off_for_all(read: Read, limits: SetLimits, mode: int) -> None:
    limits(ocr=False)
    with pytest.raises(HandlerFailure, match=r"the operator of the server has switched it off \(setting ocr\)") as refused:
        read(saved(page(), "PNG"), ocr=mode)
    assert (refused.value.reason, refused.value.retryable) == ("MEDIA_TYPE_NOT_SUPPORTED", False)
    assert refused.value.metadata == {"media_type": "image/png", "setting": "ocr"}
    document = read(pdf("Written words", "scan: Seen words"), ocr=mode)
    assert [each.text.text for each in document.elements] == ["Written words"]
    (issue,) = document.issues
    assert (issue.page, issue.reason) == (2, "PAGE_HAS_NO_TEXT")
    assert "(setting ocr)" in issue.message


@pytest.mark.parametrize("on_the_server", [True, False])
def test_the_task_can_switch_it_off(read: Read, limits: SetLimits, on_the_server: bool) -> None:
    limits(ocr=on_the_server)
    (element,) = read(saved(page(width=300, height=200), "PNG"), ocr=OcrMode.OFF).elements
    assert (element.image.width_pixels, element.image.height_pixels) == (300, 200)
    document = read(pdf("Written words", "scan: Seen words"), ocr=OcrMode.OFF)
    assert [each.text.text for each in document.elements] == ["Written words"]
    assert "the task has switched recognition off (ocr)" in document.issues[0].message


def test_of_many_pages_those_asked_for_are_pictures(read: Read) -> None:
    data = saved(page(), "TIFF", page(width=200), page(width=100))
    document = read(data, ocr=OcrMode.OFF, first_page=2)
    assert [(each.page, each.image.width_pixels) for each in document.elements] == [(2, 200), (3, 100)]
    assert document.page_count == 3


def test_a_picture_that_nobody_decodes_may_be_of_any_size(read: Read) -> None:
    (element,) = read(png_claiming(100_000, 100_000), ocr=OcrMode.OFF).elements
    assert element.image.width_pixels == 100_000


def test_damage_behind_the_last_page_is_still_told(read: Read) -> None:
    document = read(tiff_claiming([(10, 10)], after_last=9_999_999), "image/tiff", ocr=OcrMode.OFF)
    assert [(issue.page, issue.reason) for issue in document.issues] == [(2, "PAGE_UNREADABLE")]


def test_a_damaged_picture_fails_all_the_same(read: Read) -> None:
    with pytest.raises(HandlerFailure, match="cannot be read"):
        read(saved(page(), "PNG")[:20], ocr=OcrMode.OFF)


def test_a_page_of_drawings_is_no_scan(read: Read) -> None:
    ((_, _, message),) = issues(pdf("scan: Logo", scale=0.5), read)
    assert "pictures or drawings only" in message
