"""From the charsets that mails declare to text. They are wrong in known ways, and some names must not reach Python's codecs."""

from __future__ import annotations

_MEANT = {
    # What is declared is a subset of what is written (WHATWG Encoding Standard, "Names and labels").
    "us-ascii": "",
    "ascii": "",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "cp950",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp_ext",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-8-e": "iso8859_8",
    "iso-8859-9": "cp1254",
    "tis-620": "cp874",
    "unicode-1-1-utf-7": "utf_7",
    "x-unknown": "",
    "unknown-8bit": "",
    "8bit": "",
    "binary": "",
}
_NO_CHARSETS = ("idna", "punycode", "unicode_escape", "unicode-escape", "raw_unicode_escape", "raw-unicode-escape", "undefined")
"""Codecs of Python that are no charsets; the first takes time that grows with the square of the length."""


def meant(charset: str) -> str:
    """Python's name of what a mail means by a charset; "" if it means nothing, so that the bytes decide."""
    charset = charset.strip().strip("\"'").lower()
    if charset in _NO_CHARSETS or len(charset) > 40:
        return ""
    return _MEANT.get(charset, charset)


def short_text(data: bytes, charset: str = "") -> str:
    """Text of a header: by the charset if the bytes are valid in it, or else UTF-8, or else Windows-1252."""
    for encoding in (meant(charset), "utf-8", "cp1252"):
        try:
            if encoding:
                return data.decode(encoding)
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("latin-1")
