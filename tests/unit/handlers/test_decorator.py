"""The decorator refuses what could not run, and leaves the callable as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from ingest_server.handlers import Context, handler
from ingest_server.handlers.decorator import SPEC_ATTRIBUTE
from ingest_server.handlers.interface import HandlerSpec


@dataclass
class Options:
    width_pixels: int = 200


class StructOptions(msgspec.Struct):
    name: str


def spec_of(function: Any) -> HandlerSpec:
    spec = getattr(function, SPEC_ATTRIBUTE)
    assert isinstance(spec, HandlerSpec)
    return spec


def test_it_reads_name_description_options_and_kind() -> None:
    @handler("thumb.nail-1", media_types=["image/png"])
    def thumbnail(context: Context, options: Options) -> bytes:
        """Make it small.

        More text.
        """
        return b""

    spec = spec_of(thumbnail)
    assert (spec.name, spec.description, spec.media_types) == ("thumb.nail-1", "Make it small.", ("image/png",))
    assert (spec.options_type, spec.is_async, spec.function) == (Options, False, thumbnail)

    @handler("plain")
    async def plain(context: Context) -> None: ...

    assert (spec_of(plain).options_type, spec_of(plain).is_async, spec_of(plain).description) == (None, True, "")

    @handler("struct")
    def struct(context: Context, options: StructOptions) -> None: ...

    assert spec_of(struct).options_type is StructOptions


def test_options_types_local_to_a_function_are_found() -> None:
    @dataclass
    class Local:
        x: int = 1

    @handler("local")
    def local(context: Context, options: Local) -> None: ...

    assert spec_of(local).options_type is Local


def test_an_object_that_can_be_called_serves() -> None:
    class Model:
        """A model."""

        async def __call__(self, context: Context) -> str:
            return "x"

    model = handler("model")(Model())
    assert spec_of(model).is_async


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-", "a" * 64, "ä"])
def test_bad_names(name: str) -> None:
    with pytest.raises(ValueError, match="must match"):
        handler(name)


def test_bad_callables() -> None:
    with pytest.raises(TypeError, match="not callable"):
        handler("a")(7)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="takes 0 parameters"):
        handler("a")(lambda: None)
    with pytest.raises(TypeError, match="takes 3 parameters"):
        handler("a")(lambda a, b, c: None)
    with pytest.raises(TypeError, match="annotate its parameter 'options'"):
        handler("a")(lambda context, options: None)
    with pytest.raises(TypeError, match="media_types is the string"):
        handler("a", media_types="text/plain")
    with pytest.raises(TypeError, match="preload is int"):
        handler("a", preload=7)  # type: ignore[arg-type]


def test_bad_options_types() -> None:
    def takes_int(context: Context, options: int) -> None: ...

    def takes_unknown(context: Context, options: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    @dataclass
    class Strange:
        x: complex

    def takes_strange(context: Context, options: Strange) -> None: ...

    with pytest.raises(TypeError, match=r"must be a dataclass or a msgspec\.Struct"):
        handler("a")(takes_int)
    with pytest.raises(TypeError, match="'Nowhere' cannot be resolved"):
        handler("a")(takes_unknown)
    with pytest.raises(TypeError, match="Strange cannot be read from JSON"):
        handler("a")(takes_strange)
