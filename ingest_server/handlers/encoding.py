"""Turns bytes of unknown encoding into text.

The order is that of the WHATWG Encoding Standard, with a look at the bytes where that trusts labels: a byte order mark decides;
then the declared encoding, if the bytes are valid in it; then UTF-8, which other encodings are practically never valid in; then
UTF-16 without a mark, by its zero bytes; then, for bytes mostly beyond ASCII, what the uchardet detector says; then Windows-1252,
and Latin-1 for the five bytes that Windows-1252 leaves undefined.
"""

from __future__ import annotations

import codecs

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import HandlerFailure

SAMPLE_BYTES = 64 * 1024
"""How much of a text is looked at to guess."""
CONTROLS_PART_MAX = 0.02
"""Text with more control characters than this part of it is no text."""
FOREIGN_PART_MIN = 0.2
"""The detector is asked only if this part of the bytes is beyond ASCII. With less it is of a Latin script, where it errs."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEVEN_BITS = ("iso-2022", "iso2022", "utf-7", "utf_7", "hz")
"""Encodings whose bytes are all ASCII, whatever they say: nothing else is ever called so."""
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r\f\v\x1b"))


def decode(data: bytes, charset: str = "") -> tuple[str, str]:
    """Decode.

    Args:
        data: the bytes.
        charset: as declared; "" if it was not. Ignored if unknown, or if the bytes are not valid in it.

    Returns:
        The text without byte order mark, and Python's name of the encoding.

    Raises:
        HandlerFailure: DOCUMENT_MALFORMED: this is no text in any of the encodings.
    """
    text, encoding = _decode(data, charset)
    sample = text[:SAMPLE_BYTES]
    raw = sample.encode("utf-8", "replace")
    controls = len(raw) - len(raw.translate(None, _CONTROLS))
    if controls > CONTROLS_PART_MAX * len(sample):
        raise HandlerFailure(
            f"The document is called text, but {controls} of its first {len(sample)} characters are control characters: it is "
            "binary, or damaged. Declare its true media type, or send it anew.",
            reason=Reason.DOCUMENT_MALFORMED,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
        )
    return text.replace("\x00", "") if "\x00" in text else text, encoding


def _decode(data: bytes, charset: str) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), encoding
    for encoding in (charset, "utf-8"):
        text = _strictly(data, encoding)
        # UTF-8 text is valid Windows-1252 too, and often mislabelled so; what is valid UTF-8 beyond ASCII is UTF-8.
        if text is not None and (
            encoding == "utf-8" or text.isascii() or encoding.startswith(_SEVEN_BITS) or _strictly(data, "utf-8") is None
        ):
            if "\x00" in text[:SAMPLE_BYTES] and (wide := _utf16(data)):
                return data.decode(wide, "replace"), wide
            return text, codecs.lookup(encoding).name
    for encoding in (_utf16(data), _detected(data), "cp1252"):
        text = _strictly(data, encoding)
        if text is not None:
            return text, encoding
    return data.decode("latin-1"), "latin-1"


def _strictly(data: bytes, encoding: str) -> str | None:
    """The text; None if there is no such text encoding, or the bytes are not valid in it."""
    if not encoding:
        return None
    try:
        return data.decode(encoding)
    except (LookupError, UnicodeError, ValueError):
        return None


def _utf16(data: bytes) -> str:
    """The byte order of UTF-16 without a mark: text of Latin scripts has a zero in most pairs, always on one side. "" if none."""
    sample = data[:SAMPLE_BYTES]
    high, low = sample[0::2].count(0), sample[1::2].count(0)
    if len(sample) < 4 or max(high, low) * 8 < len(sample) or min(high, low) * 20 > max(high, low):
        return ""
    return "utf-16-be" if high > low else "utf-16-le"


def _detected(data: bytes) -> str:
    """What the detector says of bytes mostly beyond ASCII; "" otherwise, or if it does not know."""
    from resiliparse.parse.encoding import detect_encoding

    sample = data[:SAMPLE_BYTES]
    foreign = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    if foreign < FOREIGN_PART_MIN * len(sample):
        return ""
    return str(detect_encoding(sample, html5_compatible=False) or "")
