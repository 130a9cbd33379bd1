"""How the Microsoft 365 sandbox receives a Graph call: whose token, which permission, how often, with what body.

Order of refusal: token, rate limit, permission, then the route's own rules. Error shapes and codes follow Graph's
documentation; Outlook, Teams and OneDrive have words of their own for a missing permission.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault
from adapters._kit.sandbox_oauth import Access
from adapters.microsoft365.sandbox_odata import NotUnderstood, chosen, matches, ordered, searched, skip_token, skipped
from adapters.microsoft365.sandbox_state import Hub, Person, Shape, World

API = "/v1.0"
_BODY_LIMIT_BYTES = 4 * 1024 * 1024  # Graph's own for one request of JSON
_LACKING = {
    "Mail": ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    "Calendars": ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    "Contacts": ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    "Files": ("accessDenied", "Access denied"),
    "User": ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
}
_MISSING_SCOPE = ("Forbidden", "Missing scope permissions on the request.")


class Refused(Exception):
    """An error as answer."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def response(self, stamp: str, request_id: str) -> Response:
        """The error in Graph's shape."""
        inner: Shape = {"date": stamp.rstrip("Z"), "request-id": request_id, "client-request-id": request_id}
        error: Shape = {"code": self.code, "message": self.message, "innerError": inner}
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return JSONResponse({"error": error}, status_code=self.status, headers=headers)


def mail_not_found() -> Refused:
    """Outlook's words for what is not there, or not this mailbox's."""
    return Refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def invalid(message: str) -> Refused:
    """400 for a body or a query that makes no sense."""
    return Refused(400, "BadRequest", message)


@dataclass
class Answer:
    """A success. `payload` None means no body; `raw` goes out as it is."""

    payload: Shape | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    media_type: str = "application/octet-stream"

    def response(self) -> Response:
        """The answer as HTTP."""
        if self.raw is not None:
            return Response(self.raw, self.status, self.headers, self.media_type)
        if self.payload is None:
            return Response(status_code=self.status, headers=self.headers)
        return JSONResponse(self.payload, status_code=self.status, headers=self.headers)


@dataclass(frozen=True)
class Ask:
    """One call, by a person whose token is good. `root` is where the API is served."""

    hub: Hub
    access: Access
    person: Person
    request: Request
    root: str
    raw: bytes
    body: Shape

    @property
    def world(self) -> World:
        """The sandbox's world."""
        return self.hub.world

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    def text(self, name: str, default: str = "") -> str:
        """A string of the body. Raises Refused for another type."""
        value = self.body.get(name, default)
        if value is not None and not isinstance(value, str):
            raise invalid(f"The property '{name}' is not of type Edm.String.")
        return value or default

    def listed(self, shapes: Sequence[Shape], *, most: int = 1000, default: int = 10) -> Answer:
        """One page of a list, after `$filter`, `$search`, `$orderby` and `$select`. Raises Refused."""
        try:
            kept = self._kept(shapes)
            offset = skipped(self.query("$skiptoken"))
        except NotUnderstood as problem:
            raise Refused(400, "ErrorInvalidUrlQuery", str(problem)) from None
        told = self.query("$top", str(default))
        size = int(told) if told.isascii() and told.isdigit() else 0
        if not 0 < size <= most:
            raise Refused(400, "ErrorInvalidUrlQueryFilter", f"The value of $top must be between 1 and {most}.")
        page = [chosen(each, self.query("$select")) for each in kept[offset : offset + size]]
        answer: Shape = {"@odata.context": f"{self.root}/$metadata#{self.person.id}", "value": [*page]}
        if offset + size < len(kept):
            query = {**self.request.query_params, "$skiptoken": skip_token(offset + size)}
            place = quote(self.request.url.path)
            answer["@odata.nextLink"] = (
                f"{self.request.url.scheme}://{self.request.url.netloc}{place}?{urlencode(query)}"
            )
        return Answer(answer)

    def one(self, shape: Shape, status: int = 200) -> Answer:
        """One thing, after `$select`."""
        return Answer(chosen(shape, self.query("$select")), status)

    def _kept(self, shapes: Sequence[Shape]) -> list[Shape]:
        condition, search, order = self.query("$filter"), self.query("$search"), self.query("$orderby")
        if search and (condition or order):
            raise NotUnderstood("The query parameter '$search' does not go with '$filter' or '$orderby'.")
        kept = [each for each in shapes if matches(each, condition)] if condition else list(shapes)
        if search:
            words = searched(search)
            kept = [each for each in kept if all(word in json.dumps(each).lower() for word in words)]
        return ordered(kept, order) if order else kept


