"""Comments of the protos as Markdown."""

from __future__ import annotations

import pytest

from ingest_server.rest.comments import to_markdown


def test_lines_of_a_paragraph_are_joined_and_paragraphs_kept_apart() -> None:
    assert to_markdown("One\ntwo.\n\nThree.") == "One two.\n\nThree."


def test_indented_lines_keep_their_form() -> None:
    assert to_markdown("States:\n\n  A -> B\n    -> C\n\nDone.") == "States:\n\n```\nA -> B\n  -> C\n```\n\nDone."


@pytest.mark.parametrize(
    ("comment", "markdown"),
    [
        ("Needs request_id.", "Needs `request_id`."),
        ("At most ServerInfo.limits.wait_max.", "At most `ServerInfo.limits.wait_max`."),
        ("A google.rpc.Status, as JSON.", "A `google.rpc.Status`, as JSON."),
        ("NOT_FOUND (JOB_NOT_FOUND)", "`NOT_FOUND` (`JOB_NOT_FOUND`)"),
        ("RUNNING jobs; a UUID; the FULL view.", "`RUNNING` jobs; a UUID; the FULL view."),
        ('metadata "queue_name"', 'metadata "queue_name"'),
        ("keys match [a-z]([a-z]*)?, at most 32", "keys match `[a-z]([a-z]*)?`, at most 32"),
        ("Ends. Then begins", "Ends. Then begins"),
        ("", ""),
    ],
)
def test_identifiers_and_patterns_are_code(comment: str, markdown: str) -> None:
    assert to_markdown(comment) == markdown
