"""A small HTTP load generator, for where wrk is not installed.

    python -m bench.generator PORT FILE CALLERS SECONDS

FILE is a JSON list of whole requests. Prints one JSON object. It costs a few times what wrk does, so on two cores the
load can become the limit: read the server's CPU a request beside the rate.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import uvloop


class Load:
    """What all callers share."""

    def __init__(self, texts: list[bytes], until: float) -> None:
        self.texts = texts
        self.until = until
        self.turn = 0
        self.errors = 0
        self.took: list[float] = []

    def next(self) -> bytes:
        self.turn = (self.turn + 1) % len(self.texts)
        return self.texts[self.turn]


class Caller(asyncio.Protocol):
    """One connection, one request at a time. Answers must carry a content-length."""

    def __init__(self, load: Load, over: "asyncio.Future[None]") -> None:
        self.load = load
        self.over = over
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's inherit from nothing of asyncio's
        self.send()

    def send(self) -> None:
        self.sent = time.perf_counter()
        if self.sent >= self.load.until:
            self.transport.close()
        else:
            self.transport.write(self.load.next())

    def data_received(self, data: bytes) -> None:
        self.pending += data
        end = self.pending.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.pending[:end].lower()
        length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self.pending) < end + 4 + length:
            return
        self.pending = b""
        self.load.errors += head[9:10] != b"2"
        self.load.took.append(time.perf_counter() - self.sent)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever it was, it is one error
        if time.perf_counter() < self.load.until:
            self.load.errors += 1
        if not self.over.done():
            self.over.set_result(None)


async def run(port: int, texts: list[bytes], callers: int, seconds: float) -> dict[str, float]:
    loop, begun = asyncio.get_running_loop(), time.perf_counter()
    load = Load(texts, begun + seconds)
    ends = [loop.create_future() for _ in range(callers)]
    for end in ends:
        await loop.create_connection(lambda end=end: Caller(load, end), "127.0.0.1", port)  # type: ignore[misc]  # bound now
    await asyncio.gather(*ends)
    took = sorted(load.took) or [0.0]
    return {
        "requests": len(load.took),
        "seconds": time.perf_counter() - begun,
        "p50_ms": took[len(took) // 2] * 1e3,
        "p99_ms": took[int(len(took) * 0.99)] * 1e3,
        "errors": load.errors,
    }


if __name__ == "__main__":
    port, file, callers, seconds = sys.argv[1:]
    messages = [text.encode() for text in json.loads(Path(file).read_text())]
    print(json.dumps(uvloop.run(run(int(port), messages, int(callers), float(seconds)))))
