"""Counts pages of a word processing document: by breaks its author set, and by those its last layout program noted."""

from __future__ import annotations


class PageCount:
    """Where the text is.

    A break set by the author is usually followed by a noted one, at the beginning of the text behind it: both are one. A row that
    is parted by a break has it noted in every cell, so cells of a row count from the same page.

    Attributes:
        now: page, from 1.
        known: whether there was any break: without one nothing tells where pages end.
    """

    def __init__(self) -> None:
        self.now = 1
        self.known = False
        self._fresh = False
        self._any_text = False
        self._rows: list[tuple[int, int]] = []

    def text(self) -> None:
        """Text was read."""
        self._fresh = False
        self._any_text = True

    def break_page(self) -> None:
        """A break the author set."""
        self.now += 1
        self.known = self._fresh = True

    def break_before(self) -> None:
        """A paragraph that begins a page; the first one does so anyway."""
        if self._any_text and not self._fresh:
            self.break_page()

    def rendered_break(self) -> None:
        """A break that a layout program noted."""
        self.known = True
        if self._fresh:
            self._fresh = False
        else:
            self.now += 1

    def begin_row(self) -> None:
        """A row of a table begins."""
        self._rows.append((self.now, self.now))

    def begin_cell(self) -> None:
        """A cell begins, beside those before it."""
        if self._rows:
            self.now = self._rows[-1][0]

    def end_cell(self) -> None:
        """A cell ends."""
        if self._rows:
            start, furthest = self._rows[-1]
            self._rows[-1] = (start, max(furthest, self.now))

    def end_row(self) -> None:
        """The row ends where its longest cell does."""
        if self._rows:
            self.now = self._rows.pop()[1]
