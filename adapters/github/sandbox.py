"""A practice GitHub: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers the OAuth flow of an OAuth application (with PKCE) and of a GitHub App whose tokens expire and rotate,
token checks and revocation, scopes, rate limits, and the part of the REST API that Mandate's GitHub actions use.
It is not there: installations of GitHub Apps, GraphQL, webhooks, forks. Unknown routes answer 404 as GitHub does.

Invented people: `lin-harbour` (owns `lighthouse`, and `ledger`, which is private) and `sam-quay` (owns
`tide-tables`), and the organisation `harbour-works`. OAuth applications: `mandate-sandbox`, whose tokens do not
expire, and the GitHub App `mandate-sandbox-app`, whose tokens do. Personal access tokens: see `sandbox_state`.
"""

import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from adapters._kit.sandbox import RateLimits, SandboxApp, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import OAuthClient, OAuthServer
from adapters.github.sandbox_actions import actions_routes
from adapters.github.sandbox_api import not_found, refuse_fault, root_of
from adapters.github.sandbox_issues import issue_routes
from adapters.github.sandbox_oauth import application_routes, facts
from adapters.github.sandbox_objects import object_routes
from adapters.github.sandbox_pulls import pull_routes
from adapters.github.sandbox_releases import release_routes
from adapters.github.sandbox_repos import repository_routes
from adapters.github.sandbox_state import Hub, World, seeded_world

HOUR_SECONDS = 3600
ENTERPRISE_PREFIX = "/api/v3"


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    rate_limit: int = 5000,
    search_limit: int = 30,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like GitHub under whatever prefix and host it is reached by.

    State is in memory; with `state_file` it is written there (mode 0600, in one step) after every change and
    read at the start, so that tokens and data survive a restart. `clients` replaces the seeded OAuth
    application; clients given here win over those of the file. `faults` opens the control routes under
    `/_sandbox/`: for loopback only. `rate_limit` is per token and hour, `search_limit` per token and minute.
    `now` is the clock, in epoch seconds.
    """
    file = StateFile(state_file, World)
    world = file.load() or seeded_world(clients)
    if clients is not None:
        world.oauth.clients = clients
    control = SandboxControl("github", refuse_fault, lambda: not_found().response(), lambda token: oauth.revoke(token))
    oauth = OAuthServer(facts(world), world.oauth, now=now, effects=control.effects, save=lambda: file.save(world))
    core, search = RateLimits(rate_limit, HOUR_SECONDS, now), RateLimits(search_limit, 60, now)
    hub = Hub(world, file, now, core, search, control, oauth)
    file.save(world)
    api = [
        *repository_routes(hub),
        *object_routes(hub),
        *issue_routes(hub),
        *pull_routes(hub),
        *actions_routes(hub),
        *release_routes(hub),
        *application_routes(hub),
        Route("/", _about, methods=["GET"]),
    ]
    return SandboxApp(
        control,
        [*oauth.routes(faults=faults), *api, Mount(ENTERPRISE_PREFIX, routes=api)],
        faults=faults,
        aliases=[ENTERPRISE_PREFIX],
    )


def _about(request: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = "This is a sandbox that comes with Mandate. It is not GitHub; the people and data in it are invented."
    root = root_of(request)
    ways = {"current_user_url": f"{root}/user", "authorize_url": f"{root}/login/oauth/authorize"}
    return JSONResponse({"sandbox": True, "message": words, **ways})
