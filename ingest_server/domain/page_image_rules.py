"""How finely pages may be drawn: one rule for the wire and for the handler."""

from __future__ import annotations

DOTS_PER_INCH_MIN = 36
"""Half the size of the page on a screen: coarser, no text can be read."""
DOTS_PER_INCH_MAX = 600
"""What printers and archives use; an A4 page has 35 million pixels then."""


def fault_of(dots_per_inch: int) -> str:
    """What is wrong with `page_images_dpi`; "" if nothing is. 0 stands for no pictures of pages."""
    if dots_per_inch == 0 or DOTS_PER_INCH_MIN <= dots_per_inch <= DOTS_PER_INCH_MAX:
        return ""
    return f"must be 0 (no pictures of pages) or {DOTS_PER_INCH_MIN} … {DOTS_PER_INCH_MAX}, not {dots_per_inch:,}"
