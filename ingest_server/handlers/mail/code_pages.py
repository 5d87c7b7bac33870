"""Windows' numbers of code pages, as Outlook writes them, to Python's codecs."""

from __future__ import annotations

import codecs

_CODECS = {
    936: "gb18030",
    949: "cp949",
    1200: "utf-16-le",
    1361: "johab",
    10000: "mac_roman",
    20127: "cp1252",
    20866: "koi8_r",
    20932: "euc_jp",
    20936: "gb2312",
    21866: "koi8_u",
    28591: "cp1252",
    28599: "cp1254",
    38598: "iso8859_8",
    50220: "iso2022_jp",
    50221: "iso2022_jp_ext",
    50222: "iso2022_jp",
    50225: "iso2022_kr",
    51932: "euc_jp",
    51936: "gb18030",
    51949: "euc_kr",
    52936: "hz",
    54936: "gb18030",
    65000: "utf-7",
    65001: "utf-8",
}
_ISO_8859 = range(28592, 28606)


def codec_of(number: int) -> str:
    """Python's name of a code page; "" if it has none."""
    if number in _CODECS:
        return _CODECS[number]
    name = f"iso8859_{number - 28590}" if number in _ISO_8859 else f"cp{number}"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""
