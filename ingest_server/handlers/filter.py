"""The filter task: drops chunks that break rules, and tells which it dropped."""

from __future__ import annotations

from ingest_server.domain.filter_rules import FilterRequest
from ingest_server.handlers.chunked_documents import documents_of, invalid_options, read_chunked, to_output
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.interface import Context, Output
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE
from ingest_server.handlers.selection.dropping import drop_chunks
from ingest_server.handlers.selection.rules import broken_rule, rules_of


@handler("filter", media_types=(DOCUMENT_MEDIA_TYPE,))
def filter_chunks(context: Context, options: FilterRequest) -> Output:
    """Drops chunks by length, share of letters and phrases.

    Returns:
        The serialized `ingest.v1.Document` without them, each noted in `dropped_chunks`.

    Raises:
        HandlerFailure: INVALID_OPTIONS, MEDIA_TYPE_NOT_SUPPORTED or DOCUMENT_MALFORMED; none retryable.
        Cancelled: the attempt was asked to stop.
    """
    for field, problem in options.faults():
        raise invalid_options(f"{field or 'filter'} {problem}")
    context.check()
    document = read_chunked(context, "filter")
    rules = rules_of(options)
    dropped = sum(drop_chunks(each, lambda chunk: broken_rule(chunk, rules), context.check) for each in documents_of(document))
    context.log.debug("filter dropped %d chunks", dropped)
    return to_output(document, context)
