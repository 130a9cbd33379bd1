"""How the DNSimple sandbox receives a call: who asks, how often, with what body; and how it answers.

Order of refusal: token, rate limit, account, right to write, content type, body, then the route's own rules.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault
from adapters.dnsimple.sandbox_state import Account, Domain, Registry, Token

Shape = dict[str, JsonValue]

PREFIX = "/v2"
_BODY_LIMIT_BYTES = 1024 * 1024
_LARGEST_PAGE = 100


class Refused(Exception):
    """An answer that is an error. `errors` names fields."""

    def __init__(self, status: int, message: str, errors: Shape | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The error in DNSimple's shape."""
        body: Shape = {"message": self.message}
        if self.errors is not None or self.status == 400:
            body["errors"] = self.errors or {}
        return JSONResponse(body, status_code=self.status, headers=headers)


def wrong(field: str, words: str) -> Refused:
    """400, naming the field."""
    return Refused(400, "Validation failed", {field: [words]})


def not_found(words: str = "Not Found") -> Refused:
    """404."""
    return Refused(404, words)


@dataclass
class Ask:
    """One authenticated call. `body` is None where none was sent."""

    registry: Registry
    token: Token
    account: Account | None
    request: Request
    body: JsonValue

    @property
    def owner(self) -> Account:
        """The account of the path; raises Refused (404) where there is none."""
        if self.account is None:
            raise not_found()
        return self.account

    @property
    def fields(self) -> Shape:
        """The members of the body; raises Refused (400) when it is no object."""
        if not isinstance(self.body, dict):
            raise Refused(400, "The request body is not an object")
        return self.body

    def at(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def domain(self) -> Domain:
        """The domain of the path, if it belongs to the account; raises Refused (404)."""
        found = self.registry.world.domains.get(self.at("domain").lower())
        if found is None or found.account != self.owner.id:
            raise not_found(f"Domain `{self.at('domain')}` not found")
        return found

    def asked(self, name: str, default: int) -> int:
        """A number of the query, at least 1; raises Refused (400)."""
        told = self.request.query_params.get(name)
        if told is None:
            return default
        if not (told.isascii() and told.isdigit() and len(told) < 10 and int(told) > 0):
            raise Refused(400, f"Invalid {name}")
        return int(told)

    def page(self, items: Sequence[JsonValue]) -> Shape:
        """One page of a list."""
        number, size = self.asked("page", 1), self.asked("per_page", 30)
        if size > _LARGEST_PAGE:
            raise Refused(400, f"Invalid per_page, max is {_LARGEST_PAGE}")
        begin = (number - 1) * size
        told: Shape = {
            "current_page": number,
            "per_page": size,
            "total_entries": len(items),
            "total_pages": max(1, -(-len(items) // size)),
        }
        return {"data": list(items[begin : begin + size]), "pagination": told}


@dataclass
class Reply:
    """A success. `payload` None means no body."""

    payload: Shape | None
    status: int = 200

    def response(self, headers: Mapping[str, str]) -> Response:
        """The answer as HTTP."""
        if self.payload is None:
            return Response(status_code=204, headers=headers)
        return JSONResponse(self.payload, status_code=self.status, headers=headers)


Handler = Callable[[Ask], Reply]


def api_route(registry: Registry, method: str, path: str, handler: Handler) -> Route:
    """A route of the API, within its prefix."""

    async def endpoint(request: Request) -> Response:
        headers: Mapping[str, str] | None = None
        try:
            name, token = _authenticate(registry, request)
            allowed = registry.per_hour.spend(name)
            headers = _limits(registry, name)
            account = _admit(registry, token, request, is_in_time=allowed)
            body = await _read_body(request) if method in ("POST", "PUT", "PATCH") else None
            registry.settle()
            return handler(Ask(registry, token, account, request, body)).response(headers)
        except Refused as refused:
            return refused.response(headers)

    return Route(PREFIX + path, endpoint, methods=[method])


def refuse_fault(fault: Fault) -> Response:
    """The answers of DNSimple to what a fault asks for."""
    match fault.kind:
        case "429":
            return Refused(429, "quota exceeded").response({"Retry-After": str(fault.retry_after)})
        case "403_secondary":
            return Refused(403, "Permission Denied. Required Scope: domains:*:read").response()
        case "401":
            return Refused(401, "Authentication failed").response()
        case "404":
            return not_found().response()
        case "422":
            return Refused(400, "Validation failed").response()
        case "503":
            return Refused(503, "Service Unavailable").response()
    return Refused(500, "Internal Server Error").response()


def _authenticate(registry: Registry, request: Request) -> tuple[str, Token]:
    """RFC 6750."""
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    found = registry.world.tokens.get(told)
    if kind.lower() != "bearer" or found is None:
        raise Refused(401, "Authentication failed")
    return told, found


def _admit(registry: Registry, token: Token, request: Request, *, is_in_time: bool) -> Account | None:
    if not is_in_time:
        raise Refused(429, "quota exceeded")
    account = _account(registry, token, request)
    if request.method != "GET" and not token.may_write:
        raise Refused(403, "Permission Denied. Required Scope: registrar:*:write")
    return account


def _account(registry: Registry, token: Token, request: Request) -> Account | None:
    """The account of the path, when the token reaches it; raises Refused (404)."""
    told = request.path_params.get("account")
    if told is None:
        return None
    found = registry.world.accounts.get(int(told)) if str(told).isdigit() and len(str(told)) < 12 else None
    if found is None or token.account not in (None, found.id):
        raise not_found()
    return found


def _limits(registry: Registry, name: str) -> Mapping[str, str]:
    window = registry.per_hour.look(name)
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": str(window.reset_at),
    }


async def _read_body(request: Request) -> JsonValue:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "Only the content type application/json is supported")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise Refused(413, "The body is too large")
    try:
        body: JsonValue = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused(400, "The request body is not JSON") from None
    return body
