"""Containers read in parts: what fails costs itself only, limits hold over all parts, and the same document comes of it."""

from __future__ import annotations

import gzip
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Failure
from ingest_server.handlers import member_parts
from ingest_server.handlers.extract import extract, merge
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import HandlerFailure, Output
from ingest_server.handlers.member_parts import HANDLER, MembersOptions, extract_members, merge_members
from ingest_server.handlers.members import container
from ingest_server.handlers.members.division import PARTS_MAX, ranges_of_members
from ingest_server.handlers.members.nesting import NestingLimits
from ingest_server.handlers.parts import Part, PartResult, Split
from ingest_server.handlers.reading import read_input
from tests.unit.handlers.documents.archive_files import tar_of, zip_of
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, document_of
from tests.unit.handlers.documents.msg_files import attachment, compound_file, message

CRASH = Failure(Code.ABORTED, "POISON_JOB", "the job killed its worker 3 times", {"signal": "SIGSEGV"}, False)
FILES = [(f"folder/{number}.txt", b"text %d\n\n" % number * (5_000 if number % 20 == 0 else 1)) for number in range(100)]


def split_of(data: bytes, name: str = "", *, crash_count: int = 0, **options: Any) -> Split:
    """What the task answers to a large container."""
    context = FakeContext(FakeInput(data, "", name))
    context.crash_count = crash_count
    answer = extract(context, ExtractOptions(**options))
    assert isinstance(answer, Split)
    assert answer.handler == HANDLER
    return answer


def run_part(part: Part, data: bytes, name: str = "", *, crash_count: int = 0) -> Output | Split:
    """Run a part as a worker does: its options through JSON."""
    options = msgspec.json.decode(msgspec.json.encode(part.options), type=MembersOptions)
    context = FakeContext(FakeInput(data, "", name))
    context.crash_count = crash_count
    return extract_members(context, options)


def result_of(part: Part, output: Output | Split) -> PartResult:
    """What the merge is given of a part that has ended well."""
    assert isinstance(output, Output)
    return PartResult(None, output.media_type, len(output.data), part.units, data=bytes(output.data))


def lost(part: Part) -> PartResult:
    """What the merge is given of a part that has killed its worker too often."""
    return PartResult(CRASH, "", 0, part.units)


def whole(data: bytes, results: list[PartResult], split: Split, name: str = "", **options: Any) -> document_pb2.Document:
    """What the merge makes of the parts."""
    return document_of(merge(FakeContext(FakeInput(data, "", name)), ExtractOptions(**options), split.state, results))


def at_once(data: bytes, name: str = "") -> document_pb2.Document:
    """What reading it without parts gives."""
    context = FakeContext(FakeInput(data, "", name))
    document = read_input(context.input, ExtractOptions().read_options(0, 0), context)
    assert isinstance(document, bytes)
    return document_pb2.Document.FromString(document)


def mail(files: list[tuple[str, bytes]]) -> bytes:
    """A mail with attachments."""
    made = EmailMessage()
    made["Subject"], made["From"], made["Message-ID"] = "with attachments", "a@example.org", "<1@example.org>"
    made.set_content("the text")
    for name, data in files:
        made.add_attachment(data, maintype="text", subtype="plain", filename=name.rpartition("/")[2])
    return made.as_bytes()


def mailbox(files: list[tuple[str, bytes]]) -> bytes:
    """An mbox of one mail for each file."""
    return b"".join(b"From a@b Mon Jan  1 00:00:00 2024\n" + mail([file]) + b"\n" for file in files)


def outlook(files: list[tuple[str, bytes]]) -> bytes:
    """An Outlook message with attachments, one of them a message."""
    inner = message({0x37: "inner", 0x1000: "inner text"}, embedded=True)
    attachments = [*[attachment(name, data) for name, data in files], attachment("inner", inner)]
    return compound_file(message({0x37: "outer", 0x1000: "the text"}, attachments=attachments))


@pytest.mark.parametrize(
    "pack",
    [zip_of, tar_of, lambda files: gzip.compress(tar_of(files)), mail, mailbox, outlook],
    ids=["zip", "tar", "tar.gz", "eml", "mbox", "msg"],
)
def test_parts_make_the_same_document_as_reading_at_once(pack: Any) -> None:
    data = pack([*FILES, ("torn.pdf", b"%PDF-1.4 torn"), ("empty.txt", b""), ("last.zip", zip_of({"in.txt": b"inside"}))])
    split = split_of(data)
    assert len(split.parts) > 1
    assert sum(part.units for part in split.parts) >= 103
    results = [result_of(part, run_part(part, data)) for part in split.parts]
    joined, expected = whole(data, results, split), at_once(data)
    joined.issues.sort(key=lambda issue: issue.message)
    expected.issues.sort(key=lambda issue: issue.message)
    assert joined == expected
    assert len(joined.documents) >= 101


