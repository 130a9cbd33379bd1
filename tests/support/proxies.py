"""A TCP proxy that can go away in every way a server can: refuse, swallow, cut, and come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlencode, urlsplit

_PLACE = ("host", "port")


class Proxy:
    """Stands between a client and a server. `url` is the server's address, by way of this proxy."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._delivers = asyncio.Event()
        self._delivers.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The target's address with this proxy's port."""
        who, _, _ = self._target.netloc.rpartition("@")
        netloc = f"{who}@127.0.0.1:{self._port}" if who else f"127.0.0.1:{self._port}"
        query = urlencode([(name, value) for name, value in parse_qsl(self._target.query) if name not in _PLACE])
        return self._target._replace(netloc=netloc, query=query).geturl()

    async def open(self) -> None:
        """Accept connections and deliver; the same port each time."""
        self._delivers.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Cut every connection and accept no new one."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    def swallow(self) -> None:
        """Accept everything, deliver nothing: the network's black hole."""
        self._delivers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        if this is not None:
            self._tasks.add(this)
            this.add_done_callback(self._tasks.discard)
        try:
            await self._delivers.wait()
            there_reader, there_writer = await self._connect()
            try:
                both = (self._forward(reader, there_writer), self._forward(there_reader, writer))
                _, open_still = await asyncio.wait(
                    [asyncio.ensure_future(way) for way in both], return_when=asyncio.FIRST_COMPLETED
                )
                for way in open_still:
                    way.cancel()
                await asyncio.gather(*open_still, return_exceptions=True)
            finally:
                there_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A folder as the host is PostgreSQL's way of saying that its socket lies there."""
        place = dict(parse_qsl(self._target.query))
        host, port = place.get("host", self._target.hostname or ""), place.get("port", self._target.port or 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self._delivers.wait()
                sink.write(data)
                await sink.drain()

    async def _cut(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(target: str) -> AsyncIterator[Proxy]:
    """A proxy before the server at this address, delivering."""
    proxy = Proxy(target)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.refuse()
