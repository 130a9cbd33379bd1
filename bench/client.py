"""Outgoing calls per second and their cost: Mandate's transport against aiohttp bare, in one run.

Against the simulated service of `bench.stub`. CPU is this process's, per call.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import httpx2

from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Outgoing
from bench import report
from bench.machine import SERVER_CORE, on_core
from bench.options import Options
from bench.stores import Stores
from bench.stub import SECRET_PREFIX
from bench.trial import service

BODY = b'{"title": "hello", "body": "from an agent", "labels": ["bug"]}'
FIELDS = {"authorization": f"Bearer {SECRET_PREFIX}_client", "content-type": "application/json"}
CONCURRENCY = (1, 16, 64)

Call = Callable[[], Awaitable[object]]


async def timed(name: str, call: Call, seconds: float) -> None:
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
        report.note(f"{f'{name}, c={concurrency}':38s} {rate:8.0f} calls/s  {cost:6.0f} us CPU")


async def bare(url: str, seconds: float) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=512)) as session:

        async def call() -> None:
            async with session.post(url, data=BODY, headers=FIELDS) as response:
                await response.read()

        await timed("aiohttp, bare", call, seconds)


async def ours(egress: Egress, url: str, seconds: float) -> None:
    async with HttpTransport(egress, version="bench") as transport:
        request = Outgoing("POST", url, FIELDS, BODY)
        await timed("HttpTransport", lambda: transport.send(request), seconds)


async def oauth(egress: Egress, url: str, seconds: float) -> None:
    async with (
        HttpTransport(egress, version="bench") as transport,
        httpx2.AsyncClient(transport=transport.for_oauth()) as client,
    ):
        await timed("httpx2 over for_oauth()", lambda: client.post(url, content=BODY, headers=FIELDS), seconds)


async def measure(servers: Stores, options: Options) -> None:
    """Print the figures."""
    del servers  # nothing is stored
    report.title("Client: our guarded transport against aiohttp bare, per call")
    with service() as upstream, on_core(SERVER_CORE):
        url = f"{upstream.url}/repos/octo/things/issues"
        egress = Egress.allowing(sockets=[f"127.0.0.1:{upstream.port}"], http=True)
        for _ in range(2):
            await bare(url, options.seconds)
            await ours(egress, url, options.seconds)
        await oauth(egress, url, options.seconds)
