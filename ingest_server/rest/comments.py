"""The comments of the protos, read from the files beside the generated code, as Markdown for people.

Descriptors at run time carry no source information. The generator of the protos writes the comments of `a/b.proto` into
`a/b_comments.json` (full name to text, see scripts/lib/proto_comments.py); a file of another origin has none, which is no error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cached_property
from importlib import resources

from google.protobuf.descriptor import FileDescriptor

SUFFIX = "_comments.json"
_IDENTIFIER = re.compile(
    r"""(?<![\w`."/])(?:
        [A-Z][A-Za-z]+(?:\.[A-Za-z_]+)+                    # ServerInfo.limits.wait_max
        | [a-z]+(?:\.[a-z]+)*\.[A-Z][A-Za-z]+             # google.rpc.Status
        | [a-z]+(?:_[a-z0-9]+)+(?:\.[a-z_]+)*             # request_id
        | [A-Z]+(?:_[A-Z0-9]+)+ | [A-Z]{6,}               # NOT_FOUND, SUCCEEDED; not UUID, not JSON
    )(?![\w`"])""",
    re.VERBOSE,
)
_MARKUP = re.compile(r"[\[\]<>*|\\]")


class Comments:
    """Comments of some files, loaded when the first is asked for.

    Args:
        files: whose comments; those they import are not looked at.
    """

    def __init__(self, files: Iterable[FileDescriptor]) -> None:
        self._files = tuple(files)

    @cached_property
    def _texts(self) -> dict[str, str]:
        texts: dict[str, str] = {}
        for file in self._files:
            texts.update(_load(file.name))
        return texts

    def text(self, full_name: str) -> str:
        """The comment of a declaration, as it stands in the proto; "" if it has none."""
        return self._texts.get(full_name, "")

    def markdown(self, full_name: str) -> str:
        """The same as CommonMark: paragraphs joined, indented lines as a code block, identifiers as code."""
        return to_markdown(self.text(full_name))


def _load(proto: str) -> dict[str, str]:
    """Comments of the file `proto` (such as "ingest/v1/job.proto"); empty where there are none."""
    folder, _, name = proto.rpartition("/")
    try:
        root = resources.files(folder.replace("/", "."))
        text = root.joinpath(name.removesuffix(".proto") + SUFFIX).read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError, ValueError):
        return {}
    loaded: dict[str, str] = json.loads(text)
    return loaded


def to_markdown(comment: str) -> str:
    """A comment as CommonMark (https://spec.commonmark.org/0.31.2/).

    Args:
        comment: lines; an empty one ends a paragraph; those indented by two blanks or more keep their form.
    """
    blocks = []
    for block in re.split(r"\n\s*\n", comment.strip("\n")):
        lines = block.split("\n")
        if all(line.startswith("  ") for line in lines):
            blocks.append("\n".join(["```", *(line.removeprefix("  ") for line in lines), "```"]))
        else:
            blocks.append(" ".join(_sentence(word) for word in _marked(" ".join(line.strip() for line in lines)).split(" ")))
    return "\n\n".join(block for block in blocks if block.strip())


def _marked(text: str) -> str:
    """Identifiers of the contract between back ticks."""
    return _IDENTIFIER.sub(lambda found: f"`{found[0]}`", text)


def _sentence(word: str) -> str:
    """A word that CommonMark would read as markup, such as a regular expression, between back ticks."""
    if "`" in word or not _MARKUP.search(word):
        return word
    bare = word.rstrip(".,;:")
    return f"`{bare}`{word[len(bare) :]}"
