"""A practice Microsoft 365: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers the authorisation code flow with PKCE, refresh tokens that are renewed while the old ones stay good, delegated
permissions, throttling, and the part of Graph v1.0 that Mandate's actions use. It is not there: personal accounts and
tenants, admin consent, change notifications, series of events, upload sessions, other time zones than UTC.

Invented people: Ada Quay, Ben Tide and Cleo Mole at a harbour office; mail among them arrives. Tokens: see
`sandbox_state`.
"""

import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.catalogue import manifest_of
from adapters._kit.manifest import Scope
from adapters._kit.sandbox import RateLimits, SandboxApp, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import Issued, Lifetime, OAuthClient, OAuthFacts, OAuthServer, Shape, plain_answer
from adapters.microsoft365.sandbox_api import Refused, refuse_fault
from adapters.microsoft365.sandbox_calendar import calendar_routes
from adapters.microsoft365.sandbox_files import file_routes
from adapters.microsoft365.sandbox_mail import mail_routes
from adapters.microsoft365.sandbox_seed import seeded_world
from adapters.microsoft365.sandbox_state import Hub, World
from adapters.microsoft365.sandbox_teams import teams_routes

TEN_MINUTES = 600
NINETY_DAYS = 90 * 24 * 3600
GRAPH = "https://graph.microsoft.com/"


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    rate_limit: int = 10_000,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like Microsoft 365 under whatever prefix and host it is reached by.

    State is in memory; with `state_file` it is written there (mode 0600, in one step) after every change and read at
    the start. `clients` replaces the seeded OAuth application. `faults` opens the control routes under `/_sandbox/`:
    for loopback only. `rate_limit` is per token and ten minutes. `now` is the clock, in epoch seconds.
    """
    scopes = _scopes()
    words = {name: scope.explanation for name, scope in scopes.items()}
    file = StateFile(state_file, World)
    world = file.load() or seeded_world(list(words), now(), clients)
    if clients is not None:
        world.oauth.clients = clients
    contains = {name: set(scope.includes) for name, scope in scopes.items()}
    facts = _facts(words, contains, world)
    control = SandboxControl("microsoft365", refuse_fault, _unknown, lambda token: oauth.revoke(token))
    oauth = OAuthServer(facts, world.oauth, now=now, effects=control.effects, save=lambda: file.save(world))
    hub = Hub(world, file, now, RateLimits(rate_limit, TEN_MINUTES, now), control, oauth)
    file.save(world)
    graph = [*calendar_routes(hub), *mail_routes(hub), *teams_routes(hub), *file_routes(hub)]
    about = Route("/", _about, methods=["GET"])
    return SandboxApp(control, [*oauth.routes(faults=faults), *graph, about], faults=faults)


def _unknown() -> Response:
    return Refused(404, "BadRequest", "Resource not found for the segment.").response("2026-01-12T09:00:00Z", "0" * 32)


@cache
def _scopes() -> Mapping[str, Scope]:
    return manifest_of("microsoft365").scopes


def _facts(words: Mapping[str, str], contains: Mapping[str, set[str]], world: World) -> OAuthFacts:
    return OAuthFacts(
        service="Microsoft 365",
        authorize="/common/oauth2/v2.0/authorize",
        token="/common/oauth2/v2.0/token",  # noqa: S106  a path
        scopes=words,
        accounts=lambda: [(one.id, f"{one.name} ({one.mail})") for one in world.people],
        contains=contains,
        lifetime=Lifetime(access_seconds=3600, refresh="overlapping", refresh_seconds=NINETY_DAYS),
        offers_refresh=lambda wish: any("offline_access" in scopes for scopes in wish.scopes.values()),
        read=_short_names,
        answer_token=_token_answer,
    )


def _short_names(fields: Mapping[str, str]) -> Mapping[str, str]:
    """Scopes may be asked for by their long names."""
    return {**fields, "scope": fields.get("scope", "").replace(GRAPH, "")}


def _token_answer(issued: Issued) -> Shape:
    """`offline_access` is never told; scopes come back as they were asked for, short or long."""
    told = [scope for scope in issued.first.scopes if scope != "offline_access"]
    prefix = GRAPH if GRAPH in issued.asked.get("scope", "") else ""
    seconds = issued.first.expires_in or 0
    scope = " ".join(prefix + each for each in told)
    return {**plain_answer(issued), "scope": scope, "ext_expires_in": seconds}


def _about(request: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = (
        "This is a sandbox that comes with Mandate. It is not Microsoft 365; the people and data in it are invented."
    )
    root = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
    return JSONResponse({"sandbox": True, "message": words, "graph": f"{root}/v1.0/me"})
