"""A practice Cloudflare: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers the part of the API v4 that Mandate's Cloudflare actions use: tokens of people and of accounts, zones and
their DNS records, and the registrar with its registrations that go on by themselves. It is not there: everything
else of Cloudflare. Unknown routes answer 404.

Two invented accounts, see `sandbox_state`: one with domains and zones, one that cannot pay. A registration takes
twenty seconds; names that begin with `fail-`, `confirm-` or `blocked-` fail, wait for a person, or for the registry.
"""

import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import RateLimits, SandboxApp, SandboxControl, StateFile
from adapters.cloudflare.sandbox_api import Refused, refuse_fault
from adapters.cloudflare.sandbox_domains import domain_routes
from adapters.cloudflare.sandbox_records import record_routes
from adapters.cloudflare.sandbox_state import Registry, World, seeded_world

WINDOW_SECONDS = 300


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    per_window: int = 1200,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like Cloudflare under whatever prefix and host it is reached by.

    State is in memory; with `state_file` it is written there after every change and read at the start.
    `faults` opens the control routes under `/_sandbox/`: for loopback only. The limit is per token.
    `now` is the clock, in epoch seconds.
    """
    file = StateFile(state_file, World)
    world = file.load() or seeded_world()
    control = SandboxControl("cloudflare", refuse_fault, _unknown, lambda token: _revoke(registry, token))
    registry = Registry(world, file, now, control, RateLimits(per_window, WINDOW_SECONDS, now))
    file.save(world)
    return SandboxApp(
        control,
        [Route("/", _about, methods=["GET"]), *domain_routes(registry), *record_routes(registry)],
        faults=faults,
    )


def _about(_: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = "This is a sandbox that comes with Mandate. It is not Cloudflare; nothing here is for sale."
    return JSONResponse({"sandbox": True, "message": words})


def _unknown() -> Response:
    return Refused(404, 7000, "No route for that URI").response()


def _revoke(registry: Registry, token: str) -> bool:
    """End a token; False when there is no such one."""
    known = registry.world.tokens.pop(token, None)
    registry.file.save(registry.world)
    return known is not None
