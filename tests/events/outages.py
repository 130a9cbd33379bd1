"""Servers that can be taken away: a Redis that is killed and started again, a network that swallows everything."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PASSWORD = "canary-3f1c9d"


class PrivateRedis:
    """A Redis of one test's own, behind a password."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "The tests need Redis: install redis-server."
        words = ["--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", PASSWORD]
        words += ["--save", "", "--appendonly", "no", "--logfile", os.devnull]
        self._server = subprocess.Popen([program, *words], cwd=os.environ["MANDATE_TEST_RUN_FOLDER"])
        async with asyncio.timeout(30):
            while not await self._accepts():
                assert self._server.poll() is None, "Redis does not start"
                await asyncio.sleep(0.01)

    def kill(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


@asynccontextmanager
async def private_redis() -> AsyncIterator[PrivateRedis]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = PrivateRedis(probe.getsockname()[1])
    await server.start()
    try:
        yield server
    finally:
        server.kill()


class Network:
    """Forwards bytes to a port. After `swallow` it accepts everything and delivers nothing, until `deliver`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def swallow(self) -> None:
        self._open.clear()

    def deliver(self) -> None:
        self._open.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._forward(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def network(target: int) -> AsyncIterator[Network]:
    between = Network(target)
    server = await asyncio.start_server(between.connect, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    try:
        yield between
    finally:
        server.close()
        await between.end()
