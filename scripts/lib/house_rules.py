"""The laws of the house that no linter knows: sizes, first lines, names, words. Each finds faults and names file and line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FOLDERS = ("ingest_server", "ingest_client", "scripts", "tests")
TOP_LEVEL = frozenset(
    {"pyproject.toml", "protos", "ingest_server", "ingest_client", "tests", "scripts", "README.md", "docs", "LICENSE"}
)
EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "manager", "common", "misc"})
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bNotImplementedError\b")
# Put together here, so that this file does not contain what it forbids.
FOREIGN = re.compile(
    "|".join(
        (
            r"\b" + "A" + r"I[- ](generated|assisted|written)",
            r"\b" + "language " + "model",
            r"\b" + "co-authored" + "-by",
            r"/(home|root|Users)/\w",
            r"\bissue #?\d+\b",
            r"/wor" + r"k/\w",
        )
    ),
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def sources(root: Path) -> Iterator[Path]:
    """Python files of the project's own hand, in order; generated ones live under protos."""
    for folder in FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*.py") if "__pycache__" not in path.parts)


def programs(root: Path) -> Iterator[Path]:
    """Shell scripts of the project: executables without a suffix, and sourced .sh files."""
    folder = root / "scripts"
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in ("", ".sh"))
    yield from sorted((root / ".ci").glob("*"))


def texts(root: Path) -> Iterator[Path]:
    """Every hand-written text file that is published."""
    yield from sources(root)
    yield from programs(root)
    yield from sorted((root / "protos").rglob("*.proto"))
    yield from sorted(path for path in (*root.glob("*.md"), *root.glob("docs/**/*.md"), root / "pyproject.toml"))


def size_faults(path: Path) -> Iterator[Fault]:
    """A file or function is longer than a good room."""
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    if lines > FILE_LINES_MAX:
        yield Fault(path, lines, f"{lines} lines; a file has at most {FILE_LINES_MAX}: split it by role")
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES_MAX:
                yield Fault(path, node.lineno, f"{node.name} has {size} lines; a function has at most {FUNCTION_LINES_MAX}")


def docstring_faults(path: Path) -> Iterator[Fault]:
    """A module does not say its role in the first line of its docstring, or a public function or class says nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree)
    if not docstring or not docstring.splitlines()[0].rstrip().endswith((".", ":", "?")):
        yield Fault(path, 1, "the first line of the docstring must say the module's role, as a sentence")
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield Fault(path, node.lineno, f"{node.name} is public and has no docstring")


def name_faults(path: Path) -> Iterator[Fault]:
    """A file or folder is called something that says nothing."""
    for part in (*path.parent.parts, path.stem):
        if part.lower() in EMPTY_NAMES:
            yield Fault(path, 1, f"{part!r} says nothing: name the role")


def word_faults(path: Path) -> Iterator[Fault]:
    """A line is unfinished, or speaks of how or where the project was made."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if UNFINISHED.search(line) and path.name != Path(__file__).name:
            yield Fault(path, number, f"unfinished: {line.strip()[:80]}")
        if FOREIGN.search(line):
            yield Fault(path, number, f"does not belong in the project: {line.strip()[:80]}")
