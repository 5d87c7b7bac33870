"""Files made by code to take time, memory, disk or names of files that are nobody's business. One kind of harm a module."""

from __future__ import annotations

from scripts.hostile_set.bombs import archives, compression, mail, markup, nesting, page_trees, pdf_streams, pictures, tables
from scripts.hostile_set.bombs.registered import BOMBS

__all__ = ["BOMBS", "archives", "compression", "mail", "markup", "nesting", "page_trees", "pdf_streams", "pictures", "tables"]
