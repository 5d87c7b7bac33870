"""What the main content of 20 pages of python3.11-doc is, as a person who looked at each of them says, and how to cut it out.

A page is described by the first and the last words of its content, and by those of the blocks within that are no content, such as
lists of its own headings. The words are found in all text of the page, which the standard library's parser gives: neither our
reader nor its library has a part in it. Paragraph signs behind headings, which lead to the heading itself, have no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from scripts.bench.pdf_quality import words_of

_UNSEEN = frozenset(("head", "script", "style", "template", "noscript"))
_INLINE = frozenset(
    ("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "q", "s",
     "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr")
)  # fmt: skip
"""Elements at whose edges no word ends."""
_ADVICE = "Take the pages of Debian's python3.11-doc, 3.11.2."


class TruthFault(Exception):
    """A page is not the one that was described; the text says which words were not found."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, described.

    Attributes:
        path: below the folder of the documentation.
        begin: the first words of its content; they stand at one place only.
        end: the last words; they stand at one place only.
        without: of each block that is no content, its first words and its last; the first stand at one place only in the content,
            the last are the next such words behind them.
    """

    path: str
    begin: str
    end: str
    without: tuple[tuple[str, str], ...] = ()


PAGES = (
    Page("tutorial/introduction.html", "3. An Informal Introduction to Python In the following", "\\') and vice versa."),
    Page("tutorial/datastructures.html", "5. Data Structures This chapter describes", '->insert("a")->remove("b")->sort();'),
    Page("reference/expressions.html", "6. Expressions This chapter explains", "formatting; the same precedence applies."),
    Page("library/index.html", "The Python Standard Library While The Python", "XDR data Security Considerations"),
    Page(
        "library/argparse.html",
        "argparse — Parser for command-line options, arguments and sub-commands New in",
        "version='<the version>')",
    ),
    Page("library/audit_events.html", "Audit events table This table contains", "ctypes.PyObj_FromPtr obj"),
    Page(
        "library/operator.html",
        "operator — Standard operators as functions Source code",
        "a = ixor(a, b) is equivalent to a ^= b.",
    ),
    Page("library/curses.html", "curses — Terminal handling for character-cell displays Source", "window contents are gathered."),
    Page("howto/regex.html", "Regular Expression HOWTO Author: A.M.", "Consider checking it out from your library."),
    Page(
        "howto/descriptor.html",
        "Descriptor HowTo Guide Author: Raymond",
        "'H' object has no attribute 'xz'",
        (("Contents Descriptor HowTo Guide Primer", "Member objects and __slots__"),),
    ),
    Page(
        "faq/design.html",
        "Design and History FAQ Contents Design",
        "may also make programmatic code generation easier.",
        (("Contents Design and History FAQ", "commas at the end of lists and tuples?"),),
    ),
    Page(
        "faq/programming.html",
        "Programming FAQ Contents Programming",
        "hex(id(cls.C)) '0x4198d0'",
        (("Contents Programming FAQ General", "the changes don’t show up. Why does this happen?"),),
    ),
    Page("whatsnew/3.11.html", "What’s New In Python 3.11 Release", "(Contributed by Inada Naoki in bpo-44029.)"),
    Page("c-api/list.html", "List Objects type PyListObject", "equivalent to tuple(list)."),
    Page("c-api/typeobj.html", "Type Objects Perhaps one of", ".tp_itemsize = sizeof(char *), };"),
    Page(
        "using/cmdline.html",
        "1. Command line and environment The CPython",
        "--with-trace-refs build option. New in version 3.11.",
    ),
    Page("glossary.html", "Glossary >>> The default Python prompt", "“import this” at the interactive prompt."),
    Page("genindex-X.html", "Index – X X (in module re)", "xview() (tkinter.ttk.Treeview method)"),
    Page(
        "py-modindex.html",
        "Python Module Index _ | a | b",
        "zoneinfo IANA time zone support",
        (("_ | a | b | c", "w | x | z"),),
    ),
    Page("index.html", "Python 3.11.2 documentation Welcome!", "History and License of Python Copyright"),
)


class _Text(HTMLParser):
    """Collects the text that is seen."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A block ends the word before it."""
        self._unseen += tag in _UNSEEN
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """The same at its end."""
        self._unseen -= tag in _UNSEEN and self._unseen > 0
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        """Text, unless nobody sees it."""
        if not self._unseen:
            self.parts.append(data)


def all_words(path: Path) -> list[str]:
    """All words of a page that are seen, in the order of the file."""
    parser = _Text()
    parser.feed(path.read_text("utf-8"))
    parser.close()
    return words_of("".join(parser.parts))


def content_words(page: Page, folder: Path) -> list[str]:
    """The words of a page's content.

    Raises:
        TruthFault: words that limit it are not there, or stand at several places: the page is of another release.
        OSError: the page cannot be read.
    """
    words = all_words(folder / page.path)
    begin, _ = _only(words, page.begin, page)
    _, end = _only(words, page.end, page)
    words = words[begin:end]
    for first, last in page.without:
        start, behind = _only(words, first, page)
        stops = [stop for stop in _places(words, words_of(last)) if stop >= behind]
        if not stops:
            raise TruthFault(f"{page.path}: {last!r} does not stand behind {first!r}. {_ADVICE}")
        del words[start : stops[0] + len(words_of(last))]
    return words


def _only(words: Sequence[str], text: str, page: Page) -> tuple[int, int]:
    """Where the words of a text begin and end."""
    wanted = words_of(text)
    places = _places(words, wanted)
    if len(places) != 1:
        raise TruthFault(f"{page.path}: {text!r} stands at {len(places)} places, not at one. {_ADVICE}")
    return places[0], places[0] + len(wanted)


def _places(words: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [at for at in range(len(words) - len(wanted) + 1) if words[at] == wanted[0] and words[at : at + len(wanted)] == wanted]
