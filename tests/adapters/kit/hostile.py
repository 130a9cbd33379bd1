"""A server on loopback that says exactly the bytes a test wants, and counts who came."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from adapters._kit.egress import Egress
from adapters._kit.http import Caps, HttpTransport, Incoming, Outgoing, Timeouts, Transport, Unanswered

TLS = ssl.create_default_context()  # shared: reading the trust store takes 20 ms
MIB = 1024 * 1024


@dataclass
class Visit:
    """One connection, as the server sees it."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "Hostile"

    async def request(self) -> bytes:
        """The next request, head and body; empty when the client hung up."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                head += await self.reader.readexactly(int(line.partition(b":")[2]))
        self.server.requests.append(head)
        return head

    def say(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    def reset(self) -> None:
        """Hang up with a TCP reset."""
        self.writer.transport.abort()


@dataclass
class Hostile:
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    @property
    def allowed(self) -> Egress:
        return Egress.allowing(sockets=[f"127.0.0.1:{self.port}"], http=True)


Script = Callable[[Visit], Awaitable[None]]


@asynccontextmanager
async def hostile(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hostile]:
    """Run the script for every connection; hang up when it ends. What still runs at the end is cancelled."""
    state = Hostile()
    visits: set[asyncio.Task[None]] = set()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        task = asyncio.current_task()
        assert task is not None
        visits.add(task)
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                await script(Visit(state.connections, reader, writer, state))
        finally:
            visits.discard(task)
            writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in visits:
            task.cancel()
        await asyncio.gather(*visits, return_exceptions=True)


def ok(body: bytes = b"{}", *lines: bytes) -> bytes:
    head = b"".join(line + b"\r\n" for line in lines)
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n%s\r\n%s" % (len(body), head, body)


@asynccontextmanager
async def served(
    script: Script, *, timeouts: Timeouts | None = None, caps: Caps | None = None
) -> AsyncIterator[tuple[Hostile, HttpTransport]]:
    async with hostile(script) as server:
        transport = HttpTransport(server.allowed, version="1.2", timeouts=timeouts, caps=caps, tls=TLS)
        async with transport:
            yield server, transport


def says(*parts: bytes, then: Callable[[Visit], Awaitable[None]] | None = None) -> Script:
    """Wait for a request, say this, then do that or hang up."""

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.say(*parts)
        if then is not None:
            await then(visit)

    return script


async def silence(_: Visit) -> None:
    await asyncio.Event().wait()


async def reset(visit: Visit) -> None:
    await visit.writer.drain()
    visit.reset()


def repeating(chunk: bytes, pause: float = 0) -> Callable[[Visit], Awaitable[None]]:
    async def repeats(visit: Visit) -> None:
        while True:
            visit.say(chunk)
            await visit.writer.drain()
            await asyncio.sleep(pause)

    return repeats


async def get(transport: Transport, server: Hostile, **more: float) -> Incoming:
    return await transport.send(Outgoing("GET", server.url("/?token=canary"), {"authorization": "canary"}), **more)


async def failure_of(script: Script, timeouts: Timeouts | None = None, caps: Caps | None = None) -> Unanswered:
    """How a GET ends; whatever it says tells nothing of the request, and it was asked exactly once."""
    async with served(script, timeouts=timeouts, caps=caps) as (server, transport):
        with pytest.raises(Unanswered) as caught:
            await get(transport, server)
        assert len(server.requests) == 1
    tells_nothing(caught.value)
    return caught.value


def tells_nothing(failure: BaseException) -> None:
    links: list[BaseException | None] = [failure]
    while links:
        link = links.pop()
        if link is not None:
            assert "canary" not in f"{link} {link!r} {vars(link)}"
            links += [link.__cause__, link.__context__]