def test_a_part_that_fails_costs_its_members_only_and_names_them() -> None:
    data = zip_of(FILES)
    split = split_of(data)
    results = [result_of(part, run_part(part, data)) for part in split.parts]
    first, end = split.parts[1].options["first"], split.parts[1].options["end"]
    results[1] = lost(split.parts[1])
    document = whole(data, results, split)
    assert [inner.name for inner in document.documents] == [name for name, _ in FILES[:first] + FILES[end:]]
    assert [issue.message.split(":")[0] for issue in document.issues] == [f'"{name}"' for name, _ in FILES[first:end]]
    assert {issue.reason for issue in document.issues} == {"MEMBER_UNREADABLE"}
    with pytest.raises(HandlerFailure) as caught:
        whole(data, results, split, fail_on_partial=True)
    assert caught.value.reason == "DOCUMENT_PARTIAL"
    with pytest.raises(HandlerFailure, match="killed its worker"):
        whole(data, [lost(part) for part in split.parts], split)


def test_a_part_that_has_failed_is_divided_into_single_members() -> None:
    data = zip_of(FILES)
    split = split_of(data)
    again = run_part(split.parts[1], data, crash_count=1)
    assert isinstance(again, Split)
    first, end = split.parts[1].options["first"], split.parts[1].options["end"]
    assert [part.options["first"] for part in again.parts] == list(range(first, end))
    single = [result_of(part, run_part(part, data, crash_count=1)) for part in again.parts]
    single[2] = lost(again.parts[2])
    options = MembersOptions(ExtractOptions(), "application/zip", first, end)
    merged = merge_members(FakeContext(FakeInput(data)), options, again.state, single)
    results = [result_of(part, run_part(part, data)) for part in split.parts]
    results[1] = result_of(split.parts[1], merged)
    document = whole(data, results, split)
    assert len(document.documents) == 99
    assert document.issues[0].message.startswith(f'"{FILES[first + 2][0]}"')


def test_what_has_killed_a_worker_is_read_member_by_member() -> None:
    data = zip_of({"a.txt": b"a", "b.txt": b"b"})
    split = split_of(data, crash_count=1)
    assert [part.units for part in split.parts] == [1, 1]
    document = whole(data, [lost(split.parts[0]), result_of(split.parts[1], run_part(split.parts[1], data))], split)
    assert [inner.name for inner in document.documents] == ["b.txt"]
    assert document.issues[0].message.startswith('"a.txt"')


def test_small_containers_and_those_inside_are_read_at_once() -> None:
    small = zip_of([(f"{number}.txt", b"x") for number in range(20)])
    inside = zip_of({"large.zip": zip_of(FILES)})
    for data in (small, inside, mail([("a.txt", b"x")])):
        assert isinstance(extract(FakeContext(FakeInput(data)), ExtractOptions()), Output)


def test_limits_of_the_whole_hold_over_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zip_of(FILES)

    def limited(**limits: int) -> None:
        monkeypatch.setattr(container, "usual_limits", lambda: NestingLimits(**limits))
        monkeypatch.setattr(member_parts, "usual_limits", lambda: NestingLimits(**limits))

    for limits, words in (({"members_max": 70}, "70 members"), ({"total_bytes_max": 150_000}, "150,000 bytes")):
        limited(**limits)
        split = split_of(data)
        results = [result_of(part, run_part(part, data)) for part in split.parts]
        document = whole(data, results, split)
        assert document.issues[-1].reason == "MEMBERS_LEFT_OUT"
        assert words in document.issues[-1].message
        assert len(document.documents) <= 70
    limited(document_bytes_max=results[0].size_bytes + 1)
    split = split_of(data)
    results = [result_of(part, run_part(part, data)) for part in split.parts]
    document = whole(data, results, split)
    assert 0 < len(document.documents) < 100
    assert document.issues[-1].reason == "MEMBERS_LEFT_OUT"


def test_a_container_damaged_on_its_way_ends_there() -> None:
    data = bytearray(tar_of(FILES))
    data[data.index(b"folder/70.txt") + 3] ^= 0xFF
    split = split_of(bytes(data))
    document = whole(bytes(data), [result_of(part, run_part(part, bytes(data))) for part in split.parts], split)
    assert len(document.documents) == 70
    assert document.issues[-1].reason == "MEMBERS_LEFT_OUT"


def test_ten_thousand_single_members_fit_the_state() -> None:
    data = zip_of([(f"{number}", b"x") for number in range(10_000)])
    split = split_of(data, crash_count=1)
    assert len(split.parts) == 10_000
    assert len(split.state) < 4_096


@given(st.lists(st.integers(0, 2**31), max_size=300), st.booleans(), st.booleans())
def test_ranges_follow_each_other_and_hold_all(sizes: list[int], wrapped: bool, singly: bool) -> None:
    ranges = ranges_of_members(sizes, wrapped=wrapped, singly=singly)
    assert [number for first, end in ranges for number in range(first, end)] == list(range(len(sizes)))
    if sizes:
        assert all(first < end for first, end in ranges)
    if not singly:
        assert len(ranges) <= 2 * (8 if wrapped else PARTS_MAX) + 1
