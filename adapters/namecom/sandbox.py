"""A practice name.com: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers the part of the Core API that Mandate's name.com actions use: basic authentication, searching and
pricing, buying against the account's credit with idempotency keys, renewing, name servers, listing, and DNS records.
It is not there: transfers, contacts, forwarding. Unknown routes answer 404.

Two invented accounts, see `sandbox_state`: `sandbox-test`, with 100 dollars of credit and two domains, and
`quay-test`, with no credit.
"""

import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import RateLimits, SandboxApp, SandboxControl, StateFile
from adapters.namecom.sandbox_api import not_found, refuse_fault
from adapters.namecom.sandbox_domains import domain_routes
from adapters.namecom.sandbox_records import record_routes
from adapters.namecom.sandbox_state import Registry, World, seeded_world

HOUR_SECONDS = 3600


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    per_second: int = 20,
    per_hour: int = 3000,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like name.com under whatever prefix and host it is reached by.

    State is in memory; with `state_file` it is written there after every change and read at the start.
    `faults` opens the control routes under `/_sandbox/`: for loopback only. The limits are per account.
    `now` is the clock, in epoch seconds.
    """
    file = StateFile(state_file, World)
    world = file.load() or seeded_world()
    control = SandboxControl("namecom", refuse_fault, _unknown, lambda token: _revoke(registry, token))
    limits = (RateLimits(per_second, 1, now), RateLimits(per_hour, HOUR_SECONDS, now))
    registry = Registry(world, file, now, control, *limits)
    file.save(world)
    return SandboxApp(
        control,
        [Route("/", _about, methods=["GET"]), *domain_routes(registry), *record_routes(registry)],
        faults=faults,
    )


def _about(_: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = "This is a sandbox that comes with Mandate. It is not name.com; nothing here is for sale."
    return JSONResponse({"sandbox": True, "message": words})


def _unknown() -> Response:
    return not_found("There is no such route.").response()


def _revoke(registry: Registry, token: str) -> bool:
    """End an API token; False when no account has it."""
    for user in registry.world.users.values():
        if user.token == token:
            user.token = None
            registry.file.save(registry.world)
            return True
    return False
