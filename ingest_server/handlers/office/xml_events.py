"""Reads XML of strangers as a stream of events, in bounded memory: no document type, no entities, limits on all that can grow.

Expat is used bare, because a tree of a hostile part is as large as its maker likes. A handler keeps what it needs, nothing else.
"""

from __future__ import annotations

import pyexpat
from collections.abc import Callable, Iterable, Mapping

DEPTH_MAX = 512
"""Nested elements. A text box in a table in a table in a group has about 60."""
NAMES_MAX = 20_000
"""Different names of elements and attributes: the parser keeps each. All schemas of ISO/IEC 29500 together have about 5,000."""
TOKEN_BYTES_MAX = 4 * 1024 * 1024
"""One tag with its attributes. The largest are old drawings with a copy of themselves in an attribute, some 100 KB. The parser
begins a token anew with each chunk, so this bounds time (32 times its length is read at most) as well as memory."""
NAMESPACE_CHARACTERS_MAX = 512
"""A namespace is part of each name that the parser keeps, so a long one would be multiplied by `NAMES_MAX`."""

Attributes = dict[str, str]
Start = Callable[[Attributes], "bool | None"]
"""Called where an element begins; True leaves it out with all that it holds, its end too."""
End = Callable[[], None]
Text = Callable[[str], None]


class PartFault(Exception):
    """A part of a package cannot be read. The text says why, in half a sentence that fits behind the part's name."""


def parse(chunks: Iterable[bytes], starts: Mapping[str, Start], ends: Mapping[str, End], text: Text | None = None) -> None:
    """Report the elements of a document.

    Args:
        chunks: its bytes, in pieces of at most some 100 KB; limits are looked at between them.
        starts: by name ("namespace}local"), what to call where an element begins. Others are passed over, their children are not.
        ends: the same for their ends.
        text: called with character data, in pieces.

    Raises:
        PartFault: not XML, a document type declared, or a limit exceeded.
        Exception: whatever a called function raises.
    """
    parser = pyexpat.ParserCreate(None, "}")
    depth = skipped = 0

    def start(name: str, attributes: Attributes) -> None:
        nonlocal depth, skipped
        depth += 1
        if depth > DEPTH_MAX:
            raise PartFault(f"nests more than {DEPTH_MAX} elements")
        if skipped:
            return
        action = starts.get(name)
        if action is not None and action(attributes):
            skipped = depth

    def end(name: str) -> None:
        nonlocal depth, skipped
        depth -= 1
        if skipped:
            if depth < skipped:
                skipped = 0
            return
        action = ends.get(name)
        if action is not None:
            action()

    def characters(data: str) -> None:
        if not skipped and text is not None:
            text(data)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartNamespaceDeclHandler = _bound_namespace
    if text is not None:
        parser.CharacterDataHandler = characters
    _feed(parser, chunks)


def _feed(parser: pyexpat.XMLParserType, chunks: Iterable[bytes]) -> None:
    """Give the parser its chunks, looking at the limits after each."""
    fed_bytes = 0
    try:
        for chunk in chunks:
            parser.Parse(chunk)
            fed_bytes += len(chunk)
            if fed_bytes - parser.CurrentByteIndex > TOKEN_BYTES_MAX:
                raise PartFault(f"has a tag of more than {TOKEN_BYTES_MAX} bytes")
            if len(parser.intern) > NAMES_MAX:
                raise PartFault(f"has more than {NAMES_MAX} different names of elements and attributes")
        parser.Parse(b"", True)
    except pyexpat.ExpatError as error:
        raise PartFault(f"is not well-formed XML ({error})") from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not know, or of several bytes a character
        raise PartFault(f"declares an encoding that cannot be read ({error})") from error


def _refuse_document_type(*_: object) -> None:
    """Entities can only be declared in a document type, and ISO/IEC 29500-2 (7.2.3.2) forbids it in every part."""
    raise PartFault("declares a document type, which no office document may: entities could fill the memory")


def _bound_namespace(_: str | None, uri: str | None) -> None:
    if uri is not None and len(uri) > NAMESPACE_CHARACTERS_MAX:
        raise PartFault(f"has a namespace of {len(uri)} characters; at most {NAMESPACE_CHARACTERS_MAX} are read")
