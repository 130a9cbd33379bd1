"""A practice Linear: stateful, honest about being a sandbox, and strict where the real one is strict.

It covers OAuth (PKCE, comma-separated scopes, rotating refresh tokens), keys without a scheme, and the part of the
GraphQL schema in `outline.graphql`, run by graphql-core: what is not in it is refused as
Linear refuses what it does not know. It is not there: webhooks, projects, cycles, attachments, Markdown, and the limit
on a query's complexity.

Invented people in the workspace Harbour Works: Lin Harbour, Jon Reef, and Grace Moor, whose access ended.
"""

import time
from collections.abc import Callable
from pathlib import Path

from graphql import ExecutionResult, GraphQLError, graphql_sync
from pydantic import BaseModel, JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault, RateLimits, SandboxApp, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import Access, OAuthClient, OAuthFacts, OAuthServer, TokenKind
from adapters.linear.sandbox_api import Refused, Root, schema
from adapters.linear.sandbox_state import World, seeded_world

_HOUR = 3600
SCOPE_WORDS = {
    "read": "See everything you can see",
    "write": "Change everything you can change",
    "issues:create": "Create issues",
    "comments:create": "Comment on issues",
}
CONTAINS = {"write": {"read", "issues:create", "comments:create"}}


class Asked(BaseModel):
    """A request of GraphQL over HTTP."""

    query: str
    variables: dict[str, JsonValue] = {}


def sandbox(
    state_file: Path | None = None,
    *,
    faults: bool = True,
    clients: list[OAuthClient] | None = None,
    per_hour: int = 5000,
    now: Callable[[], float] = time.time,
) -> SandboxApp:
    """An ASGI application that behaves like Linear under whatever prefix and host it is reached by.

    State is in memory, and in `state_file` when one is given. `clients` replaces the seeded OAuth application.
    `faults` opens the control routes under `/_sandbox/`: for loopback only. `per_hour` is calls per person. `now` is
    the clock, in epoch seconds.
    """
    file = StateFile(state_file, World)
    world = file.load() or seeded_world(clients)
    if clients is not None:
        world.oauth.clients = clients
    control = SandboxControl("linear", refuse_fault, _unknown, lambda token: oauth.revoke(token))
    oauth = OAuthServer(_facts(world), world.oauth, now=now, effects=control.effects, save=lambda: file.save(world))
    limits = RateLimits(per_hour, _HOUR, now)

    def performed(field: str) -> None:
        control.effects[field] += 1
        file.save(world)

    async def endpoint(request: Request) -> Response:
        token = request.headers.get("authorization", "")
        access = _access(oauth, token)
        if access is None:
            return refusal("AUTHENTICATION_ERROR", "Authentication required, not authenticated", 401)
        if not limits.spend(access.account):
            return refusal("RATELIMITED", "Rate limit exceeded", 400, limits.look(access.account).remaining)
        asked = Asked.model_validate_json(await request.body())
        root = Root(world, oauth, access, now, performed).fields()
        answer = graphql_sync(schema(), asked.query, root, variable_values=asked.variables)
        return _answered(answer, limits.look(access.account).remaining)

    file.save(world)
    routes = [*oauth.routes(faults=faults), Route("/graphql", endpoint, methods=["POST"]), Route("/", _about)]
    return SandboxApp(control, routes, faults=faults)


def refusal(code: str, message: str, status: int, remaining: int | None = None) -> Response:
    """A no as Linear says it."""
    errors = [{"message": message, "extensions": Refused(code, message).extensions}]
    return JSONResponse({"errors": errors}, status, headers=_counted(remaining))


def refuse_fault(fault: Fault) -> Response:
    """Linear's answers to what a fault asks for."""
    match fault.kind:
        case "429" | "403_secondary":
            return refusal("RATELIMITED", "Rate limit exceeded", 400, 0)
        case "401":
            return refusal("AUTHENTICATION_ERROR", "Authentication required, not authenticated", 401)
        case "404" | "422":
            return refusal("INPUT_ERROR", "Entity not found", 400)
        case "503":
            return JSONResponse({"message": "unavailable"}, 503, headers={"Retry-After": str(fault.retry_after)})
        case _:
            return refusal("INTERNAL_SERVER_ERROR", "Internal server error", 500)


def _facts(world: World) -> OAuthFacts:
    return OAuthFacts(
        service="Linear",
        authorize="/oauth/authorize",
        token="/oauth/token",  # noqa: S106  a path
        revoke="/oauth/revoke",
        scopes=SCOPE_WORDS,
        contains=CONTAINS,
        ever=("read",),
        accounts=lambda: [(each.id, each.name) for each in world.people if each.active],
        kinds=(TokenKind(prefix="lin_oauth_sandbox_", refresh_prefix="lin_refresh_sandbox_"),),
        separator=",",
    )


def _access(oauth: OAuthServer, sent: str) -> Access | None:
    """A key stands alone, an access token behind the word Bearer; neither is taken for the other."""
    scheme, _, token = sent.partition(" ")
    is_key = scheme.startswith("lin_api_") and not token
    found = oauth.look(scheme if is_key else token) if is_key or scheme == "Bearer" else "unknown"
    return found if isinstance(found, Access) and (found.client_id is None) is is_key else None


def _answered(answer: ExecutionResult, remaining: int) -> Response:
    """With 400 when nothing came of it, as Linear does."""
    body: dict[str, object] = {"data": answer.data}
    if answer.errors:
        body["errors"] = [_told(each) for each in answer.errors]
    status = 400 if answer.errors and not any((answer.data or {}).values()) else 200
    return JSONResponse(body, status, headers=_counted(remaining))


def _told(error: GraphQLError) -> dict[str, object]:
    extensions = error.extensions or {"code": "GRAPHQL_VALIDATION_FAILED", "type": "graphql error"}
    return {"message": error.message, "path": error.path, "extensions": extensions}


def _counted(remaining: int | None) -> dict[str, str]:
    return {} if remaining is None else {"X-RateLimit-Requests-Remaining": str(remaining)}


def _unknown() -> Response:
    return JSONResponse({"message": "Not found"}, 404)


def _about(_request: Request) -> Response:
    """What this is, for whoever opens its address."""
    words = "This is a sandbox that comes with Mandate. It is not Linear; the people and issues in it are invented."
    return JSONResponse({"sandbox": True, "message": words})
