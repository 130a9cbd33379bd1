"""How the Vercel sandbox receives a call: who asks, for whom, how often, with what body; and how it answers.

Order of refusal: token, rate limit, team, permission, body, then the route's own rules. Error shapes and headers follow
Vercel's documentation: a token that opens nothing is a 403 with a flag of its own.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault, RateWindow
from adapters._kit.sandbox_oauth import Access
from adapters.vercel.sandbox_state import Deployment, Hub, Project

Shape = dict[str, JsonValue]

PAGE_LIMIT = 100
_BODY_LIMIT_BYTES = 16 * 1024 * 1024


class Refused(Exception):
    """An error as answer. `more` goes beside code and message."""

    def __init__(self, status: int, code: str, message: str, more: Shape | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.more = more or {}

    def response(self) -> Response:
        """The error in Vercel's shape."""
        error: Shape = {"code": self.code, "message": self.message, **self.more}
        return JSONResponse({"error": error}, status_code=self.status)


def not_found(what: str = "resource") -> Refused:
    """404."""
    return Refused(404, "not_found", f"The {what} could not be found.")


def wrong(message: str, code: str = "bad_request") -> Refused:
    """400."""
    return Refused(400, code, message)


def forbidden(message: str = "You don't have permission to access this resource.") -> Refused:
    """403."""
    return Refused(403, "forbidden", message)


