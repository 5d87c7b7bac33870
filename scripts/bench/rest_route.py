"""The yardstick of the shim: two routes written by hand with Starlette, which make the same gRPC calls.

As one would write them: messages by json_format, the caller's Authorization passed on, errors as JSON. Served as the shim is:
uvicorn, uvloop, httptools, no access log.

Run `python -m scripts.bench.rest_route --upstream unix:PATH`; it prints `listening on URL` and serves until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
from typing import Any

import grpc
import uvicorn
import uvloop
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingest.v1 import job_service_pb2, job_service_pb2_grpc


def routes(stub: Any) -> list[Route]:
    """The two routes."""

    async def call(method: Any, message: Any, request: Request) -> Response:
        token = request.headers.get("authorization")
        try:
            answer = await method(message, metadata=(("authorization", token),) if token else None, timeout=60.0)
        except grpc.aio.AioRpcError as error:
            return JSONResponse({"code": error.code().value[0], "message": error.details()}, status_code=500)
        text = json_format.MessageToJson(answer, always_print_fields_with_no_presence=True, indent=None)
        return Response(text, media_type="application/json")

    async def get_job(request: Request) -> Response:
        return await call(stub.GetJob, job_service_pb2.GetJobRequest(job_id=request.path_params["job_id"]), request)

    async def submit(request: Request) -> Response:
        message = job_service_pb2.SubmitJobsRequest()
        try:
            json_format.Parse(await request.body(), message, ignore_unknown_fields=True)
        except json_format.ParseError as error:
            return JSONResponse({"code": 3, "message": str(error)}, status_code=400)
        return await call(stub.SubmitJobs, message, request)

    return [Route("/v1/jobs/{job_id}", get_job), Route("/v1/jobs:submit", submit, methods=["POST"])]


async def serve(upstream: str) -> None:
    """Serve until a signal asks for the end."""
    async with grpc.aio.insecure_channel(upstream) as channel:
        app = Starlette(routes=routes(job_service_pb2_grpc.JobServiceStub(channel)))
        config = uvicorn.Config(app, loop="none", http="httptools", lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = asyncio.ensure_future(server.serve([listening]))
            print(f"listening on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, setattr, server, "should_exit", True)
            await serving


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upstream", required=True, help="unix:PATH or HOST:PORT")
    uvloop.run(serve(parser.parse_args().upstream))


if __name__ == "__main__":
    main()
