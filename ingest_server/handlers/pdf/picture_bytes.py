"""How many bytes of pictures one reading of a document may give: embedded ones and drawn pages together."""

from __future__ import annotations

BYTES_MAX = 128 * 1024 * 1024
"""An eighth of the largest output a server takes by default; pages at 150 dots per inch have some 100 KB."""


class PictureBytes:
    """Counts them down.

    Args:
        bytes_max: in all.
    """

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.left = bytes_max

    def take(self, size: int) -> bool:
        """Whether a picture of so many bytes is still allowed; if so it is counted."""
        if size > self.left:
            return False
        self.left -= size
        return True
