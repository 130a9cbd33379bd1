"""A practice DNSimple: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers the part of the API v2 that Mandate's DNSimple actions use: tokens of accounts and of people, checking
and pricing, registering (at once, or after a while), renewing, name servers, and DNS records. It is not there:
transfers, certificates, e-mail forwarding, templates. Unknown routes answer 404.

Two invented accounts, see `sandbox_state`: one with contacts and domains, one that owes money. Domains that end in
.io take twenty seconds to register; those of them that begin with `fail-` fail.
"""

import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import RateLimits, SandboxApp, SandboxControl, StateFile
from adapters.dnsimple.sandbox_api import not_found, refuse_fault
from adapters.dnsimple.sandbox_domains import domain_routes
from adapters.dnsimple.sandbox_records import record_routes
from adapters.dnsimple.sandbox_state import Registry, World, seeded_world

HOUR_SECONDS = 3600


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    per_hour: int = 2400,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like DNSimple under whatever prefix and host it is reached by.

    State is in memory; with `state_file` it is written there after every change and read at the start.
    `faults` opens the control routes under `/_sandbox/`: for loopback only. The limit is per token.
    `now` is the clock, in epoch seconds.
    """
    file = StateFile(state_file, World)
    world = file.load() or seeded_world()
    control = SandboxControl("dnsimple", refuse_fault, _unknown, lambda token: _revoke(registry, token))
    registry = Registry(world, file, now, control, RateLimits(per_hour, HOUR_SECONDS, now))
    file.save(world)
    return SandboxApp(
        control,
        [Route("/", _about, methods=["GET"]), *domain_routes(registry), *record_routes(registry)],
        faults=faults,
    )


def _about(_: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = "This is a sandbox that comes with Mandate. It is not DNSimple; nothing here is for sale."
    return JSONResponse({"sandbox": True, "message": words})


def _unknown() -> Response:
    return not_found().response()


def _revoke(registry: Registry, token: str) -> bool:
    """End a token; False when there is no such one."""
    known = registry.world.tokens.pop(token, None)
    registry.file.save(registry.world)
    return known is not None
