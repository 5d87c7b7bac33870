"""Finds handlers: in modules by dotted name, in .py files, and in entry points; runs what they preload."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from ingest_server.domain.errors import InvalidRequest
from ingest_server.handlers.decorator import SPEC_ATTRIBUTE
from ingest_server.handlers.interface import HandlerSpec
from ingest_server.handlers.registry import BUILTIN_MODULES, HandlerRegistry

ENTRY_POINT_GROUP = "ingest.handlers"


def load_handlers(
    modules: Sequence[str], *, builtin_modules: Sequence[str] = BUILTIN_MODULES, use_entry_points: bool = True
) -> HandlerRegistry:
    """Import modules and collect the handlers at their top level.

    Args:
        modules: dotted names, or paths that end in ".py"; in this order after the built-in ones.
        builtin_modules: dotted names of the modules that belong to the server.
        use_entry_points: import the entry points of group "ingest.handlers" of all installed packages too.

    Raises:
        InvalidRequest: a module cannot be imported or has no handler, or two handlers have one name; the message names the
            module and the cause.
    """
    registry = HandlerRegistry()
    for name in (*builtin_modules, *modules):
        _add_module(registry, import_module(name), name)
    if use_entry_points:
        for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value)):
            _add_module(registry, import_module(point.module), f"entry point {point.name} = {point.value}")
    return registry


def run_preloads(registry: HandlerRegistry) -> None:
    """Call each handler's `preload`, each callable once. Raises InvalidRequest with the handler and the cause."""
    done: set[int] = set()
    for spec in registry:
        if spec.preload is None or id(spec.preload) in done:
            continue
        done.add(id(spec.preload))
        try:
            spec.preload()
        except BaseException as error:
            raise InvalidRequest(
                f"preload of handler {spec.name!r} in {registry.source(spec.name)} failed: {_told(error)}"
            ) from error


def import_module(name: str) -> ModuleType:
    """Import a module by dotted name or by path of its .py file. Raises InvalidRequest with the module and the cause."""
    try:
        return _import_file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except BaseException as error:  # a module may do anything while it is imported, sys.exit included
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InvalidRequest(f"module {name} cannot be loaded: {_told(error)}") from error


def _import_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    name = path.stem
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    if loaded is not None or importlib.util.find_spec(name) is not None:
        # The file must not hide, nor be hidden by, an installed module of the same name.
        name = f"ingest_handlers_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # so that it finds the modules beside it
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _add_module(registry: HandlerRegistry, module: ModuleType, source: str) -> None:
    found = 0
    for value in list(vars(module).values()):
        # Not getattr: an object that answers to every name must not look like a handler.
        spec = getattr(value, "__dict__", {}).get(SPEC_ATTRIBUTE) if not isinstance(value, ModuleType) else None
        if isinstance(spec, HandlerSpec):
            registry.add(spec, source)
            found += 1
    if not found:
        raise InvalidRequest(f"handler module {source} has no handler at its top level: decorate one with @handler(name)")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
