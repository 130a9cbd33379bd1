"""A service that answers at once: what is measured is the gateway, never a provider.

    python -m bench.stub PORT

Answers every POST with a small issue as GitHub writes one, and 401 to whoever does not send the credential that
`bench.seeding` sealed, so that a gateway which forgot it cannot look fast. `GET /count` tells how many it served and
how many it turned away.
"""

import asyncio
import json
import sys
from typing import cast

import uvloop

#: What every sealed credential of a run begins with.
SECRET_PREFIX = "ghp_bench"  # noqa: S105 - made up

ISSUE = {
    "id": 4711,
    "number": 42,
    "title": "Hello from an agent",
    "body": "Something to look at.",
    "state": "open",
    "state_reason": None,
    "user": {"login": "octo", "id": 1, "type": "User"},
    "labels": [{"id": 7, "name": "bug", "color": "d73a4a", "default": True}],
    "assignees": [],
    "comments": 0,
    "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:04:05Z",
    "closed_at": None,
    "html_url": "https://github.example/octo/things/issues/42",
}
_EXPECTED = b"\r\nauthorization: bearer " + SECRET_PREFIX.lower().encode()


def _message(status: bytes, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 %s\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: %d\r\n"
        b"x-ratelimit-remaining: 4999\r\n\r\n%s" % (status, len(body), body)
    )


_CREATED = _message(b"201 Created", json.dumps(ISSUE).encode())
_DENIED = _message(b"401 Unauthorized", b'{"message":"Bad credentials"}')


class Stub(asyncio.Protocol):
    """Just enough HTTP/1.1 for clients that keep connections and send a content-length."""

    served = 0
    denied = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's inherit from nothing of asyncio's
        self.pending = b""

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:end].lower()
            length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self.pending) < end + 4 + length:
                return
            self.pending = self.pending[end + 4 + length :]
            self.transport.write(self.answer(head))

    @classmethod
    def answer(cls, head: bytes) -> bytes:
        if head.startswith((b"get /count", b"get /healthz")):
            return _message(b"200 OK", json.dumps({"served": cls.served, "denied": cls.denied}).encode())
        cls.served += 1
        if _EXPECTED in head:
            return _CREATED
        cls.denied += 1
        return _DENIED


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
