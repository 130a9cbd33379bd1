"""`/healthz`: this process. `/readyz`: what it stands on."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from db.migrating import head
from domain.errors import DependencyDown
from gateway.wiring import Gateway


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
