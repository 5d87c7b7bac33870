"""The ceiling: a bare grpc.aio server that takes the messages of SubmitJobs and does nothing with them.

Methods:
    /ingest.v1.JobService/SubmitJobs  request unread, answer prebuilt for the number of items given: what a stub can call
    /ingest.v1.JobService/GetJob      request unread, an ended job as most answers are
    /ingest.bench.Echo/Raw            the very bytes back
    /ingest.bench.Echo/Parsed         a SubmitJobsRequest read and written again: what protobuf alone costs
    /ingest.bench.Echo/Answered       the same read, and an answer made with a message object per item

Run `python -m scripts.bench.echo`; it prints `listening on ADDRESS` and serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import uvloop

from ingest.v1 import job_pb2, job_service_pb2

JOB_ID = "0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f"
MESSAGE_BYTES_MAX = 64 * 1024 * 1024


def answer_for(items: int) -> job_service_pb2.SubmitJobsResponse:
    """The answer to a submit of so many jobs, all accepted."""
    result = job_service_pb2.SubmitResult(job_id=JOB_ID, created=True)
    return job_service_pb2.SubmitJobsResponse(batch_id=JOB_ID, results=[result] * items)


def ended_job() -> job_service_pb2.GetJobResponse:
    """A job that succeeded, in the BASIC view."""
    job = job_pb2.Job(
        job_id=JOB_ID,
        batch_id=JOB_ID,
        tenant="default",
        queue="default",
        state=job_pb2.JOB_STATE_SUCCEEDED,
        attempt=1,
        revision=3,
        labels={"source": "mail", "kind": "report"},
    )
    for time in (job.create_time, job.start_time, job.end_time, job.expire_time):
        time.FromMilliseconds(1_770_000_000_123)
    return job_service_pb2.GetJobResponse(job=job)


class EchoHandlers(grpc.GenericRpcHandler):  # type: ignore[type-arg,misc,unused-ignore]  # stubs differ
    """The methods.

    Args:
        items: results in the prebuilt answer.
    """

    def __init__(self, items: int) -> None:
        prebuilt = answer_for(items).SerializeToString()

        async def submit(request: bytes, context: Any) -> bytes:
            return prebuilt

        job = ended_job().SerializeToString()

        async def get_job(request: bytes, context: Any) -> bytes:
            return job

        async def raw(request: bytes, context: Any) -> bytes:
            return request

        async def parsed(request: bytes, context: Any) -> bytes:
            return job_service_pb2.SubmitJobsRequest.FromString(request).SerializeToString()

        async def answered(request: bytes, context: Any) -> bytes:
            jobs = job_service_pb2.SubmitJobsRequest.FromString(request).jobs
            results = [job_service_pb2.SubmitResult(job_id=JOB_ID, created=True) for _ in jobs]
            return job_service_pb2.SubmitJobsResponse(batch_id=JOB_ID, results=results).SerializeToString()

        methods: dict[str, Callable[[bytes, Any], Awaitable[bytes]]] = {
            "/ingest.v1.JobService/SubmitJobs": submit,
            "/ingest.v1.JobService/GetJob": get_job,
            "/ingest.bench.Echo/Raw": raw,
            "/ingest.bench.Echo/Parsed": parsed,
            "/ingest.bench.Echo/Answered": answered,
        }
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            path: grpc.unary_unary_rpc_method_handler(serve) for path, serve in methods.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Find a method."""
        return self._handlers.get(handler_call_details.method)


async def start(listen: str, items: int) -> tuple[grpc.aio.Server, str]:
    """Start a server. Answers it and its address."""
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((EchoHandlers(items),))
    port = server.add_insecure_port(listen)
    await server.start()
    return server, listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"


async def serve(listen: str, items: int) -> None:
    """Serve until a signal asks for the end."""
    server, address = await start(listen, items)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    print(f"listening on {address}", flush=True)
    await ended.wait()
    await server.stop(0)


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT (port 0 picks one) or unix:PATH")
    parser.add_argument("--items", type=int, default=1, help="results in the prebuilt answer")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.listen, arguments.items))


if __name__ == "__main__":
    main()
