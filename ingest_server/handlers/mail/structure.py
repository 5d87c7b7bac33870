"""Decides what of a message is its text and what is attached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ingest_server.handlers.mail.entity import Entity

_TEXTS = ("text/plain", "text/html", "text/rfc822-headers", "message/delivery-status", "message/disposition-notification")
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")


@dataclass(slots=True)
class Structure:
    """A message by what its parts are for.

    Attributes:
        texts: parts that are read as its text, in order.
        attached: all others that are documents of their own, in order; inline pictures too.
        left_out: parts that could not be taken apart.
    """

    texts: list[Entity] = field(default_factory=list)
    attached: list[Entity] = field(default_factory=list)
    left_out: list[Entity] = field(default_factory=list)

    def add(self, other: Structure, *, texts: bool = True) -> None:
        """Append another one; without its texts if they are not to be read."""
        if texts:
            self.texts += other.texts
        self.attached += other.attached
        self.left_out += other.left_out


def arrange(entity: Entity, has_content: Callable[[Entity], bool], *, outermost: bool = True) -> Structure:
    """Decide for a message or a part. Its depth is bounded by `entity.DEPTH_MAX`.

    Of alternatives the richest that has content is read: HTML, or else plain text (RFC 2046, 5.1.4: the last that is understood);
    what is attached to any of them stays attached. Of related parts the root is read. Signatures are no documents.

    Args:
        entity: to be arranged.
        has_content: whether a part of text shows anything.
        outermost: whether it is the message itself, whose text is its text whatever it is called.
    """
    structure = Structure()
    if entity.fault is not None:
        structure.left_out.append(entity)
    if not entity.children:
        if entity.fault is None:
            (structure.texts if _is_text(entity, outermost) else structure.attached).append(entity)
        return structure
    if entity.media_type == "multipart/alternative":
        _alternatives(entity, structure, has_content)
        return structure
    root = _root(entity) if entity.media_type == "multipart/related" else None
    for child in entity.children:
        if child.media_type in _SIGNATURES and entity.media_type == "multipart/signed":
            continue
        if root is not None and child is not root and not child.children:
            structure.attached.append(child)
        else:
            structure.add(arrange(child, has_content, outermost=False))
    return structure


def _is_text(entity: Entity, outermost: bool) -> bool:
    if entity.media_type not in _TEXTS:
        return False
    return outermost or (entity.disposition.first != "attachment" and not entity.filename)


def _root(entity: Entity) -> Entity:
    """The part of a multipart/related that the others belong to (RFC 2387)."""
    start = entity.content_type.parameters.get("start", "").strip()
    return next((child for child in entity.children if start and child.headers.raw("content-id") == start), entity.children[0])


def _alternatives(entity: Entity, structure: Structure, has_content: Callable[[Entity], bool]) -> None:
    arranged = [arrange(child, has_content, outermost=False) for child in entity.children]
    html = [each for each in arranged if any(text.media_type == "text/html" and has_content(text) for text in each.texts)]
    plain = [each for each in arranged if any(map(has_content, each.texts))] if not html else []
    chosen = html[-1] if html else plain[-1] if plain else None
    for child, each in zip(entity.children, arranged, strict=True):
        # Another form of the same text, such as RTF or a calendar's entry, is no attachment.
        again = chosen is not None and not child.children and not child.filename and child.disposition.first != "attachment"
        if each is chosen or not again:
            structure.add(each, texts=each is chosen)
