"""The ASGI application: every address Mandate answers at."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from console import static_dir
from gateway.doors import connecting, health
from gateway.doors.graphql import GraphQLDoor
from gateway.doors.mcp import McpDoor
from gateway.wiring import Gateway, Plan, opened

_MCP_HEADERS = ("mcp-protocol-version", "mcp-method", "mcp-name")


def application(plan: Plan, sandboxes: Mapping[str, ASGIApp] | None = None) -> Starlette:
    """An application that opens its services when it starts and lets go of them when it stops."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opened(plan) as gateway, McpDoor(gateway, _pages(plan), plan.settings.oidc_issuer) as mcp:
            app.router.routes.extend([*_routes(plan, gateway, sandboxes or {}), *mcp.routes()])
            yield

    origins = list(plan.settings.allowed_origins)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "idempotency-key", *_MCP_HEADERS],
        expose_headers=["www-authenticate"],
    )
    return Starlette(lifespan=lifespan, middleware=[cors] if origins else [])


def _routes(plan: Plan, gateway: Gateway, sandboxes: Mapping[str, ASGIApp]) -> list[BaseRoute]:
    is_development = gateway.services.deployment.is_development
    graphiql: Path | None = static_dir() / "graphiql" if is_development else None
    door = GraphQLDoor(gateway, _pages(plan), graphiql)
    routes: list[BaseRoute] = [
        Route("/graphql", door),
        WebSocketRoute("/graphql", door),
        *connecting.routes(gateway),
        *health.routes(gateway),
    ]
    if graphiql is not None:
        routes.append(Mount("/graphiql", StaticFiles(directory=graphiql)))
    routes += [Mount(f"/sandbox/{slug}", app) for slug, app in sandboxes.items()]
    return routes


def _pages(plan: Plan) -> list[str]:
    """Whose pages may call from a browser: our own, and those the operator lists."""
    parts = urlsplit(plan.public_url)
    return [f"{parts.scheme}://{parts.netloc}", *plan.settings.allowed_origins]
