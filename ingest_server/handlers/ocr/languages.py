"""Names of the languages that text may be recognised in, and what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Sequence

LANGUAGES_MAX = 8
"""Each takes its own time on every word; a page of more than a few is not found."""
DEFAULT_LANGUAGE = "eng"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,31}")


def fault_of(languages: Sequence[str]) -> str:
    """What is wrong with a list of languages, to be put behind the name of its field; "" if nothing is.

    Names are tesseract's, such as "eng" or "chi_sim". They become file names there, so nothing else is let through.
    """
    if len(languages) > LANGUAGES_MAX:
        return f"must have at most {LANGUAGES_MAX} languages, not {len(languages)}"
    for language in languages:
        if not _NAME.fullmatch(language):
            return f"must be names such as 'eng' or 'chi_sim' ({_NAME.pattern}), not {language[:64]!r}"
    return ""


def package_of(language: str) -> str:
    """Debian's package with the data of a language."""
    return "tesseract-ocr-" + language.lower().replace("_", "-")
