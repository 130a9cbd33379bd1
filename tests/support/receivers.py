"""An endpoint for webhooks on a real socket, which does as it is told, good or bad.

async with receiving() as receiver:
    receiver.answers += [500, "drop"]      # to the first two messages; 204 to all others
    ...
    await receiver.heard(3)
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

PATIENCE_SECONDS = 20

#: A status to answer with, or a way to misbehave. "endless": accepted, with a body that never ends.
Behaviour = int | Literal["drop", "garbage", "redirect", "endless"]


@dataclass(frozen=True)
class Message:
    """One request, as it came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)["data"]


@dataclass
class Receiver:
    """What came, and what is answered next."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    answers: deque[Behaviour] = field(default_factory=deque)
    always: Behaviour = 204
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def heard(self, many: int) -> list[Message]:
        """Once so many messages have come."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: len(self.messages) >= many)
        return self.messages

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = [line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line]
                headers = {name.lower(): value for name, value in fields}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                behaviour = self.answers.popleft() if self.answers else self.always
                async with self._news:
                    self.messages.append(Message(headers, body))
                    self._news.notify_all()
                if not await self._behave(behaviour, writer):
                    break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _behave(self, behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
        match behaviour:
            case "drop":
                return False
            case "garbage":
                writer.write(b"what is HTTP?\r\n\r\n")
                return False
            case "redirect":
                writer.write(f"HTTP/1.1 307 x\r\nlocation: {self.url}\r\ncontent-length: 0\r\n\r\n".encode())
            case "endless":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
                while True:
                    writer.write(b"x" * 10_000)
                    await writer.drain()
            case status:
                writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        return True


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """On a free loopback port."""
    receiver, open_ones = Receiver(), set[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        await receiver.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
        for each in open_ones:
            each.close()
