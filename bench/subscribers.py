"""Many graphql-transport-ws subscribers in one process, each on a socket of its own, doing as little as they can.

They mask with zeros and look for `"type":"next"` without parsing, so that a delivery costs them a few microseconds.
"""

import asyncio
import base64
import contextlib
import json
import os
import time
from typing import cast
from urllib.parse import urlsplit

from domain.json import Json

_AT_ONCE = 50
_PATIENCE_SECONDS = 120
_MARKS = (b'"type":"next"', b'"type": "next"')


class Crowd:
    """All subscribers of a measurement. `sent` holds the moment of each event, in order."""

    def __init__(self, url: str, token: str, query: str, variables: Json) -> None:
        self.address = urlsplit(url)
        self.port = self.address.port or 80
        self.init = _frame({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        payload: Json = {"query": query, "variables": variables}
        self.subscribe = _frame({"id": "s", "type": "subscribe", "payload": payload})
        self.sent: list[float] = []
        self.latencies: list[float] = []
        self.delivered = 0
        self.complaints = 0
        self.lost = 0
        self.sample = b""
        self.members: list[Subscriber] = []
        self._wanted = 0
        self._all = asyncio.Event()

    async def gather(self, size: int) -> None:
        """Connect and subscribe them."""
        loop = asyncio.get_running_loop()
        while len(self.members) < size:
            fresh = []
            for _ in range(min(_AT_ONCE, size - len(self.members))):
                _, made = await loop.create_connection(lambda: Subscriber(self), "127.0.0.1", self.port)
                fresh.append(made)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await asyncio.gather(*(each.is_subscribed for each in fresh))
            self.members += fresh

    def expect(self, events: int) -> None:
        """So many more for everybody."""
        self._wanted = self.delivered + events * len(self.members)
        self._all.clear()

    async def served(self) -> int:
        """Wait until everybody has everything expected; how many deliveries are missing, 0 if all is well."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._all.wait()
        return self._wanted - self.delivered

    def take(self, number: int, now: float) -> None:
        """A delivery of the numbered event."""
        self.delivered += 1
        if number < len(self.sent):
            self.latencies.append(now - self.sent[number])
        if self.delivered >= self._wanted:
            self._all.set()

    def complain(self, payload: bytes) -> None:
        """Tell the first of what the server objected to; a thousand times the same helps nobody."""
        if not self.complaints:
            print(f"  the server said: {payload[:300]!r}", flush=True)
        self.complaints += 1

    def leave(self) -> None:
        for each in self.members:
            each.transport.close()


class Subscriber(asyncio.Protocol):
    """One socket."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.is_subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pending = b""
        self.is_open = False
        self.seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's inherit from nothing of asyncio's
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            (
                f"GET /graphql HTTP/1.1\r\nHost: {self.crowd.address.netloc}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        data = self.pending + data
        if not self.is_open:
            head, separator, data = data.partition(b"\r\n\r\n")
            if not separator:
                self.pending = head
                return
            if b" 101 " not in head[:40]:
                self.is_subscribed.set_exception(ConnectionError(head[:200].decode(errors="replace")))
                return
            self.is_open = True
            self.transport.write(self.crowd.init)
        at = 0
        while (found := _next(data, at)) is not None:
            kind, start, at = found
            self.read(kind, data[start:at], now)
        self.pending = data[at:]

    def read(self, kind: int, payload: bytes, now: float) -> None:
        if kind == 1 and any(mark in payload for mark in _MARKS):
            self.crowd.sample = self.crowd.sample or payload
            self.crowd.take(self.seen, now)
            self.seen += 1
        elif kind == 1 and b"connection_ack" in payload:
            self.transport.write(self.crowd.subscribe)
            self.is_subscribed.set_result(None)
        elif kind == 9:
            self.transport.write(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)  # a pong repeats its ping
        elif kind == 8 or b'"error"' in payload:
            self.crowd.complain(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.lost += 1
        if not self.is_subscribed.done():
            self.is_subscribed.set_exception(exc or ConnectionError("closed"))


def _frame(message: Json) -> bytes:
    text = json.dumps(message).encode()
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0xFE]) + len(text).to_bytes(2)
    return b"\x81" + length + bytes(4) + text


def _next(data: bytes, at: int) -> tuple[int, int, int] | None:
    """The frame that begins here: its kind, and where its payload begins and ends (RFC 6455, section 5.2)."""
    if len(data) - at < 2:
        return None
    length, start = data[at + 1] & 127, at + 2
    if length >= 126:
        start += 2 if length == 126 else 8
        length = int.from_bytes(data[at + 2 : start])
    end = start + length
    return (data[at] & 15, start, end) if end <= len(data) else None
