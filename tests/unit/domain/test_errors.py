"""Failures as data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_server.domain.errors import Code, Exhausted, Failure, InvalidRequest, Reason


@given(
    code=st.sampled_from(Code),
    reason=st.text(max_size=40),
    message=st.text(max_size=200),
    metadata=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4),
    retryable=st.booleans(),
)
def test_a_failure_survives_its_encoding(
    code: Code, reason: str, message: str, metadata: dict[str, str], retryable: bool
) -> None:
    failure = Failure(code, reason, message, metadata, retryable)
    assert Failure.from_bytes(failure.to_bytes()) == failure


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"[1]", b'[99,"R","m",{},true]', b"\xff\xfe", b'[2,"R","m",7,true]', b"null"]
)
def test_rubbish_is_refused_as_a_failure(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an encoded failure"):
        Failure.from_bytes(data)


def test_text_that_utf8_cannot_hold_does_not_lose_the_failure() -> None:
    failure = Failure(Code.UNKNOWN, Reason.HANDLER_ERROR, "lone surrogate \ud800 from a file name")
    assert "lone surrogate" in Failure.from_bytes(failure.to_bytes()).message


def test_a_class_gives_code_and_reason_and_an_instance_may_refine_them() -> None:
    assert InvalidRequest("x").code == Code.INVALID_ARGUMENT
    refined = Exhausted("x", reason=Reason.QUOTA_EXCEEDED, retry_after_seconds=2.0)
    assert (refined.code, refined.reason) == (Code.RESOURCE_EXHAUSTED, Reason.QUOTA_EXCEEDED)
    assert Exhausted("y").reason == Reason.OVERLOADED
