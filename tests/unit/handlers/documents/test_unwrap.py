"""Documents inside gzip and zstd: bombs, damage and depth first, then what is read."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest_server.domain.errors import Code
from ingest_server.handlers import unwrap
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.source import Source
from ingest_server.handlers.unwrap import UnwrapLimits, unwrapped
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SMALL = UnwrapLimits(expanded_bytes_max=100_000, ratio_max=10, ratio_free_bytes=5_000, depth_max=2, memory_bytes_max=1_000)
NOISE = os.urandom(20_000)
COMPRESSIONS = pytest.mark.parametrize(("compress", "kind"), [(gzip.compress, "gzip"), (zstd.compress, "zstd")])
Compress = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refusal(data: bytes, limits: UnwrapLimits = SMALL) -> HandlerFailure:
    context = FakeContext(FakeInput(data))
    with pytest.raises(HandlerFailure) as caught, unwrapped(Source(context.input), context, limits):
        pytest.fail("unwrapped")
    failure = caught.value
    assert (failure.reason, failure.code, failure.retryable) == ("DOCUMENT_MALFORMED", Code.INVALID_ARGUMENT, False)
    return failure


@COMPRESSIONS
def test_more_inside_than_the_limit_is_refused_and_leaves_no_file(compress: Compress, kind: str, temporary: Path) -> None:
    failure = refusal(compress(NOISE * 6))
    assert "100,000 bytes" in failure.message
    assert failure.metadata == {"wrapper": f"application/{kind}", "limit_bytes": "100000"}
    assert not list(temporary.iterdir())


@COMPRESSIONS
def test_a_bomb_is_given_up_at_the_ratio(compress: Compress, kind: str, temporary: Path) -> None:
    failure = refusal(compress(bytes(90_000)))
    assert "10 times" in failure.message
    assert failure.metadata["limit_ratio"] == "10"
    assert not list(temporary.iterdir())


@COMPRESSIONS
def test_a_real_bomb_is_refused_by_the_usual_limits_after_little_work(
    compress: Compress, kind: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = compress(bytes(200 * 1024 * 1024))
    written: list[int] = []
    kept = unwrap.collected

    def counted(pieces: Any, *rest: Any) -> Any:
        return kept((written.append(len(piece)) or piece for piece in pieces), *rest)  # type: ignore[func-returns-value]

    monkeypatch.setattr(unwrap, "collected", counted)
    assert "bomb" in refusal(bomb, UnwrapLimits()).message
    assert sum(written) <= max(UnwrapLimits().ratio_free_bytes, 300 * len(bomb))
    assert not list(temporary.iterdir())


def test_the_ratio_counts_over_all_layers() -> None:
    inner = gzip.compress(bytes(50_000_000))
    # 300 times at each layer would be allowed, one by one.
    assert "times" in refusal(gzip.compress(inner), UnwrapLimits(ratio_max=1100, ratio_free_bytes=1000)).message


def test_too_many_layers_are_refused() -> None:
    failure = refusal(gzip.compress(zstd.compress(gzip.compress(b"words"))))
    assert "more than 2 times" in failure.message
    assert failure.metadata["wrappers"] == "application/gzip, application/zstd, application/gzip"


@COMPRESSIONS
def test_damage_is_told(compress: Compress, kind: str, temporary: Path) -> None:
    whole = compress(NOISE)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (whole[:-9], whole[: len(whole) // 2], whole[:11], whole + b"rubbish behind it"):
        assert "damaged" in refusal(damaged).message
    # zstd's frames of this compressor carry no checksum: there a changed byte of incompressible data is not seen.
    if kind == "gzip":
        assert "damaged" in refusal(bytes(flipped)).message
    assert not list(temporary.iterdir())


@COMPRESSIONS
def test_nothing_inside_is_refused(compress: Compress, kind: str) -> None:
    assert "empty" in refusal(compress(b"")).message


def test_a_type_that_is_only_declared_is_refused(read: Read) -> None:
    for declared in ("application/gzip", "application/x-gzip", "application/zstd"):
        with pytest.raises(HandlerFailure, match="damaged") as caught:
            read(b"plain words", declared)
        assert caught.value.reason == "DOCUMENT_MALFORMED"


def test_a_zstd_window_that_takes_gigabytes_is_refused() -> None:
    parameter = zstd.CompressionParameter
    options = {int(parameter.window_log): 28, int(parameter.enable_long_distance_matching): 1}
    compressor = zstd.ZstdCompressor(options=options)
    # The size is not known in advance, so the frame asks for the whole window.
    data = compressor.compress(NOISE) + compressor.flush()
    assert "damaged" in refusal(data).message


def test_without_the_zstd_library_the_line_that_installs_it_is_told(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zstd.compress(b"words")
    monkeypatch.setattr(unwrap, "_zstd_library", lambda: None)
    with pytest.raises(HandlerFailure) as caught:
        read(data)
    failure = caught.value
    assert (failure.reason, failure.code, failure.retryable) == ("MEDIA_TYPE_NOT_SUPPORTED", Code.UNIMPLEMENTED, False)
    assert "pip install 'ingest[zstd]'" in failure.message
    # gzip does not need it, damaged or not.
    assert read(gzip.compress(b"words")).elements[0].text.text == "words"
    with pytest.raises(HandlerFailure, match="damaged"):
        read(gzip.compress(b"words")[:-3])


def test_a_full_disk_may_be_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/dev/full-not-a-folder")
    context = FakeContext(FakeInput(gzip.compress(NOISE)))
    with pytest.raises(HandlerFailure) as caught, unwrapped(Source(context.input), context, SMALL):
        pytest.fail("unwrapped")
    assert (caught.value.reason, caught.value.retryable) == ("STORAGE_FULL", True)


def test_a_cancel_ends_it_and_leaves_no_file(temporary: Path) -> None:
    context = FakeContext(FakeInput(gzip.compress(os.urandom(2_000_000))), cancel_after=5)
    with pytest.raises(Cancelled), unwrapped(Source(context.input), context, UnwrapLimits(memory_bytes_max=1000)):
        pytest.fail("unwrapped")
    assert not list(temporary.iterdir())


def test_what_is_large_goes_to_a_file_that_goes(temporary: Path) -> None:
    context = FakeContext(FakeInput(gzip.compress(zstd.compress(NOISE))))
    with unwrapped(Source(context.input), context, SMALL) as (source, wrappers):
        assert wrappers == ("application/gzip", "application/zstd")
        (file,) = temporary.iterdir()  # that of the layer between is gone already
        assert file.read_bytes() == source.data() == NOISE
        assert source.path() == file
        assert file.stat().st_mode & 0o077 == 0
    assert not list(temporary.iterdir())


@COMPRESSIONS
def test_every_format_is_read_as_if_it_were_not_wrapped(
    compress: Compress, kind: str, samples: Path, manifest: dict[str, Any], read: Read
) -> None:
    suffix = {"gzip": ".gz", "zstd": ".zst"}[kind]
    for name in ("report.pdf", "article.html", "notes.md"):
        plain = (samples / name).read_bytes()
        wrapped = compress(plain)
        document = read(wrapped, f"application/{kind}", name + suffix)
        assert list(document.wrappers) == [f"application/{kind}"]
        assert document.media_type == manifest[name]["media_type"]
        assert document.sha256 == hashlib.sha256(wrapped).hexdigest()
        expected = read(plain, "", name)
        assert not expected.wrappers
        assert document.elements == expected.elements


def test_the_declared_type_may_be_that_of_what_is_inside(read: Read) -> None:
    document = read(gzip.compress("# Grüße".encode("latin-1")), "text/markdown; charset=iso-8859-1")
    assert (document.media_type, document.media_type_source) == ("text/markdown", "declared")
    assert document.elements[0].text.text == "Grüße"


def test_streams_one_behind_the_other_are_one(read: Read) -> None:
    assert read(gzip.compress(b"one ") + gzip.compress(b"two")).elements[0].text.text == "one two"
    assert read(zstd.compress(b"one ") + zstd.compress(b"two")).elements[0].text.text == "one two"


def test_what_cannot_be_read_inside_names_its_own_type(read: Read) -> None:
    with pytest.raises(HandlerFailure) as caught:
        read(gzip.compress(b"GIF89a" + bytes(20)), name="picture.gif.gz")
    assert caught.value.metadata["media_type"] == "image/gif"


def test_a_large_file_is_expanded_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source.__init__, "__kwdefaults__", {"whole_bytes_max": 10})
    path = tmp_path / "words.txt.gz"
    path.write_bytes(gzip.compress(b"many words"))
    document = FakeInput(path, name="words.txt.gz")
    extract(FakeContext(document), ExtractOptions())
    assert document.read_count == 0


def test_mutants_end_in_a_result_or_a_clear_failure(read: Read, temporary: Path) -> None:
    retryable = False
    for whole in (gzip.compress(b"Some words.\n" * 50), zstd.compress(b"Some words.\n" * 50)):
        for index in range(len(whole)):
            mutant = bytearray(whole)
            mutant[index] ^= 1 + zlib.crc32(whole[:index]) % 255
            try:
                read(bytes(mutant))
            except HandlerFailure as failure:
                retryable = retryable or failure.retryable
    assert not retryable
    assert not list(temporary.iterdir())
