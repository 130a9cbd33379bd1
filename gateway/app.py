"""The ASGI application: every address Mandate answers at."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from console import static_dir
from gateway.doors import connect_page, connecting, health, signing_in, wire
from gateway.doors.asking import trusted
from gateway.doors.graphql import GraphQLDoor
from gateway.doors.lifetime import Lifetimes
from gateway.doors.mcp import McpDoor
from gateway.doors.sockets import GraphQLSockets
from gateway.doors.stream import StreamDoor
from gateway.wiring import Gateway, Plan, opened
from schema.build import schema
from schema.streams import Streams

if TYPE_CHECKING:
    from gateway.metrics import Metrics

_MCP_HEADERS = ("mcp-protocol-version", "mcp-method", "mcp-name")


class _Shortcut:
    """GraphQL by the shortest way: nearly every request is one, and layers made for pages cost a tenth of its time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.graphql: GraphQLDoor | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_graphql = scope["type"] == "http" and scope["path"] == "/graphql"
        app = self.graphql if is_graphql and self.graphql is not None else self._app
        await app(scope, receive, send)


def application(plan: Plan, sandboxes: Mapping[str, ASGIApp] | None = None) -> ASGIApp:
    """An application that opens its services when it starts and lets go of them when it stops."""
    origins = list(plan.settings.allowed_origins)
    token = plan.settings.metrics_token
    metrics = _metrics() if token is not None else None

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, object]]:
        async with opened(plan, metrics) as gateway, McpDoor(gateway, _pages(plan), plan.settings.oidc_issuer) as mcp:
            graphql = _graphql(plan, gateway)
            app.router.routes.extend([*_routes(gateway, graphql, sandboxes or {}), *mcp.routes()])
            if metrics is not None and token is not None:
                metrics.watch(health.Insides(gateway, graphql.sockets))
                app.router.routes.append(health.metrics_route(metrics, token))
            shortcut.graphql = None if origins else graphql.door  # pages of other origins need the layer for them
            try:
                yield {wire.STATE: graphql.sockets}
            finally:
                graphql.sockets.close()

    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "idempotency-key", *_MCP_HEADERS],
        expose_headers=["www-authenticate"],
    )
    shortcut = _Shortcut(Starlette(lifespan=lifespan, middleware=[cors] if origins else []))
    if metrics is not None:
        return metrics.around(shortcut)
    return shortcut


def _metrics() -> "Metrics":
    # Imported late: most starts measure nothing.
    from gateway.metrics import Metrics

    return Metrics()


@dataclass(frozen=True, slots=True)
class _GraphQL:
    door: GraphQLDoor
    stream: StreamDoor
    sockets: GraphQLSockets


def _graphql(plan: Plan, gateway: Gateway) -> _GraphQL:
    is_development = gateway.services.deployment.is_development
    streams, lifetimes = Streams(schema(), gateway.services), Lifetimes(gateway)
    wanted = plan.settings.file.graphql
    documents = trusted(wanted.documents, only=wanted.only_documents)
    return _GraphQL(
        GraphQLDoor(gateway, streams, documents, static_dir() / "graphiql" if is_development else None),
        StreamDoor(gateway, streams, lifetimes, documents),
        GraphQLSockets(gateway, streams, lifetimes, documents, _pages(plan)),
    )


def _routes(gateway: Gateway, graphql: _GraphQL, sandboxes: Mapping[str, ASGIApp]) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route("/graphql", graphql.door),
        Route("/graphql/stream", graphql.stream),
        *connecting.routes(gateway),
        *connect_page.routes(gateway),
        *signing_in.routes(gateway),
        *health.routes(gateway),
    ]
    if gateway.services.deployment.is_development:
        routes.append(Mount("/graphiql", StaticFiles(directory=static_dir() / "graphiql")))
    routes += [Mount(f"/sandbox/{slug}", app) for slug, app in sandboxes.items()]
    return routes


def _pages(plan: Plan) -> list[str]:
    """Whose pages may call from a browser: our own, and those the operator lists."""
    parts = urlsplit(plan.public_url)
    return [f"{parts.scheme}://{parts.netloc}", *plan.settings.allowed_origins]
