"""Writing to a stream of the server that may end while we write: with the answer, or with a refusal.

A write that comes after the end fails in gRPC's core. `grpc.aio` then puts a status of its own, INTERNAL, in the place of the one
that the server has sent or is sending (grpc/grpc#36066, #43486), so every early refusal would be a matter of luck. Therefore the
write goes to the call below, which fails without touching the status; where a later grpcio has no such call, to the usual one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

END_SECONDS_MAX = 10.0
"""The status of a call that takes no more is on its way: what does not come in this time never comes."""


async def send_message(call: Any, message: bytes) -> bool:
    """Send a message. Answers False if the server takes no more: the call tells why.

    Args:
        call: a client stream that was begun without requests.
        message: serialized.
    """
    if call.done():
        return False
    below = getattr(call, "_cython_call", None)
    try:
        await call.wait_for_connection()
        await (call.write(message) if below is None else below.send_serialized_message(message))
    except (grpc.aio.AioRpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
        return False
    return True


async def end_messages(call: Any) -> None:
    """Say that no more will come. Harmless if the server wants to hear nothing more."""
    try:
        await call.done_writing()
    except grpc.aio.InternalError:
        pass  # it has ended


async def early_end(call: Any) -> None:
    """Wait for the end of a call that takes no more. Raises AioRpcError unless it ended well, or does not end."""
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            code: grpc.StatusCode = await call.code()
    except TimeoutError:
        message = "the server took no more of the stream and did not say why"
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), message) from None
    if code is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            code, grpc.aio.Metadata(), await call.trailing_metadata() or grpc.aio.Metadata(), await call.details()
        )
