"""`mandate dev`: the gateway, its database, its keys, simulated services, and one journey that shows them working."""

import asyncio
import time
from types import TracebackType
from typing import Self

import uvicorn

from domain.callers import Role
from domain.errors import Misconfigured
from domain.secrets import Secret
from gateway import collector, logs
from gateway.app import application
from gateway.journey import Journey
from gateway.serving import SERVER, refuse_taken
from gateway.starting import Development, development, refuse_remote, settings_of_process
from gateway.wiring import VERSION

TENANT, SUBJECT = "demo", "you"

_BOX = """
  Mandate {version}, development mode. For trying out on this machine: not for production.

    GraphQL    {url}/graphql   (open it in a browser for GraphiQL)
    MCP        {url}/mcp
    Database   {database}
    Simulated  {simulated}

  Your token (owner of tenant "{tenant}", good for 12 hours):

    {token}

  The first query:

    curl -s {url}/graphql -H 'authorization: Bearer {token}' \\
      -H 'content-type: application/json' -d '{{"query":"{{ viewer {{ subject permissions }} }}"}}'

  GraphiQL with the token already in it:

    {url}/graphql#token={token}

  Sign in by browser, once and within ten minutes:

    {url}/login?once={once}

  Ctrl-C stops it.
"""


async def develop(host: str, port: int, *, is_once: bool) -> int:
    """Start, show one journey, and go on serving unless `is_once`. The journey's success is the exit code."""
    logs.configure(is_development=True)
    settings = settings_of_process()
    refuse_remote(host)
    refuse_taken(host, port)
    with _Step("Starting the database"):
        starting = development(settings, host, port)
        made = await starting.__aenter__()
    try:
        with _Step("Starting the gateway"):
            server = _server(made, host, port)
            serving = asyncio.create_task(server.serve())
            await _listening(server, serving)
        collector.calm()
        token = made.issuer.issue(TENANT, SUBJECT, [Role.OWNER])
        succeeded = await Journey(made.plan.public_url, token).run()
        if is_once:
            server.should_exit = True
            await serving
            return 0 if succeeded else 1
        print(_box(made, token), flush=True)
        await serving
        return 0
    finally:
        await starting.__aexit__(None, None, None)


def _server(made: Development, host: str, port: int) -> uvicorn.Server:
    config = uvicorn.Config(
        application(made.plan, made.sandboxes),
        host=host,
        port=port,
        **SERVER,
    )
    return uvicorn.Server(config)


async def _listening(server: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    """Until the port is open. A server that could not start says why in its log."""
    while not server.started:
        if serving.done():
            raise Misconfigured("The gateway could not start; the lines above say why. Is the port in use?")
        await asyncio.sleep(0.01)


def _box(made: Development, token: str) -> str:
    return _BOX.format(
        version=VERSION,
        url=made.plan.public_url,
        database=made.database,
        simulated=", ".join(sorted(made.sandboxes)) or "none",
        tenant=TENANT,
        token=token,
        once=made.plan.links.issue(Secret(token)) if made.plan.links else "",
    )


class _Step:
    """One line of progress, with its seconds."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._begun = 0.0

    def __enter__(self) -> Self:
        self._begun = time.perf_counter()
        print(f"  {self._words} ... ", end="", flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = time.perf_counter() - self._begun
        print("failed" if error else f"{took:.1f} s", flush=True)
