"""`mandate serve`: one process or several on the same PostgreSQL and Redis."""

import asyncio
import socket
from typing import TypedDict

import uvicorn
from starlette.types import ASGIApp

from domain.errors import DependencyDown, Misconfigured
from gateway import collector, logs
from gateway.app import application
from gateway.doors.wire import Wire
from gateway.starting import production, settings_of_process
from gateway.wiring import Plan, opened

LARGEST_FRAME_BYTES = 65_536
GRACE_SECONDS = 30


class _Server(TypedDict):
    log_level: str
    access_log: bool
    ws: type[asyncio.Protocol]
    ws_max_size: int
    timeout_graceful_shutdown: int
    server_header: bool
    proxy_headers: bool


#: How uvicorn is run, however the gateway is started. The peer is who is at the other end of the socket: no header says
#: otherwise, since development's tokens count from this machine only.
SERVER: _Server = {
    "log_level": "warning",
    "access_log": False,
    "ws": Wire,
    "ws_max_size": LARGEST_FRAME_BYTES,
    "timeout_graceful_shutdown": GRACE_SECONDS,
    "server_header": False,
    "proxy_headers": False,
}


def serve(host: str, port: int, workers: int) -> None:
    """Serve until told to stop; what is under way is seen through first. Raises Misconfigured before listening."""
    if not 1 <= workers <= 64:
        raise Misconfigured("--workers is between 1 and 64.")
    # Complain now, in one line, rather than once in every worker.
    logs.configure(is_development=False)
    plan = production(settings_of_process())
    refuse_taken(host, port)
    asyncio.run(_try_out(plan))
    uvicorn.run(
        "gateway.serving:worker",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        **SERVER,
    )


def refuse_taken(host: str, port: int) -> None:
    """Raises Misconfigured when nobody can listen there."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise Misconfigured(f"Cannot listen on {host} port {port}: {error.strerror}. See --host and --port.") from None


async def _try_out(plan: Plan) -> None:
    """Open everything once and let go of it: what is wrong is told before anybody is served."""
    try:
        async with opened(plan):
            pass
    except DependencyDown:
        raise Misconfigured("The database that DATABASE_URL names does not answer.") from None


def worker() -> ASGIApp:
    """One process's application."""
    logs.configure(is_development=False)
    collector.calm()
    return application(production(settings_of_process()))
