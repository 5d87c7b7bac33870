"""Finding handlers: modules, files, entry points, and everything that can be wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ingest_server.domain.errors import InvalidRequest
from ingest_server.handlers import loader
from ingest_server.handlers.loader import load_handlers, run_preloads

HEAD = "from ingest_server.handlers import handler\n"
ECHO = "ingest_server.handlers.echo"


@pytest.fixture(autouse=True)
def _modules_and_path_as_before() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:] = path


def write(directory: Path, name: str, text: str) -> str:
    path = directory / f"{name}.py"
    path.write_text(HEAD + text)
    return str(path)


def test_builtin_handlers_modules_and_files_come_together_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "mine_to_load", "@handler('zoo')\ndef zoo(c): pass\n@handler('ape')\ndef ape(c): pass\n")
    registry = load_handlers([path], builtin_modules=[ECHO], use_entry_points=False)
    assert [spec.name for spec in registry] == ["ape", "echo", "zoo"]
    assert len(registry) == 3
    assert registry.source("ape") == path
    assert registry.get("nobody") is None


def test_a_file_may_import_its_neighbours_and_their_handlers(tmp_path: Path) -> None:
    write(tmp_path, "neighbour_to_load", "@handler('near')\ndef near(c): pass\n")
    path = write(tmp_path, "main_to_load", "from neighbour_to_load import near\n@handler('own')\ndef own(c): pass\n")
    registry = load_handlers([path, "neighbour_to_load"], builtin_modules=[], use_entry_points=False)
    assert [spec.name for spec in registry] == ["near", "own"]


def test_a_file_named_like_an_installed_module_hides_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "json", "@handler('j')\ndef j(c): pass\n")
    import json

    assert [spec.name for spec in load_handlers([path], builtin_modules=[], use_entry_points=False)] == ["j"]
    assert sys.modules["json"] is json
    assert json.loads("1") == 1


def test_errors_name_module_and_cause(tmp_path: Path) -> None:
    for text, words in (
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("x = (\n", "SyntaxError"),
        ("x = 1\n", "no handler at its top level"),
        ("@handler('Bad Name')\ndef f(c): pass\n", "ValueError: handler name 'Bad Name'"),
    ):
        path = write(tmp_path, "broken_to_load", text)
        with pytest.raises(InvalidRequest) as raised:
            load_handlers([path], builtin_modules=[], use_entry_points=False)
        assert path in raised.value.message
        assert words in raised.value.message
        assert "broken_to_load" not in sys.modules or "no handler" in words
        sys.modules.pop("broken_to_load", None)
    with pytest.raises(InvalidRequest, match=r"absent\.py cannot be loaded: FileNotFoundError"):
        load_handlers([str(tmp_path / "absent.py")], builtin_modules=[], use_entry_points=False)
    with pytest.raises(InvalidRequest, match=r"module no\.such\.module cannot be loaded: ModuleNotFoundError"):
        load_handlers(["no.such.module"], builtin_modules=[], use_entry_points=False)


def test_two_handlers_of_one_name(tmp_path: Path) -> None:
    first = write(tmp_path, "first_to_load", "@handler('same')\ndef f(c): pass\n")
    second = write(tmp_path, "second_to_load", "@handler('same')\ndef g(c): pass\n")
    with pytest.raises(InvalidRequest) as raised:
        load_handlers([first, second], builtin_modules=[], use_entry_points=False)
    assert first in raised.value.message
    assert second in raised.value.message


def test_an_object_that_answers_to_every_name_is_no_handler(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "magic_to_load",
        "from unittest.mock import MagicMock\nmagic = MagicMock()\n@handler('real')\ndef real(c): pass\n",
    )
    assert [spec.name for spec in load_handlers([path], builtin_modules=[], use_entry_points=False)] == ["real"]


def test_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "plugin_to_load", "@handler('plugged')\ndef plugged(c): pass\n")
    sys.path.append(str(tmp_path))
    point = EntryPoint("plugin", "plugin_to_load", loader.ENTRY_POINT_GROUP)
    monkeypatch.setattr(loader, "entry_points", lambda group: [point] if group == "ingest.handlers" else [])
    registry = load_handlers([], builtin_modules=[ECHO])
    assert [spec.name for spec in registry] == ["echo", "plugged"]
    assert registry.source("plugged") == "entry point plugin = plugin_to_load"


def test_each_preload_runs_once_and_its_failure_is_told(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "preloads_to_load",
        "calls = []\ndef load(): calls.append(1)\n"
        "@handler('a', preload=load)\ndef a(c): pass\n@handler('b', preload=load)\ndef b(c): pass\n",
    )
    registry = load_handlers([path], builtin_modules=[], use_entry_points=False)
    run_preloads(registry)
    assert sys.modules["preloads_to_load"].calls == [1]
    path = write(tmp_path, "fails_to_load", "@handler('c', preload=lambda: {}['model'])\ndef c(c): pass\n")
    with pytest.raises(InvalidRequest, match=r"preload of handler 'c' in .*fails_to_load\.py failed: KeyError: 'model'"):
        run_preloads(load_handlers([path], builtin_modules=[], use_entry_points=False))
