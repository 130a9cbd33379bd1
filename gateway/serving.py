"""`mandate serve`: one process or several on the same PostgreSQL and Redis."""

import uvicorn
from starlette.applications import Starlette

from domain.errors import Misconfigured
from gateway import logs
from gateway.app import application
from gateway.starting import production, settings_of_process

LARGEST_FRAME_BYTES = 65_536
GRACE_SECONDS = 30


def serve(host: str, port: int, workers: int) -> None:
    """Serve until told to stop; what is under way is seen through first. Raises Misconfigured before listening."""
    if not 1 <= workers <= 64:
        raise Misconfigured("--workers is between 1 and 64.")
    production(settings_of_process())  # complain now, in one line, rather than once in every worker
    uvicorn.run(
        "gateway.serving:worker",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_level="warning",
        access_log=False,
        ws_max_size=LARGEST_FRAME_BYTES,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )


def worker() -> Starlette:
    """One process's application."""
    logs.configure(is_development=False)
    return application(production(settings_of_process()))
