"""Which allocator workers are started with: the installed one, unless the server's own was chosen; and it is not passed on."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from ingest_server.engines.local import allocator


class Located:
    """An installed file."""

    def __init__(self, path: str) -> None:
        self.name = Path(path).name
        self._path = path

    def locate(self) -> Path:
        return Path(self._path)


def install(monkeypatch: pytest.MonkeyPatch, *paths: str) -> None:
    monkeypatch.setattr(metadata, "files", lambda name: [Located(path) for path in paths] if name == "cmeel-mimalloc" else None)
    monkeypatch.setattr("sys.platform", "linux")


def test_the_installed_library_is_chosen_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "/site/lib/libmimalloc.a", "/site/lib/libmimalloc.so")
    environment = {"PATH": "/bin"}
    environment |= allocator.chosen(environment)
    assert environment["LD_PRELOAD"] == "/site/lib/libmimalloc.so"
    assert environment["MIMALLOC_ARENA_EAGER_COMMIT"] == "0"
    allocator.forget(environment)
    assert environment == {"PATH": "/bin"}


def test_a_choice_of_the_operator_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "/site/lib/libmimalloc.so")
    environment = {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"}
    assert allocator.chosen(environment) == {}
    allocator.forget(environment)
    assert environment == {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"}


@pytest.mark.parametrize("paths", [(), ("/site/lib/mimalloc.o",), ("/my site/lib/libmimalloc.so",), ("/a:b/libmimalloc.so",)])
def test_without_a_usable_library_nothing_is_chosen(monkeypatch: pytest.MonkeyPatch, paths: tuple[str, ...]) -> None:
    install(monkeypatch, *paths)
    assert allocator.chosen({}) == {}


def test_a_missing_distribution_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    assert allocator.library() == ""
