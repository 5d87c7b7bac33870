"""Names of files that documents get in a folder: told by people, and never twice the same for two documents."""

from __future__ import annotations

import re

NAME_BYTES_MAX = 120
"""File systems take 255 bytes a name; the identity and the suffix need about 50."""
_UNSAFE = re.compile(r"[^\w.-]+")


def file_name(name: str, document_id: str, suffix: str) -> str:
    """`NAME-IDENTITY.SUFFIX`: what letters, digits, dots and hyphens there are of a document's name, then its identity.

    Args:
        name: of the document, or its key where it has one, so that a file that is stored anew under its key keeps its place; not
            trusted.
        document_id: in hexadecimal digits.
        suffix: with its dot.
    """
    last = re.split(r"[/\\]", name)[-1]
    told = _UNSAFE.sub("_", last).encode("utf-8", "ignore")[:NAME_BYTES_MAX].decode("utf-8", "ignore").strip("._-")
    return f"{told or 'document'}-{document_id}{suffix}"
