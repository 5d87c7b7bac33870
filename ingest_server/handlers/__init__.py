"""What a handler's author imports: the decorator, the context, and the ways to end.

from ingest_server.handlers import Context, handler
"""

from ingest_server.handlers.decorator import handler
from ingest_server.handlers.interface import Cancelled, Context, HandlerFailure, Input, Output

__all__ = ["Cancelled", "Context", "HandlerFailure", "Input", "Output", "handler"]
