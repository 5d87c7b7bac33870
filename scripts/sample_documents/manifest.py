"""What the manifest says of a sample document: one object a file."""

from __future__ import annotations

from typing import Any

Element = dict[str, Any]
Entry = dict[str, Any]


def element(role: str, text: str, *, page: int = 0, level: int = 0) -> Element:
    """What the manifest says of a piece of text."""
    return {"role": role, "text": text, "page": page, "level": level}


def entry(file: str, media_type: str, elements: list[Element], **more: Any) -> Entry:
    """An object of the manifest."""
    return {"file": file, "media_type": media_type, "title": "", "authors": [], "page_count": 0, **more, "elements": elements}
