"""A loopback address that leads to whatever server it is pointed at, or to none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Relay:
    """Forwards bytes. While it points nowhere, whoever connects is turned away at once."""

    def __init__(self) -> None:
        self.url = ""
        self._target: int | None = None
        self._forwarding: set[asyncio.Task[None]] = set()

    def point_at(self, url: str | None) -> None:
        """Where those who connect from now on are led."""
        self._target = urlsplit(url).port if url else None

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One who connects."""
        if self._target is None:
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(_forward(source, sink))
            self._forwarding.add(task)
            task.add_done_callback(self._forwarding.discard)

    async def end(self) -> None:
        """Let go of everybody."""
        for task in tuple(self._forwarding):
            task.cancel()
        await asyncio.gather(*self._forwarding, return_exceptions=True)


async def _forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()


@asynccontextmanager
async def relay() -> AsyncIterator[Relay]:
    """A relay that points nowhere yet."""
    between = Relay()
    server = await asyncio.start_server(between.accept, "127.0.0.1", 0)
    between.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield between
    finally:
        server.close()
        await between.end()
