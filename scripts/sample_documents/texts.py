"""Samples of text: a web page, Markdown, and one letter in several encodings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.sample_documents.manifest import Entry, element, entry

ARTICLE = """<!doctype html>
<html lang="en-GB">
<head><meta charset="utf-8"><title>Tides &amp; Times</title><meta name="author" content="Hana Reef">
<meta property="article:published_time" content="2024-03-01T08:30:00+01:00"><style>p {color: red}</style></head>
<body>
<header><a href="/">Site banner</a></header>
<nav><ul><li><a href="/a">Menu one</a></li><li><a href="/b">Menu two</a></li></ul></nav>
<main>
<h1>Tides &amp; Times</h1>
<p>The tide turns <b>twice</b> a day,
   and the caf\u00e9 opens with it.</p>
<h2>What to bring</h2>
<ul><li>A lantern</li><li>A rope of <em>forty</em> feet</li></ul>
<blockquote><p>Time and tide wait for no one.</p></blockquote>
<pre><code>def tide(hour):
    return hour % 12 &lt; 6
</code></pre>
<table><caption>High water</caption>
<tr><th>Port</th><th colspan="2">Times</th></tr>
<tr><td>Aber</td><td>06:10</td><td>18:35</td></tr></table>
<script>alert("not text")</script>
</main>
<aside>Related: other pages</aside>
<footer>Imprint and cookies</footer>
</body></html>
"""

NOTES = """---
title: "Notes of a Pilot"
author: Ivo Strand
---
# Notes of a Pilot

The *first* note is about `fog` and
[signals](https://example.org/signals).

## Rules

- Slow down
- Sound the horn
  1. Once when turning

> Fog forgives nobody.

| Signal | Meaning |
|--------|---------|
| one    | right   |

```python
horn(times=2)
```
"""

LETTER = (
    "Dear harbour master,\n\nthe caf\u00e9 at the quay has been closed for three weeks, and nobody here knows why that is;\n"
    "the na\u00efve visitors keep asking us about it every single day of the week.\n\n- Please answer\n- Please open it\n\n"
    "Yours,\nJ\u00f6rg\n"
)
LETTER_ELEMENTS = [
    element("paragraph", "Dear harbour master,"),
    element(
        "paragraph",
        "the caf\u00e9 at the quay has been closed for three weeks, and nobody here knows why that is; "
        "the na\u00efve visitors keep asking us about it every single day of the week.",
    ),
    element("list_item", "- Please answer"),
    element("list_item", "- Please open it"),
    element("paragraph", "Yours,\nJ\u00f6rg"),
]


def make_article(folder: Path) -> Entry:
    """A web page with boilerplate around its content."""
    (folder / "article.html").write_bytes(ARTICLE.encode())
    elements = [
        element("heading", "Tides & Times", level=1),
        element("paragraph", "The tide turns twice a day, and the caf\u00e9 opens with it."),
        element("heading", "What to bring", level=2),
        element("list_item", "A lantern"),
        element("list_item", "A rope of forty feet"),
        element("quote", "Time and tide wait for no one."),
        element("code", "def tide(hour):\n    return hour % 12 < 6"),
        {"table": [["Port", "Times"], ["Aber", "06:10", "18:35"]], "columns": 3, "caption": "High water"},
    ]
    boilerplate = ["Site banner", "Menu one", "Related", "Imprint", "not text", "color"]
    return entry(
        "article.html",
        "text/html",
        elements,
        title="Tides & Times",
        authors=["Hana Reef"],
        language="en-GB",
        boilerplate=boilerplate,
    )


def make_notes(folder: Path) -> Entry:
    """Markdown with front matter."""
    (folder / "notes.md").write_bytes(NOTES.encode())
    elements = [
        element("heading", "Notes of a Pilot", level=1),
        element("paragraph", "The first note is about fog and signals."),
        element("heading", "Rules", level=2),
        element("list_item", "Slow down"),
        element("list_item", "Sound the horn"),
        element("list_item", "Once when turning"),
        element("quote", "Fog forgives nobody."),
        {"table": [["Signal", "Meaning"], ["one", "right"]], "columns": 2, "caption": ""},
        element("code", "horn(times=2)"),
    ]
    return entry("notes.md", "text/markdown", elements, title="Notes of a Pilot", authors=["Ivo Strand"])


def make_letters(folder: Path) -> Iterator[Entry]:
    """One letter in several encodings."""
    for name, data in (
        ("letter_utf8.txt", LETTER.encode()),
        ("letter_utf16.txt", LETTER.encode("utf-16")),
        ("letter_utf16_unmarked.txt", LETTER.encode("utf-16-be")),
        ("letter_latin1.txt", LETTER.encode("latin-1")),
        ("letter_dos.txt", LETTER.replace("\n", "\r\n").encode("cp1252")),
    ):
        (folder / name).write_bytes(data)
        yield entry(name, "text/plain", LETTER_ELEMENTS)
