"""A practice Vercel: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers the installation of an integration on an account or a team, tokens with and without permission to write, and
the part of the REST API that Mandate's Vercel actions use: projects, environment variables, domains, files, deployments
that take their time, logs, promotion and rollback. It is not there: everything else of Vercel. Nothing is built or
served, no DNS is asked. Unknown routes answer 404.

Invented people: `lin-harbour`, who belongs to the team Harbour Works, and `sam-quay`; see `sandbox_state`.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import RateLimits, SandboxApp, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import Issued, OAuthClient, OAuthFacts, OAuthServer, Shape, TokenKind, Wish
from adapters.vercel.sandbox_api import not_found, refuse_fault
from adapters.vercel.sandbox_deployments import deployment_routes
from adapters.vercel.sandbox_domains import domain_routes
from adapters.vercel.sandbox_projects import project_routes
from adapters.vercel.sandbox_state import CLIENT_ID, SCOPE_WORDS, WIDER, Hub, World, seeded_world

WINDOW_SECONDS = 60
_CODE_SECONDS = 30 * 60


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    rate_limit: int = 600,
    listening_seconds: float = 20,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like Vercel under whatever prefix and host it is reached by.

    State is in memory; with `state_file` it is written there after every change and read at the start. `faults` opens
    the control routes under `/_sandbox/`: for loopback only. `clients` replaces the seeded integration. `rate_limit`
    is per token and minute; `listening_seconds` is how long a runtime log stays open at most. `now` is the clock, in
    epoch seconds.
    """
    file = StateFile(state_file, World)
    world = file.load() or seeded_world(clients, now())
    if clients is not None:
        world.oauth.clients = clients
    control = SandboxControl("vercel", refuse_fault, lambda: not_found().response(), lambda token: oauth.revoke(token))
    oauth = OAuthServer(_facts(world), world.oauth, now=now, effects=control.effects, save=lambda: file.save(world))
    limits = RateLimits(rate_limit, WINDOW_SECONDS, now)
    hub = Hub(world, file, now, control, limits, oauth, listening_seconds)
    file.save(world)
    return SandboxApp(
        control,
        [
            Route("/", _about, methods=["GET"]),
            *oauth.routes(faults=faults),
            *project_routes(hub),
            *domain_routes(hub),
            *deployment_routes(hub),
        ],
        faults=faults,
    )


def _facts(world: World) -> OAuthFacts:
    """An integration's ways: permissions that are set at Vercel and not asked for, and no refresh token."""
    return OAuthFacts(
        service="Vercel",
        authorize="/integrations/{integration}/new",
        token="/v2/oauth/access_token",  # noqa: S106  a path
        scopes=SCOPE_WORDS,
        contains=WIDER,
        accounts=lambda: [
            *((team.id, f"the team {team.name}") for team in world.teams.values()),
            *((person.id, person.name) for person in world.people.values()),
        ],
        kinds=(TokenKind(prefix="vci_sandbox_"),),
        pkce="off",
        client_auth=frozenset({"post"}),
        redirects="below",
        code_seconds=_CODE_SECONDS,
        read=_as_asked,
        returns=_on_the_way_back,
        answer_token=_token,
    )


def _as_asked(fields: Mapping[str, str]) -> Mapping[str, str]:
    """The real page asks for what was set at Vercel; here that is everything, and a person may untick."""
    return {"client_id": CLIENT_ID, **fields, "scope": " ".join(SCOPE_WORDS)}


def _on_the_way_back(_wish: Wish, account: str) -> Mapping[str, str]:
    team = {"teamId": account} if account.startswith("team_") else {}
    return {**team, "source": "external"}


def _token(issued: Issued) -> Shape:
    is_team = issued.account.startswith("team_")
    answer: Shape = {
        "token_type": "Bearer",
        "access_token": issued.first.access_token,
        "installation_id": f"icfg_sandbox_{issued.authorization}",
        "user_id": issued.account if not is_team else None,
        "team_id": issued.account if is_team else None,
    }
    if issued.first.expires_in is not None:
        answer["expires_in"] = issued.first.expires_in
    return answer


def _about(_: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = "This is a sandbox that comes with Mandate. It is not Vercel; nothing is built or served."
    return JSONResponse({"sandbox": True, "message": words})
