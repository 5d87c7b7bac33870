"""Takes the transfer encoding off the body of a part, piece by piece: base64, quoted-printable, uuencode (RFC 2045)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from ingest_server.handlers.mail.headers import Bytes
from ingest_server.handlers.members.member import PIECE_BYTES

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_FOREIGN = bytes(set(range(256)) - set(_ALPHABET))
_RUN = re.compile(rb"[^=]+=*")
_TRAILING = re.compile(rb"(?<![ \t])[ \t]+(?=\r?\n)")


def decoded_pieces(data: Bytes, start: int, end: int, encoding: str) -> Iterator[bytes]:
    """The decoded bytes of data[start:end], in pieces of at most `PIECE_BYTES`. What does not belong into an encoding is left
    out, as mail programs do; nothing is refused.

    Args:
        data: of the whole message.
        start: where the body begins.
        end: where it ends.
        encoding: of Content-Transfer-Encoding, lower case; one that is unknown changes nothing.
    """
    if encoding == "base64":
        yield from _base64(data, start, end)
    elif encoding == "quoted-printable":
        for block in _blocks_of_lines(data, start, end):
            yield binascii.a2b_qp(_TRAILING.sub(b"", block))
    elif encoding in ("x-uuencode", "uuencode", "x-uue"):
        yield from _uuencode(data, start, end)
    else:
        for offset in range(start, end, PIECE_BYTES):
            yield bytes(data[offset : min(end, offset + PIECE_BYTES)])


def _base64(data: Bytes, start: int, end: int) -> Iterator[bytes]:
    held = b""
    for offset in range(start, end, PIECE_BYTES):
        held += bytes(data[offset : min(end, offset + PIECE_BYTES)]).translate(None, _FOREIGN)
        if b"=" in held:
            # Padding ends a run; some programs join several. The last run may go on in the next piece.
            runs = _RUN.findall(held)
            held = runs.pop() if runs and offset + PIECE_BYTES < end else b""
            piece = b"".join(map(_run, runs))
        else:
            whole = len(held) - len(held) % 4
            piece, held = binascii.a2b_base64(held[:whole]), held[whole:]
        if piece:
            yield piece
    if held and (piece := _run(held)):
        yield piece


def _run(text: bytes) -> bytes:
    """One run of base64, whatever its padding; a single letter at its end tells nothing."""
    text = text.rstrip(b"=")
    text = text[: len(text) - (len(text) % 4 == 1)]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _blocks_of_lines(data: Bytes, start: int, end: int) -> Iterator[bytes]:
    """Blocks that end with a line, so that no soft line break and no "=3D" is cut; a line longer than a piece is cut before its
    last "="."""
    held = b""
    for offset in range(start, end, PIECE_BYTES):
        block = held + bytes(data[offset : min(end, offset + PIECE_BYTES)])
        cut = block.rfind(b"\n") + 1
        if not cut and len(block) >= PIECE_BYTES:
            cut = len(block) - 3 + block[-3:].find(b"=") if b"=" in block[-3:] else len(block)
        if cut:
            yield block[:cut]
        held = block[cut:]
    if held:
        yield held


def _uuencode(data: Bytes, start: int, end: int) -> Iterator[bytes]:
    for block in _blocks_of_lines(data, start, end):
        out = bytearray()
        for line in block.splitlines():
            if line.startswith((b"begin ", b"end")) or not line.strip():
                continue
            try:
                out += binascii.a2b_uu(line)
            except binascii.Error:
                # Some programs pad lines beyond the length they tell.
                length = ((line[0] - 32) & 63) * 4 // 3 + 5
                try:
                    out += binascii.a2b_uu(line[:length])
                except binascii.Error:
                    continue
        if out:
            yield bytes(out)
