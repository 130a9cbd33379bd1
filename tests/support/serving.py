"""A real server around an ASGI application, for tests that want real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from gateway.doors.wire import Wire
from gateway.serving import LARGEST_FRAME_BYTES

_PATIENCE_SECONDS = 1


class _Server(uvicorn.Server):
    """uvicorn, but it tells when it listens, leaves signals to the test run, and stops without polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.leaving = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        while not self.leaving.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.leaving.wait(), timeout=1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if tasks := set(self.server_state.tasks):
            _, late = await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.lifespan.shutdown()


def free_listener() -> socket.socket:
    """A socket on a free loopback port: for who must know the port before the application is made."""
    # Named as TCP, or asyncio leaves Nagle's algorithm on and each answer waits 40 ms for an acknowledgement
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, *, access_log: bool = False, listener: socket.socket | None = None
) -> AsyncIterator[str]:
    """Serve `app` on a free loopback port, or on `listener`, in this loop; yields `http://127.0.0.1:PORT`.

    Raises RuntimeError when the application does not start. Requests still running at the end get one second.
    """
    with listener or free_listener() as listener:  # noqa: PLR1704  # the given one, or a new one
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(app, log_config=None, access_log=access_log, ws=Wire, ws_max_size=LARGEST_FRAME_BYTES)
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        heard = asyncio.create_task(server.listening.wait())
        await asyncio.wait({running, heard}, return_when=asyncio.FIRST_COMPLETED)
        if not server.listening.is_set():
            heard.cancel()
            raise RuntimeError("the application did not start") from running.exception()
        try:
            yield address
        finally:
            server.leaving.set()
            await running
