"""What can go wrong between us and an S3 service."""

from __future__ import annotations


class S3Error(Exception):
    """A request did not succeed.

    Attributes:
        message: for people: the object, what the service said, and what to do where that is known. Holds no credentials.
        status: HTTP status; 0 where there was no whole answer.
        code: the service's own name for it, such as "NoSuchKey"; or ours: "TooLarge", "NoAnswer", "CutShort".
        retryable: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.retryable = retryable
