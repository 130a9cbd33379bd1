"""`/healthz`: this process. `/readyz`: what it stands on. `/metrics`: figures, for who has the token for them."""

import hmac
from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from db.migrating import head
from domain.errors import DependencyDown
from domain.secrets import Secret
from gateway.doors.sockets import GraphQLSockets
from gateway.wiring import Gateway

if TYPE_CHECKING:
    from gateway.metrics import Metrics


def routes(gateway: Gateway) -> list[Route]:
    """Both addresses, open to everybody: they tell nothing but yes and no."""
    newest = head()

    async def healthz(_: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        """The database answers and is migrated. A silent bus costs speed, not events, so it does not count against."""
        try:
            revision = await gateway.database.revision()
        except DependencyDown:
            return JSONResponse({"status": "unavailable", "database": "down"}, status_code=503)
        checks = {
            "database": "ok",
            "migrations": "ok" if revision == newest else "behind",
            "bus": "ok" if gateway.bus.is_live else "silent",
        }
        is_ready = revision == newest
        status = "ok" if is_ready else "unavailable"
        return JSONResponse({"status": status, **checks}, status_code=200 if is_ready else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def metrics_route(metrics: "Metrics", token: Secret) -> Route:
    """Prometheus' address, for who sends the operator's token."""

    async def told(request: Request) -> Response:
        """Anybody else is told that there is nothing here."""
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {token.reveal()}".encode()):
            return Response(status_code=404)
        return Response(metrics.told(), media_type="text/plain; version=0.0.4")

    return Route("/metrics", told)


class Insides:
    """What is looked at when Prometheus asks."""

    def __init__(self, gateway: Gateway, sockets: GraphQLSockets) -> None:
        self._gateway = gateway
        self._sockets = sockets

    def gauges(self) -> Iterable[tuple[str, str, float]]:
        """Name, meaning and value of each."""
        pool, feed = self._gateway.database.pool, self._gateway.services.feed
        sizes = self._sockets.streams.groups.sizes
        yield "mandate_sockets", "WebSockets open.", self._sockets.count
        yield "mandate_shared_subscriptions", "Subscriptions that share their work.", sum(sizes)
        yield "mandate_subscription_groups", "Groups of identical subscriptions.", len(sizes)
        yield "mandate_feed_followers", "Who follows a history: groups, those who catch up, watches.", feed.followers
        yield "mandate_event_delay_seconds", "How long after its commit the last event was handed on.", feed.delay
        yield (
            "mandate_bus_live",
            "1 while news travels by the bus, 0 while it is polled for.",
            self._gateway.bus.is_live,
        )
        yield "mandate_pool_connections", "Connections to PostgreSQL on the hot path.", pool.get_size()
        yield "mandate_pool_idle_connections", "Of these, not in use.", pool.get_idle_size()
        yield "mandate_pool_most_connections", "How many there may be.", pool.get_max_size()
