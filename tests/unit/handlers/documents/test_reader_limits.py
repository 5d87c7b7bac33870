"""What the operator sets reaches the readers: from the settings to the worker, and from there to each limit."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from dataclasses import fields
from typing import Any

import msgspec
import pytest

from ingest_server.composition import operator_settings
from ingest_server.domain.reader_limits import ReaderLimits
from ingest_server.handlers.image.reader import ImageReader
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.isolation import child_limits
from ingest_server.handlers.members.nesting import usual_limits as nesting_limits
from ingest_server.handlers.ocr.tesseract import Tesseract
from ingest_server.handlers.operator import OperatorSettings
from ingest_server.handlers.unwrap import usual_limits as unwrap_limits
from ingest_server.settings import Settings
from tests.unit.handlers.documents.conftest import Read, SetLimits
from tests.unit.handlers.documents.pictures import png_claiming


@pytest.mark.parametrize("name", [each.name for each in fields(ReaderLimits)])
def test_each_limit_is_a_setting_and_travels(name: str) -> None:
    usual = getattr(ReaderLimits(), name)
    other: Any = not usual if isinstance(usual, bool) else usual - 1
    if name in ("read_members_bytes_max", "read_office_bytes_max"):
        other = usual + 1
    changed: dict[str, Any] = {name: other}
    given = operator_settings(Settings(**changed))
    assert given.readers == ReaderLimits(**changed)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(given), type=OperatorSettings) == given


def test_without_a_setting_the_defaults_hold() -> None:
    assert operator_settings(Settings()).readers == ReaderLimits()


def test_limits_reach_what_asks_for_them(limits: SetLimits) -> None:
    limits(
        read_unpacked_bytes_max=1,
        read_unpacked_ratio_max=2,
        read_wrappers_max=3,
        read_members_depth_max=4,
        read_members_max=5,
        read_member_bytes_max=6,
        read_members_bytes_max=7,
        read_child_memory_bytes_max=8,
        read_child_cpu_seconds_max=9,
        ocr_page_seconds_max=10.0,
    )
    unwrap, nesting, child = unwrap_limits(), nesting_limits(), child_limits()
    assert (unwrap.expanded_bytes_max, unwrap.ratio_max, unwrap.depth_max) == (1, 2, 3)
    assert (nesting.depth_max, nesting.members_max, nesting.member_bytes_max) == (4, 5, 6)
    assert (nesting.total_bytes_max, nesting.ratio_max) == (7, 2)
    assert (child.memory_bytes_max, child.cpu_seconds_max) == (8, 9)
    assert Tesseract()._present_limits().page_seconds_max == 10.0


def test_wrappers_and_members_are_bounded_by_the_operator(read: Read, limits: SetLimits) -> None:
    limits(read_wrappers_max=1)
    assert read(gzip.compress(b"words"), name="a.txt.gz").elements[0].text.text == "words"
    with pytest.raises(HandlerFailure, match="wrapped more than 1 times"):
        read(gzip.compress(gzip.compress(b"words")))
    limits(read_wrappers_max=0)
    with pytest.raises(HandlerFailure, match="wrapped more than 0 times"):
        read(gzip.compress(b"words"))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.txt", "words")
    limits(read_members_max=2)
    document = read(file.getvalue(), name="a.zip")
    assert [each.name for each in document.documents] == ["0.txt", "1.txt"]
    assert "at most 2 members" in document.issues[0].message


def test_pixels_are_bounded_by_the_operator_unless_the_reader_was_told(read: Read, limits: SetLimits) -> None:
    limits(read_image_pixels_max=1_000)
    with pytest.raises(HandlerFailure, match="at most 1,000 pixels"):
        read(png_claiming(100, 100))
    assert ImageReader(pixels_max=5)._pixels_max == 5


def test_texts_and_tables_are_bounded_by_the_operator(read: Read, limits: SetLimits) -> None:
    limits(read_text_bytes_max=10)
    with pytest.raises(HandlerFailure, match="set read_text_bytes_max"):
        read(json.dumps(["long enough"]).encode(), "application/json")
    with pytest.raises(HandlerFailure, match=r"\(read_text_bytes_max\)"):
        read(b"a,b\n1,2\n3,4\n", "text/csv")
