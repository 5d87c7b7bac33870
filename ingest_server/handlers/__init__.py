"""What a handler's author imports: the decorator, the context, and the ways to end.

from ingest_server.handlers import Context, handler
"""

from ingest_server.handlers.decorator import handler
from ingest_server.handlers.interface import Cancelled, Context, HandlerFailure, Input, Output
from ingest_server.handlers.parts import Part, PartResult, Split

__all__ = ["Cancelled", "Context", "HandlerFailure", "Input", "Output", "Part", "PartResult", "Split", "handler"]
