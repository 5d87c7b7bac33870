"""Models of this machine: made here in model2vec's form, and all that can be missing."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from ingest_server.handlers.embedding import local_model
from ingest_server.handlers.embedding.local_model import LocalEmbedder, load_model
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from tests.fakes.static_model import make_model
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput

pytest.importorskip("model2vec", reason="the extra `embed` is not installed")


@pytest.fixture(autouse=True)
def _nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "_loaded", {})


def context(**more: int) -> FakeContext:
    """An attempt."""
    return FakeContext(FakeInput(b""), **more)


@pytest.mark.parametrize("place", ["./nowhere", "/nowhere/at/all", "~/nowhere-at-all"])
def test_a_folder_that_is_not_there_is_told_and_nothing_is_fetched(place: str) -> None:
    with pytest.raises(HandlerFailure, match=r"there is no file .*nowhere.*model\.safetensors: embed_local_models") as caught:
        load_model("small", place)
    assert (caught.value.reason, caught.value.retryable) == ("MODEL_UNAVAILABLE", False)
    assert '"small"' in caught.value.message


@pytest.mark.parametrize("broken", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_model_is_told(tmp_path: Path, broken: str) -> None:
    folder = make_model(tmp_path / "model")
    (folder / broken).write_bytes(b"\x00rubbish")
    with pytest.raises(HandlerFailure, match="cannot be loaded: ") as caught:
        load_model("small", str(folder))
    assert (caught.value.reason, caught.value.retryable) == ("MODEL_UNAVAILABLE", False)


def test_without_the_extra_the_very_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model2vec", None)
    with pytest.raises(HandlerFailure) as caught:
        LocalEmbedder("small", str(make_model(tmp_path / "model")))
    assert (caught.value.reason, caught.value.retryable) == ("MODEL_UNAVAILABLE", False)
    assert "Where the server runs: pip install 'ingest[embed]'" in caught.value.message


def test_the_mean_of_the_words_that_are_known(tmp_path: Path) -> None:
    model = LocalEmbedder("small", str(make_model(tmp_path / "model")))
    cat, both, none = model.embed(["cat", "cat unicorn stone", "unicorn"], context())
    assert list(cat) == [1.0, 0.0, 0.0]
    assert list(both) == pytest.approx([math.sqrt(0.5), 0.0, math.sqrt(0.5)])
    assert list(none) == [0.0, 0.0, 0.0]


def test_a_long_text_counts_to_its_end(tmp_path: Path) -> None:
    model = LocalEmbedder("small", str(make_model(tmp_path / "model", normalize=False)))
    (vector,) = model.embed(["cat " * 3_000 + "stone " * 1_000], context())
    assert list(vector) == pytest.approx([0.75, 0.0, 0.25])


def test_a_cancel_is_heard(tmp_path: Path) -> None:
    model = LocalEmbedder("small", str(make_model(tmp_path / "model")))
    with pytest.raises(Cancelled):
        model.embed(["cat"], context(cancel_after=0))


def test_a_name_at_the_hub_is_passed_on_and_the_cache_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model2vec import StaticModel

    asked: list[tuple[str, bool]] = []
    present = StaticModel.from_pretrained(make_model(tmp_path / "model"))

    def from_pretrained(place: str, *, force_download: bool) -> StaticModel:
        asked.append((place, force_download))
        if place == "some/missing":
            raise OSError("401 Client Error: Repository Not Found")
        return present

    monkeypatch.setattr(StaticModel, "from_pretrained", from_pretrained)
    assert load_model("small", "some/model") is present
    with pytest.raises(HandlerFailure, match="some/missing cannot be loaded: OSError: 401") as caught:
        load_model("other", "some/missing")
    assert caught.value.retryable is False
    assert asked == [("some/model", False), ("some/missing", False)]


def test_it_is_loaded_once(tmp_path: Path) -> None:
    folder = str(make_model(tmp_path / "model"))
    assert load_model("small", folder) is load_model("other", folder)
