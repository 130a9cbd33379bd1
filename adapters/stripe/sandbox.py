"""A practice Stripe: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers keys (restricted, secret, expired, test and live books of one account), Connect with OAuth and calls in the
name of a connected account, idempotency keys, pinned versions, nested forms, paging, and the routes that Mandate's
actions use. It is not there: cards and 3-D Secure, renewals, prorations, taxes, coupons, disputes, webhooks, currency
conversion. Unknown routes answer 404 as Stripe does. No money moves.

Invented accounts: `Harbour Office` (euros and dollars) and `Quayside Cafe` (yen). Keys: see `sandbox_state`.
"""

import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import RateLimits, SandboxApp, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import OAuthClient, OAuthServer
from adapters.stripe.sandbox_api import Refused, refuse_fault
from adapters.stripe.sandbox_billing import billing_routes
from adapters.stripe.sandbox_catalogue import catalogue_routes
from adapters.stripe.sandbox_connect import connect_routes, facts
from adapters.stripe.sandbox_money import money_routes
from adapters.stripe.sandbox_pages import page_routes
from adapters.stripe.sandbox_seed import fill
from adapters.stripe.sandbox_state import Hub, World, new_world


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    per_second: int = 100,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like Stripe under whatever prefix and host it is reached by.

    State is in memory; with `state_file` it is written there (mode 0600, in one step) after every change and read at
    the start. `clients` replaces the seeded OAuth application; clients given here win over those of the file.
    `faults` opens the control routes under `/_sandbox/`: for loopback only. `per_second` is per account. `now` is the
    clock, in epoch seconds.
    """
    file = StateFile(state_file, World)
    world = file.load()
    if world is None:
        world = new_world(clients)
        fill(world, now())
    if clients is not None:
        world.oauth.clients = clients
    control = SandboxControl("stripe", refuse_fault, _unknown, lambda token: _revoke(hub, token))
    oauth = OAuthServer(facts(world), world.oauth, now=now, effects=control.effects, save=lambda: file.save(world))
    hub = Hub(world, file, now, RateLimits(per_second, 1, now), control, oauth)
    file.save(world)
    routes = [
        *oauth.routes(faults=faults),
        *connect_routes(hub),
        *money_routes(hub),
        *catalogue_routes(hub),
        *billing_routes(hub),
        *page_routes(hub),
        Route("/", _about, methods=["GET"]),
    ]
    return SandboxApp(control, routes, faults=faults)


async def _about(_request: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = "This is a sandbox that comes with Mandate. It is not Stripe; the people and the money are invented."
    return JSONResponse({"sandbox": True, "message": words})


def _unknown() -> Response:
    return Refused(404, "Unrecognized request URL.").response()


def _revoke(hub: Hub, token: str) -> bool:
    """End a key or a token; False when there is no such living one."""
    known = hub.world.keys.pop(token, None)
    if known is None:
        return hub.oauth.revoke(token)
    hub.file.save(hub.world)
    return True
