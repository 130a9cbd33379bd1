"""The ASGI application: every address Mandate answers at."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from console import static_dir
from gateway.doors import connecting, health
from gateway.doors.graphql import GraphQLDoor
from gateway.doors.mcp import McpDoor
from gateway.wiring import Gateway, Plan, opened

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

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opened(plan) as gateway, McpDoor(gateway, _pages(plan), plan.settings.oidc_issuer) as mcp:
            door = _graphql(plan, gateway)
            app.router.routes.extend([*_routes(gateway, door, sandboxes or {}), *mcp.routes()])
            shortcut.graphql = None if origins else door  # pages of other origins need the layer that answers them
            yield

    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "idempotency-key", *_MCP_HEADERS],
        expose_headers=["www-authenticate"],
    )
    shortcut = _Shortcut(Starlette(lifespan=lifespan, middleware=[cors] if origins else []))
    return shortcut


def _graphql(plan: Plan, gateway: Gateway) -> GraphQLDoor:
    is_development = gateway.services.deployment.is_development
    return GraphQLDoor(gateway, _pages(plan), static_dir() / "graphiql" if is_development else None)


def _routes(gateway: Gateway, door: GraphQLDoor, sandboxes: Mapping[str, ASGIApp]) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route("/graphql", door),
        WebSocketRoute("/graphql", door),
        *connecting.routes(gateway),
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
