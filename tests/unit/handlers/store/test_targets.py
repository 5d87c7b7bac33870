"""Targets by their text: what is refused with which reason, which format is chosen, and what lies in an allowed place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.v1 import job_pb2
from ingest_server.domain.s3_address import S3Address
from ingest_server.domain.store_target import StoreFormat, StoreRules, StoreTarget, parse_store_target


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("", "must be sqlite:///PATH"),
        ("out.sqlite", "must be sqlite:///PATH"),
        ("/data/out", "must be sqlite:///PATH"),
        ("http://host/out", "must be sqlite:///PATH"),
        ("file://host/out", "absolute path after three slashes"),
        ("file://data", "absolute path after three slashes"),
        ("file:///", "nor be the root"),
        ("file:///data/../etc", "'..'"),
        ("file:///data/%2e%2e/etc", "'..'"),
        ("file:///data/%2E./etc", "'..'"),
        ("file:///data//out", "empty steps"),
        ("file:///data/%2fout", "empty steps"),
        ("file:///data/./out", "'.'"),
        ("file:///data/a%00b", "control characters"),
        ("file:///data/a%0ab", "control characters"),
        ("file:///data/a%ff", "UTF-8"),
        ("file:///data/out?mode=rw", "%3F"),
        ("sqlite:///data/out#x", "%23"),
        ("file:///" + "a" * 2_048, "at most 2,048 bytes"),
        ("s3://bucket/out.sqlite", "SQLite in S3"),
        ("s3://b/out", "3 to 63"),
        ("s3://bucket/../other", "'..'"),
    ],
)
def test_a_target_that_is_none_is_refused_with_its_reason(uri: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_store_target(uri)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "form"), [("sqlite:///data/x", StoreFormat.JSONL), ("file:///data/x", 17), ("file:///data/x", -1)]
)
def test_a_format_that_does_not_fit_is_refused(uri: str, form: int) -> None:
    with pytest.raises(ValueError, match=r"format"):
        parse_store_target(uri, form)


@pytest.mark.parametrize(
    ("uri", "form", "found"),
    [
        ("sqlite:///data/x", 0, StoreTarget(StoreFormat.SQLITE, "/data/x")),
        ("SQLite:////data/x", 0, StoreTarget(StoreFormat.SQLITE, "/data/x")),
        ("file://localhost/data/a%20b%23.DB", 0, StoreTarget(StoreFormat.SQLITE, "/data/a b#.DB")),
        ("file:///data/x.jsonl/", 0, StoreTarget(StoreFormat.JSONL, "/data/x.jsonl")),
        ("file:///data/x.parquet", 0, StoreTarget(StoreFormat.PARQUET, "/data/x.parquet")),
        ("file:///data/x", 0, StoreTarget(StoreFormat.JSON, "/data/x")),
        ("file:///data/x.parquet", StoreFormat.JSONL, StoreTarget(StoreFormat.JSONL, "/data/x.parquet")),
        ("s3://bucket/x.parquet/", 0, StoreTarget(StoreFormat.PARQUET, address=S3Address("bucket", "x.parquet/"))),
        ("s3://bucket", 0, StoreTarget(StoreFormat.JSON, address=S3Address("bucket", ""))),
    ],
)
def test_the_format_is_that_asked_for_or_that_of_the_suffix(uri: str, form: int, found: StoreTarget) -> None:
    assert parse_store_target(uri, form) == found


def test_the_formats_are_those_of_the_contract() -> None:
    assert {name.removeprefix("STORE_FORMAT_"): value for name, value in job_pb2.StoreFormat.items()} == dict(
        StoreFormat.__members__
    )


def test_only_what_lies_in_an_allowed_place_and_in_no_closed_one_is_allowed() -> None:
    rules = StoreRules(("/data/out", "file:///more%20data", "s3://bucket/in"), closed=("/data/out/own",))
    for allowed in (
        "file:///data/out",
        "file:///data/out/a/b",
        "sqlite:///more%20data/x",
        "s3://bucket/in/x",
        "file:///data/out/owner",
    ):
        rules.check(parse_store_target(allowed))
    for refused in (
        "file:///data",
        "file:///data/outer",
        "file:///data/out/own",
        "sqlite:///data/out/own/x",
        "s3://bucket/inner",
    ):
        with pytest.raises(ValueError, match="store_targets"):
            rules.check(parse_store_target(refused))


def test_a_relative_folder_is_that_of_the_present_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert StoreRules((".",)).folders == (str(tmp_path),)
    assert not StoreRules().enabled


@pytest.mark.parametrize("entry", ["", "http://host/x", "s3://B/x", "file://host/x", "/data/\n"])
def test_an_entry_that_is_no_place_is_refused(entry: str) -> None:
    with pytest.raises(ValueError):
        StoreRules((entry,))
