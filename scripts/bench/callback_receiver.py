"""A receiver of callbacks as a program: verifies signatures, fails as often as it is told, and prints a line for each message.

`python -m scripts.bench.callback_receiver PORT SECRET FAILING SEED`: port 0 takes a free one; FAILING is the fraction that fails,
half of those by a status of 5xx and half by an answer that never comes because the connection is closed. The first line printed
is `receiving on PORT`; then, before each answer, one JSON object: `id`, `type`, `job_id`, `valid`, `status` (0: closed).

It is written from the text of Standard Webhooks, apart from the server's own code: what both understand alike is the scheme.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import sys
import time

TOLERANCE_SECONDS = 300


class Receiver:
    """Answers messages."""

    def __init__(self, secret: str, failing: float, seed: int) -> None:
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._failing = failing
        self._chance = random.Random(seed)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, message by message."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                headers = _headers(head)
                content = await reader.readexactly(int(headers["content-length"]))
                status = self._status()
                self._print(headers, content, status)
                if not status:
                    return
                writer.write(f"HTTP/1.1 {status} Answer\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def _status(self) -> int:
        if self._chance.random() >= self._failing:
            return 204
        return self._chance.choice((500, 503, 0, 0))

    def _print(self, headers: dict[str, str], content: bytes, status: int) -> None:
        message = json.loads(content)
        line = {
            "id": headers["webhook-id"],
            "type": message["type"],
            "job_id": message["data"]["job_id"],
            "valid": self._valid(headers, content),
            "status": status,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def _valid(self, headers: dict[str, str], content: bytes) -> bool:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
        wanted = "v1," + base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        fresh = abs(time.time() - int(headers["webhook-timestamp"])) <= TOLERANCE_SECONDS
        return fresh and any(hmac.compare_digest(wanted, given) for given in headers["webhook-signature"].split())


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


async def main(port: int, secret: str, failing: float, seed: int) -> None:
    """Receive until killed."""
    receiver = Receiver(secret, failing, seed)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port, backlog=1_024)
    print(f"receiving on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
