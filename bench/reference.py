"""What is measured against: servers that do the bare minimum, on the same uvicorn, with one worker.

    python -m bench.reference PORT KIND [ARGUMENT]

- `raw FILE`: raw ASGI that answers with the file's bytes. Nothing in Python over uvicorn is quicker.
- `starlette`: Starlette, one route, a small JSON.
- `proxy URL`: Starlette and aiohttp: reads the caller's JSON, calls the service with a credential, passes its JSON on.
- `fanout REDIS_URL`: Starlette's websockets: every Redis message goes to every socket as it is.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import aiohttp
import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from bench.stub import SECRET_PREFIX

CHANNEL = "bench"


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def raw(body: bytes) -> ASGIApp:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
    }
    rest = {"type": "http.response.body", "body": body}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        await send(start)
        await send(rest)

    return answer


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def starlette() -> ASGIApp:
    return Starlette(routes=[Route("/healthz", _healthz)])


def proxy(url: str) -> ASGIApp:
    headers = {"authorization": f"Bearer {SECRET_PREFIX}_proxy"}

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as session:
            app.state.session = session
            yield

    async def act(request: Request) -> Response:
        session = cast(aiohttp.ClientSession, request.app.state.session)
        asked = await request.json()
        async with session.post(url, json=asked["parameters"], headers=headers) as answer:
            return JSONResponse({"result": await answer.json()})

    return Starlette(routes=[Route("/healthz", _healthz), Route("/act", act, methods=["POST"])], lifespan=lifespan)


def fanout(redis_url: str) -> ASGIApp:
    sockets: set[WebSocket] = set()

    async def listen() -> None:
        async with Redis.from_url(redis_url) as client, client.pubsub() as heard:
            await heard.subscribe(CHANNEL)
            async for message in heard.listen():
                if message["type"] == "message":
                    frame = message["data"].decode()
                    await asyncio.gather(*(each.send_text(frame) for each in sockets))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        listening = asyncio.create_task(listen())
        yield
        listening.cancel()

    async def follow(socket: WebSocket) -> None:
        """The protocol's opening, so that one client measures both servers; what it asks for is not looked at."""
        await socket.accept(subprotocol="graphql-transport-ws")
        await socket.receive_text()
        await socket.send_text('{"type":"connection_ack"}')
        await socket.receive_text()
        sockets.add(socket)
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()
        sockets.discard(socket)

    return Starlette(
        routes=[Route("/healthz", _healthz), WebSocketRoute("/graphql", follow)],
        lifespan=lifespan,
    )


def app(kind: str, argument: str) -> ASGIApp:
    match kind:
        case "raw":
            return raw(Path(argument).read_bytes())
        case "starlette":
            return starlette()
        case "proxy":
            return proxy(argument)
        case "fanout":
            return fanout(argument)
    raise SystemExit(f"bench.reference: {kind} is not a kind of reference.")


if __name__ == "__main__":
    port, kind, *rest = sys.argv[1:]
    uvicorn.run(
        app(kind, rest[0] if rest else ""),
        host="127.0.0.1",
        port=int(port),
        log_level="warning",
        access_log=False,
        server_header=False,
    )
