"""Outgoing calls per second and their cost: Mandate's transport against aiohttp bare, in one run.

    python -m bench.client [--seconds 2] [--rounds 2]

Starts a small server of its own on loopback in a second process. Compare the rows of one run with each
other; the figures of two machines or two days say nothing. CPU is this process's, per call.
"""

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import cast

import aiohttp
import httpx2
import uvloop

from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Outgoing

BODY = b'{"title": "hello", "body": "from an agent", "labels": ["bug"]}'
FIELDS = {"authorization": "Bearer sk_test_0123456789", "content-type": "application/json"}
ANSWER = b'{"id": 4711, "ok": true, "title": "issue created", "state": "open"}'
CONCURRENCY = (1, 16, 64)

Call = Callable[[], Awaitable[object]]


class Stub(asyncio.Protocol):
    """Answers every request with the same small JSON; knows just enough HTTP for the clients here."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's inherit from nothing of asyncio's
        self.pending = b""

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while b"\r\n\r\n" in self.pending:
            head, _, rest = self.pending.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(rest) < length:
                return
            self.pending = rest[length:]
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (len(ANSWER), ANSWER)
            )


def serve(port: Connection) -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0, backlog=1024)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(forever())


async def measure(name: str, call: Call, seconds: float) -> None:
    for _ in range(100):
        await call()
    for concurrency in CONCURRENCY:
        calls = 0
        stop = time.perf_counter() + seconds

        async def caller(stop: float = stop) -> None:
            nonlocal calls
            while time.perf_counter() < stop:
                await call()
                calls += 1

        cpu, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(concurrency)))
        rate = calls / (time.perf_counter() - began)
        cost = (time.process_time() - cpu) / calls * 1e6
        print(f"{name:24s} c={concurrency:<3d} {rate:8.0f} calls/s  {cost:7.1f} us CPU per call", flush=True)


async def bare(url: str, seconds: float) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=512)) as session:

        async def call() -> None:
            async with session.post(url, data=BODY, headers=FIELDS) as response:
                await response.read()

        await measure("aiohttp, bare", call, seconds)


async def ours(egress: Egress, url: str, seconds: float) -> None:
    async with HttpTransport(egress, version="bench") as transport:
        request = Outgoing("POST", url, FIELDS, BODY)
        await measure("HttpTransport", lambda: transport.send(request), seconds)


async def oauth(egress: Egress, url: str, seconds: float) -> None:
    async with (
        HttpTransport(egress, version="bench") as transport,
        httpx2.AsyncClient(transport=transport.for_oauth()) as client,
    ):
        await measure(
            "httpx2 over for_oauth()", lambda: client.post(url, content=BODY, headers=FIELDS), seconds
        )


async def compare(port: int, seconds: float, rounds: int) -> None:
    url, egress = (
        f"http://127.0.0.1:{port}/issues?x=1",
        Egress.allowing(sockets=[f"127.0.0.1:{port}"], http=True),
    )
    for _ in range(rounds):
        await bare(url, seconds)
        await ours(egress, url, seconds)
    await oauth(egress, url, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each figure is measured")
    parser.add_argument("--rounds", type=int, default=2, help="how often the two are compared, in turn")
    wanted = parser.parse_args()
    mine, theirs = multiprocessing.Pipe()
    stub = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    stub.start()
    try:
        uvloop.run(compare(mine.recv(), wanted.seconds, wanted.rounds))
    finally:
        stub.terminate()


if __name__ == "__main__":
    main()
