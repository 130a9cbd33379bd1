"""How the Cloudflare sandbox receives a call: who asks, how often, with what body; and how it answers.

Every answer is an envelope: `success` decides, `errors` hold numbers. Order of refusal: token, rate limit, account,
right to write, body, then the route's own rules.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault
from adapters.cloudflare.sandbox_state import Account, Registry, Token, Zone

Shape = dict[str, JsonValue]

PREFIX = "/client/v4"
_BODY_LIMIT_BYTES = 1024 * 1024
_FORM_OF_A_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,}")


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The error in Cloudflare's shape."""
        error: Shape = {"code": self.code, "message": self.message}
        body: Shape = {"success": False, "errors": [error], "messages": [], "result": None}
        return JSONResponse(body, status_code=self.status, headers=headers)


def wrong(message: str, code: int = 1004) -> Refused:
    """400."""
    return Refused(400, code, message)


def not_found(message: str = "Could not route to the object, perhaps your object identifier is invalid?") -> Refused:
    """404."""
    return Refused(404, 7003, message)


@dataclass
class Ask:
    """One authenticated call."""

    registry: Registry
    token: Token
    account: Account | None
    request: Request
    body: Shape

    @property
    def owner(self) -> Account:
        """The account of the path; raises Refused (404) where there is none."""
        if self.account is None:
            raise not_found()
        return self.account

    def at(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def zone(self) -> Zone:
        """The zone of the path, if the token reaches it; raises Refused (404)."""
        found = self.registry.world.zones.get(self.at("zone"))
        if found is None or found.account not in self.token.accounts:
            raise not_found()
        return found

    def asked(self, name: str, default: int, least: int, most: int) -> int:
        """A number of the query; raises Refused (400)."""
        told = self.request.query_params.get(name)
        if told is None:
            return default
        if not (told.isascii() and told.isdigit() and len(told) < 10 and least <= int(told) <= most):
            raise wrong(f"{name} must be {least} to {most}")
        return int(told)

    def page(self, items: Sequence[JsonValue]) -> "Reply":
        """One page of a list, counted."""
        number = self.asked("page", 1, 1, 10**6)
        size = self.asked("per_page", 20, 5, 50)
        begin = (number - 1) * size
        shown = list(items[begin : begin + size])
        return Reply(
            shown,
            info={
                "page": number,
                "per_page": size,
                "count": len(shown),
                "total_count": len(items),
                "total_pages": -(-len(items) // size),
            },
        )


@dataclass
class Reply:
    """A success."""

    result: JsonValue
    status: int = 200
    info: Shape | None = None

    def response(self) -> Response:
        """The answer as HTTP."""
        body: Shape = {"success": True, "errors": [], "messages": [], "result": self.result}
        if self.info is not None:
            body["result_info"] = self.info
        return JSONResponse(body, status_code=self.status)


Handler = Callable[[Ask], Reply]


def api_route(registry: Registry, method: str, path: str, handler: Handler) -> Route:
    """A route of the API, within its prefix."""

    async def endpoint(request: Request) -> Response:
        try:
            name, token = _authenticate(registry, request)
            if not registry.per_window.spend(name):
                return _too_many(registry.per_window.look(name).reset_at - int(registry.now()))
            account = _admit(registry, token, request)
            body = await _read_body(request) if method in ("POST", "PATCH") else {}
            registry.settle()
            return handler(Ask(registry, token, account, request, body)).response()
        except Refused as refused:
            return refused.response()

    return Route(PREFIX + path, endpoint, methods=[method])


def refuse_fault(fault: Fault) -> Response:
    """The answers of Cloudflare to what a fault asks for."""
    match fault.kind:
        case "429":
            return _too_many(fault.retry_after)
        case "403_secondary":
            return Refused(403, 10000, "Authentication error").response()
        case "401":
            return Refused(401, 1000, "Invalid API Token").response()
        case "404":
            return not_found().response()
        case "422":
            # With status 200: `success` decides.
            return Refused(200, 1004, "DNS Validation Error").response()
        case "503":
            return Refused(503, 10000, "Service Unavailable").response()
    return Refused(500, 10000, "Internal Server Error").response()


def _too_many(seconds: int) -> Response:
    refused = Refused(429, 971, "Please wait and consider throttling your request speed")
    return refused.response({"Retry-After": str(seconds)})


def _authenticate(registry: Registry, request: Request) -> tuple[str, Token]:
    """RFC 6750."""
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not _FORM_OF_A_TOKEN.fullmatch(told):
        raise Refused(400, 6003, "Invalid request headers")
    found = registry.world.tokens.get(told)
    if found is None:
        if request.url.path.endswith("/tokens/verify"):
            raise Refused(401, 1000, "Invalid API Token")
        raise Refused(403, 9109, "Invalid access token")
    return told, found


def _admit(registry: Registry, token: Token, request: Request) -> Account | None:
    """The account of the path, when the token reaches it; raises Refused."""
    told = request.path_params.get("account")
    if told is not None and told not in token.accounts:
        raise Refused(403, 9109, "Unauthorized to access requested resource")
    # Checking availability asks by POST.
    if request.method != "GET" and not token.may_write and not request.url.path.endswith("/domain-check"):
        raise Refused(403, 10000, "Authentication error")
    return None if told is None else registry.world.accounts[str(told)]


async def _read_body(request: Request) -> Shape:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise wrong("The content type must be application/json", 6100)
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise Refused(413, 6100, "The body is too large")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise wrong("The body is not JSON", 9207) from None
    if not isinstance(body, dict):
        raise wrong("The body must be an object", 9207)
    return body
