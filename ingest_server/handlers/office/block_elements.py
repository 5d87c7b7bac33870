"""Adds blocks of office documents to a document as its elements."""

from __future__ import annotations

from ingest_server.handlers.elements import ElementBuilder
from ingest_server.handlers.office.word_blocks import Block, TableBlock, TextBlock


def add_block(builder: ElementBuilder, block: Block) -> None:
    """Add a block as the next element."""
    if isinstance(block, TextBlock):
        builder.text(block.text, block.role, page=block.page, level=block.level)
    elif isinstance(block, TableBlock):
        builder.table(block.rows, block.columns, block.cells, page=block.page)
    else:
        builder.image(block.alt_text, page=block.page)
