"""Counts tokens without a model: the built-in tokenizer, "estimate-1".

A model's own tokenizer needs its vocabulary, megabytes that differ from model to model. This one is a rule that anybody can
repeat: every started six letters of a Latin word are a token, every started three letters of another alphabet, every started
three digits, each ideograph, kana or Hangul syllable, and each other visible character, combining marks among them. White
space counts nothing, so the tokens of parts parted by it add up.

Measured on samples of 200 to 3,000 characters, its count is 1.1 to 1.4 times that of OpenAI's o200k_base and cl100k_base for
English prose, Markdown and Python; for German, Greek, Arabic, Hebrew, Russian, Hindi, Thai, Japanese, Chinese and Korean 0.8
to 2.0 times that of o200k_base, but down to 0.4 times that of the older cl100k_base, which knows few words of Greek or
Arabic.
"""

from __future__ import annotations

import re

TOKENIZER_NAME = "estimate-1"

# Combining marks are no letters to `re`: each is a token of its own, as it is to most vocabularies.
_TOKEN = re.compile(
    r"[A-Za-z\u00c0-\u024f]{1,6}"
    r"|[0-9]{1,3}"
    r"|[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\W_][^\W_A-Za-z0-9\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]{0,2}"
    r"|\S"
)


def count_tokens(text: str) -> int:
    """Number of tokens by the rule above."""
    return len(_TOKEN.findall(text))