@dataclass
class Ask:
    """One authenticated call. `owner` is the person or team it is for, `creator` who makes it."""

    hub: Hub
    owner: str
    creator: str
    request: Request
    raw: bytes
    _body: Shape | None = field(default=None)

    def at(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str | None:
        """A parameter of the query."""
        return self.request.query_params.get(name)

    @property
    def body(self) -> Shape:
        """The body, an object; raises Refused (400)."""
        if self._body is None:
            told = self.json if self.raw.strip() else {}
            if not isinstance(told, dict):
                raise wrong("Invalid request: should be object.")
            self._body = told
        return self._body

    @property
    def json(self) -> JsonValue:
        """The body as JSON; raises Refused (400)."""
        try:
            told: JsonValue = json.loads(self.raw)
        except (ValueError, RecursionError):
            raise wrong("Invalid JSON", "invalid_json") from None
        return told

    def text(self, name: str, told: Shape | None = None) -> str | None:
        """A string of the body, None when absent or null; raises Refused (400)."""
        value = (self.body if told is None else told).get(name)
        if value is None or isinstance(value, str):
            return value
        raise wrong(f"Invalid request: `{name}` should be string.")

    def needed(self, name: str, told: Shape | None = None) -> str:
        """A string of the body that must be there; raises Refused (400)."""
        value = self.text(name, told)
        if not value:
            raise wrong(f"Invalid request: missing required property `{name}`.")
        return value

    def project(self, name: str = "project") -> Project:
        """The project of the path, by id or name; raises Refused (404)."""
        found = self.project_named(self.at(name))
        if found is None:
            raise not_found("project")
        return found

    def project_named(self, named: str) -> Project | None:
        """A project of the owner, by id or name."""
        for each in self.hub.world.projects.values():
            if each.owner == self.owner and named in (each.id, each.name):
                return each
        return None

    def deployment(self, name: str = "deployment") -> Deployment:
        """The deployment of the path, by id or host name; raises Refused (404)."""
        named = self.at(name)
        for each in self.hub.world.deployments.values():
            if each.owner == self.owner and named in (each.id, each.url):
                return each
        raise not_found("deployment")

    def page(self, items: Sequence[tuple[int, JsonValue]], key: str, cursor: str = "until") -> "Reply":
        """One page of a list, the newest first: each item with its moment, which the next page begins before."""
        before = self._number(cursor, 2**53)
        limit = min(PAGE_LIMIT, self._number("limit", 20))
        since = self._number("since", 0)
        left = [each for each in sorted(items, key=lambda each: -each[0]) if since < each[0] < before]
        shown = left[:limit]
        following = shown[-1][0] if len(left) > len(shown) and shown else None
        pagination: Shape = {"count": len(shown), "next": following, "prev": shown[0][0] if shown else None}
        return Reply({key: [item for _, item in shown], "pagination": pagination})

    def _number(self, name: str, default: int) -> int:
        told = self.query(name)
        if told is None:
            return default
        if not (told.isascii() and told.isdigit() and 0 < len(told) < 17):
            raise wrong(f"Invalid request: `{name}` should be number.")
        return int(told)


@dataclass
class Reply:
    """A success; `payload` None means no body."""

    payload: JsonValue = None
    status: int = 200

    def response(self) -> Response:
        """The answer as HTTP."""
        if self.payload is None:
            return Response(status_code=self.status)
        return JSONResponse(self.payload, status_code=self.status)


Handler = Callable[[Ask], Reply | Response]


def api_route(hub: Hub, method: str, path: str, handler: Handler, *scopes: str) -> Route:
    """A route of the API that needs these permissions."""

    async def endpoint(request: Request) -> Response:
        window: RateWindow | None = None
        try:
            access = _authenticate(hub, request)
            window = hub.limits.look(access.key)
            if not hub.limits.spend(access.key):
                raise _too_many(window)
            owner = _owner(hub, access, request)
            if hub.oauth.lacking(access, *scopes):
                raise forbidden("The integration or token has no permission for this.")
            raw = await _read(request)
            hub.settle()
            creator = access.account if access.account in hub.world.people else next(iter(hub.world.people))
            answer = handler(Ask(hub, owner, creator, request, raw))
            if method != "GET":
                hub.performed(f"{method} {path}")
            response = answer if isinstance(answer, Response) else answer.response()
        except Refused as refused:
            response = refused.response()
        if window is not None:
            response.headers.update(_limit_headers(window))
        return response

    return Route(path, endpoint, methods=[method])


def refuse_fault(fault: Fault) -> Response:
    """The answers of Vercel to what a fault asks for."""
    match fault.kind:
        case "429":
            refused = Refused(429, "rate_limited", "Rate limit exceeded.")
        case "403_secondary":
            refused = forbidden()
        case "401":
            refused = _no_token("Not authorized", "invalidToken")
        case "404":
            refused = not_found()
        case "422":
            refused = wrong("Invalid request: the sandbox was asked to refuse it.")
        case "503":
            refused = Refused(503, "service_unavailable", "Service unavailable.")
        case _:
            refused = Refused(500, "internal_server_error", "An unexpected internal error occurred.")
    response = refused.response()
    if fault.kind in ("429", "503"):
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _no_token(message: str, flag: str) -> Refused:
    return Refused(403, "forbidden", message, {flag: True})


def _authenticate(hub: Hub, request: Request) -> Access:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise _no_token("The request is missing an authentication token", "missingToken")
    access = hub.oauth.look(token.strip())
    if isinstance(access, str):
        raise _no_token("Not authorized", "invalidToken")
    return access


def _owner(hub: Hub, access: Access, request: Request) -> str:
    """Whom the call is for. An installation on a team must name the team with every call."""
    team = request.query_params.get("teamId") or str(request.path_params.get("team", "")) or None
    person = hub.world.people.get(access.account)
    if team is None:
        if person is None:
            raise forbidden("Not authorized: this installation is on a team. Name it with `teamId`.")
        return person.id
    allowed = person.teams if person else [access.account]
    if team not in allowed:
        raise forbidden("Not authorized: the team does not exist, or this token is not for it.")
    return team


def _too_many(window: RateWindow) -> Refused:
    limit: Shape = {
        "remaining": 0,
        "reset": window.reset_at,
        "resetMs": window.reset_at * 1000,
        "total": window.limit,
    }
    return Refused(429, "rate_limited", f"The rate limit of {window.limit} exceeded.", {"limit": limit})


def _limit_headers(window: RateWindow) -> Mapping[str, str]:
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": str(window.reset_at),
    }


async def _read(request: Request) -> bytes:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise Refused(413, "request_entity_too_large", "The body is too large.")
    return raw