Handler = Callable[[Ask], Answer]


def graph_route(hub: Hub, method: str, path: str, handler: Handler, *scopes: str) -> Route:
    """A route of Graph that needs all of the scopes. Reading counts as no effect, by whatever method."""
    counted = f"{method} {path.replace(':path}', '}')}"
    reads = method == "GET" or path.endswith("getSchedule")

    async def endpoint(request: Request) -> Response:
        request_id = request.headers.get("client-request-id") or secrets.token_hex(16)
        try:
            answer = handler(await _received(hub, request, scopes))
            if not reads:
                hub.performed(counted)
            response = answer.response()
        except Refused as refused:
            response = refused.response(hub.stamp(), request_id)
        response.headers["request-id"] = response.headers["client-request-id"] = request_id
        return response

    return Route(API + path, endpoint, methods=[method])


async def _received(hub: Hub, request: Request, scopes: Sequence[str]) -> Ask:
    access = _access(hub, request)
    person = hub.world.person(access.account)
    if person is None:
        raise Refused(401, "InvalidAuthenticationToken", "The identity of the calling user could not be found.")
    if not hub.limits.spend(access.key):
        wait = max(1, int(hub.limits.look(access.key).reset_at - hub.now()))
        raise Refused(429, "TooManyRequests", "Application is over its MailboxConcurrency limit.", wait)
    if lacking := hub.oauth.lacking(access, *scopes):
        raise Refused(403, *_LACKING.get(lacking[0].partition(".")[0], _MISSING_SCOPE))
    raw = await _raw_body(request)
    home = str(request.scope.get("root_path", ""))
    root = f"{request.url.scheme}://{request.url.netloc}{home}{API}"
    return Ask(hub, access, person, request, root, raw, _read_body(request, raw))


def _access(hub: Hub, request: Request) -> Access:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Refused(401, "InvalidAuthenticationToken", "Access token is empty.")
    access = hub.oauth.look(token.strip())
    if access == "expired":
        raise Refused(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
    if isinstance(access, str):
        raise Refused(401, "InvalidAuthenticationToken", "Access token validation failure.")
    return access


async def _raw_body(request: Request) -> bytes:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise Refused(413, "RequestEntityTooLarge", "The request exceeds the size limit of 4 MB.")
    return raw


def _read_body(request: Request, raw: bytes) -> Shape:
    """JSON bodies only: what is uploaded stays raw."""
    if not raw.strip() or "json" not in request.headers.get("content-type", ""):
        return {}
    if request.url.path.endswith("/content"):
        return {}
    try:
        body: JsonValue = json.loads(raw)
    except (ValueError, RecursionError):
        raise invalid("Unable to read JSON request payload.") from None
    if not isinstance(body, dict):
        raise invalid("The payload must be a JSON object.")
    return body


def refuse_fault(fault: Fault) -> Response:
    """The answers of Graph to what a fault asks for."""
    match fault.kind:
        case "429" | "403_secondary":
            refused = Refused(429, "TooManyRequests", "Too many requests.", fault.retry_after)
        case "401":
            refused = Refused(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
        case "404":
            refused = mail_not_found()
        case "422":
            refused = invalid("Refused because the sandbox was asked to.")
        case "503":
            refused = Refused(503, "serviceNotAvailable", "The service is not available.", fault.retry_after)
        case _:
            refused = Refused(500, "InternalServerError", "An internal server error occurred.")
    return refused.response("2026-01-12T09:00:00Z", secrets.token_hex(16))
