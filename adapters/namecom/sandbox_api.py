"""How the name.com sandbox receives a call: who asks, how often, with what body; and how it answers.

Order of refusal: credentials, rate limit, content type, body, then the route's own rules. Shapes and statuses
follow the description of the name.com Core API 1.7.0.
"""

import binascii
import hmac
import json
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault
from adapters.namecom.sandbox_state import Domain, Registry, User

Shape = dict[str, JsonValue]

_BODY_LIMIT_BYTES = 1024 * 1024
_PAGE_SIZE = 1000


class Refused(Exception):
    """An answer that is an error, with its headers."""

    def __init__(
        self, status: int, message: str, details: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details
        self.headers = headers

    def response(self) -> Response:
        """The error in name.com's shape."""
        body: Shape = {"message": self.message}
        if self.details is not None:
            body["details"] = self.details
        return JSONResponse(body, status_code=self.status, headers=self.headers)


def wrong(details: str) -> Refused:
    """400, naming the field."""
    return Refused(400, "Bad Request", details)


def not_found(details: str) -> Refused:
    """404."""
    return Refused(404, "Not Found", details)


@dataclass
class Ask:
    """One authenticated call."""

    registry: Registry
    user: User
    request: Request
    body: Shape

    def text(self, name: str) -> str:
        """A string of the body; raises Refused (400) when it is missing or something else."""
        value = self.body.get(name)
        if not isinstance(value, str):
            raise wrong(f"'{name}' must be a string")
        return value

    def number(self, name: str, default: int | None = None) -> int | None:
        """A whole number of the body; raises Refused (400) for another type."""
        value = self.body.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(f"'{name}' must be an integer")
        return value

    def asked(self, name: str, default: int) -> int:
        """A number of the query, at least 1; raises Refused (400)."""
        told = self.request.query_params.get(name)
        if told is None:
            return default
        if not (told.isascii() and told.isdigit() and len(told) < 10 and int(told) > 0):
            raise wrong(f"'{name}' must be a positive integer")
        return int(told)

    def domain(self) -> Domain:
        """The domain of the path, if it belongs to the caller; raises Refused (404)."""
        found = self.registry.world.domains.get(str(self.request.path_params["domain"]).lower())
        if found is None or found.owner != self.user.username:
            raise not_found("The requested domain does not exist.")
        return found

    def page(self, name: str, items: Sequence[JsonValue]) -> Shape:
        """One page of a list. `nextPage` and `lastPage` are there only when another page follows."""
        number, size = self.asked("page", 1), self.asked("perPage", _PAGE_SIZE)
        begin = (number - 1) * size
        shown = list(items[begin : begin + size])
        answer: Shape = {
            name: shown,
            "totalCount": len(items),
            "from": begin + 1 if shown else 0,
            "to": begin + len(shown),
        }
        if begin + size < len(items):
            answer |= {"nextPage": number + 1, "lastPage": -(-len(items) // size)}
        return answer


@dataclass
class Reply:
    """A success. `payload` None means no body."""

    payload: Shape | None
    headers: Mapping[str, str] | None = None

    def response(self) -> Response:
        """The answer as HTTP."""
        if self.payload is None:
            return Response(status_code=204, headers=self.headers)
        return JSONResponse(self.payload, headers=self.headers)


Handler = Callable[[Ask], Reply]


def api_route(registry: Registry, method: str, path: str, handler: Handler) -> Route:
    """A route of the API."""

    async def endpoint(request: Request) -> Response:
        try:
            user = _authenticate(registry, request)
            _spend(registry, user)
            body = await _read_body(request) if method in ("POST", "PUT") else {}
            return handler(Ask(registry, user, request, body)).response()
        except Refused as refused:
            return refused.response()

    return Route(path, endpoint, methods=[method])


def refuse_fault(fault: Fault) -> Response:
    """The answers of name.com to what a fault asks for."""
    match fault.kind:
        case "429":
            return Refused(429, "Rate Limit Exceeded", headers={"Retry-After": str(fault.retry_after)}).response()
        case "403_secondary":
            return Refused(403, "Permission denied").response()
        case "401":
            return Refused(401, "Unauthorized").response()
        case "404":
            return not_found("The requested domain does not exist.").response()
        case "422":
            return Refused(422, "Unprocessable Entity").response()
        case "503":
            return Refused(503, "Service Unavailable").response()
    return Refused(500, "Internal Server Error").response()


def _authenticate(registry: Registry, request: Request) -> User:
    """HTTP basic authentication (RFC 7617) with user name and API token."""
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    try:
        username, _, token = b64decode(told, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(401, "Unauthorized") from None
    user = registry.world.users.get(username)
    expected = user.token if user else None
    if kind.lower() != "basic" or user is None or expected is None:
        raise Refused(401, "Unauthorized")
    if not hmac.compare_digest(expected.encode(), token.encode()):
        raise Refused(401, "Unauthorized")
    return user


def _spend(registry: Registry, user: User) -> None:
    for limits in (registry.per_second, registry.per_hour):
        if not limits.spend(user.username):
            reset = str(limits.look(user.username).reset_at)
            raise Refused(429, "Rate Limit Exceeded", headers={"x-ratelimit-reset": reset})


async def _read_body(request: Request) -> Shape:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "The 'Content-Type' header must be 'application/json' for this request.")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise wrong("The body is too large.")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise wrong("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise wrong("The body must be an object.")
    return body
