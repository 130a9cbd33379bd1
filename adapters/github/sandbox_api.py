"""How the GitHub sandbox receives an API call: who asks, may they, how often, with what body.

Order of refusal: User-Agent, API version, token, rate limit, then the route's own rules. Header names, error
shapes and limits follow GitHub's REST documentation.
"""

import binascii
import json
import secrets
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault, RateLimits, RateWindow
from adapters.github.sandbox_state import Hub, Person, Repository

DOCS = "https://docs.github.com/rest"
#: What the sandbox's GitHub App may do wherever it is installed, in words of scopes.
APP_RIGHTS = frozenset({"repo", "workflow"})
VERSIONS = ("2022-11-28", "2026-03-10")
PAGE_LIMIT = 100
_BODY_LIMIT_BYTES = 16 * 1024 * 1024

Shape = dict[str, JsonValue]


class Refused(Exception):
    """An error as answer. `errors` are the {resource, field, code} of a 422; `caller` is who got it."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Shape] | None = None,
        caller: "Caller | None" = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.caller = caller

    def response(self) -> Response:
        """The error in GitHub's shape."""
        body: Shape = {"message": self.message, "documentation_url": DOCS, "status": str(self.status)}
        if self.errors is not None:
            body["errors"] = [*self.errors]
        return JSONResponse(body, status_code=self.status)


def not_found() -> Refused:
    """Missing, or not for your eyes: GitHub does not say which."""
    return Refused(404, "Not Found")


def invalid(resource: str, field_name: str, code: str, message: str | None = None) -> Refused:
    """422 with one entry."""
    error: Shape = {"resource": resource, "field": field_name, "code": code}
    if message is not None:
        error["message"] = message
    return Refused(422, "Validation Failed", [error])


@dataclass(frozen=True)
class Caller:
    """Whose token it is and what it carries. `oauth` tells an application's token from a personal one; `app` one
    of a GitHub App, which has rights by installation and tells no scopes.
    """

    person: Person
    scopes: frozenset[str]
    key: str
    oauth: bool
    app: bool = False


@dataclass
class Answer:
    """A success. `payload` None means no body; `raw` goes out as it is."""

    payload: JsonValue = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    def response(self) -> Response:
        """The answer as HTTP."""
        if self.raw is not None:
            return Response(self.raw, media_type="application/octet-stream", headers=self.headers)
        if self.payload is None:
            return Response(status_code=self.status, headers=self.headers)
        media_type = "application/json; charset=utf-8"
        return JSONResponse(self.payload, status_code=self.status, headers=self.headers, media_type=media_type)


@dataclass(frozen=True)
class Ask:
    """One authenticated call."""

    hub: Hub
    caller: Caller
    root: str
    request: Request
    body: Shape

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    def text(self, name: str) -> str | None:
        """A string of the body, None when absent or null; raises Refused (422) for another type."""
        value = self.body.get(name)
        if value is None or isinstance(value, str):
            return value
        raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', {json.dumps(value)} is not a string.")

    def needed(self, name: str) -> str:
        """A string of the body that must be there; raises Refused (422)."""
        value = self.text(name)
        if value is None:
            raise Refused(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean of the body; raises Refused (422) for another type."""
        value = self.body.get(name, default)
        if isinstance(value, bool):
            return value
        raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', {json.dumps(value)} is not a boolean.")

    def names(self, name: str) -> list[str] | None:
        """A list of strings, or of objects with a `name`, as labels may be; None when absent."""
        value = self.body.get(name)
        if value is None:
            return None
        items = value if isinstance(value, list) else [value]
        plain = [item.get("name") if isinstance(item, dict) else item for item in items]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in plain):
            raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', the value is not an array of strings.")
        return [str(item) for item in plain]

    def base64(self, name: str) -> bytes:
        """Decoded bytes of the body; raises Refused (422). Line breaks are allowed, as GitHub sends them."""
        try:
            return b64decode(self.needed(name).replace("\n", ""), validate=True)
        except (binascii.Error, ValueError):
            raise Refused(422, f"{name} is not valid Base64") from None

    def repository(self) -> Repository:
        """The repository of the path, if this token may read it; raises Refused (404)."""
        repository = self.hub.world.repository(self.path("owner"), self.path("repo"))
        if repository is None or not self.can_read(repository):
            raise not_found()
        return repository

    def writable(self) -> Repository:
        """The repository of the path, if this token may push to it; raises Refused."""
        repository = self.contributable()
        if not self.owns(repository):
            raise Refused(403, "Must have push access to repository")
        return repository

    def contributable(self) -> Repository:
        """The repository of the path, if this token may open issues there; raises Refused.

        Without the scope, a private one is not found and a public one is refused.
        """
        repository = self.repository()
        if not self.caller.scopes & {"repo", "public_repo"}:
            raise self.lacking_scope()
        if repository.archived:
            raise Refused(403, "Repository was archived so is read-only.")
        return repository

    def can_read(self, repository: Repository) -> bool:
        """Public, or owned and within scope."""
        return not repository.private or (self.owns(repository) and "repo" in self.caller.scopes)

    def owns(self, repository: Repository) -> bool:
        """Is it the caller's, or their organisation's? Sandbox repositories have no other collaborators."""
        return self.hub.world.belongs_to(repository, self.caller.person.login)

    def lacking_scope(self) -> Refused:
        """403 in the words for this kind of token."""
        kind = "integration" if self.caller.oauth else "personal access token"
        return Refused(403, f"Resource not accessible by {kind}")

    def paged(self, items: list[JsonValue]) -> Answer:
        """One page of a list, with `Link` to the others (per_page 30, at most 100)."""
        page, per_page, headers = self.page_of(len(items))
        return Answer(items[(page - 1) * per_page : page * per_page], headers=headers)

    def page_of(self, total: int) -> tuple[int, int, dict[str, str]]:
        """The page asked for, its size, and the `Link` header."""
        page = max(1, _number(self.query("page"), 1))
        per_page = min(PAGE_LIMIT, max(1, _number(self.query("per_page"), 30)))
        last = max(1, -(-total // per_page))
        ways: list[tuple[str, int]] = []
        if page > 1:
            ways += [("prev", min(page - 1, last)), ("first", 1)]
        if page < last:
            ways += [("next", page + 1), ("last", last)]
        links = ", ".join(f'<{self._page_url(number)}>; rel="{name}"' for name, number in ways)
        return page, per_page, {"Link": links} if links else {}

    def _page_url(self, page: int) -> str:
        query = {**self.request.query_params, "page": str(page)}
        return f"{self.request.url.replace(query=urlencode(query))}"


Handler = Callable[[Ask], Answer]


def api_route(hub: Hub, method: str, path: str, handler: Handler, accepted: str = "") -> Route:
    """A route of the API. `accepted` are the scopes it names in `X-Accepted-OAuth-Scopes`."""
    counted = f"{method} {_plain(path)}"

    async def endpoint(request: Request) -> Response:
        bucket = hub.search if path.startswith("/search/") else hub.core
        caller: Caller | None = None
        try:
            caller = _receive(hub, request, bucket, free=path == "/rate_limit")
            answer = handler(Ask(hub, caller, root_of(request), request, await _read_body(request)))
            if method != "GET":
                hub.performed(counted)
            response = answer.response()
        except Refused as refused:
            response, caller = refused.response(), caller or refused.caller
        _add_headers(response, request)
        if caller is not None:
            resource = "search" if bucket is hub.search else "core"
            _add_caller_headers(response, caller, accepted, bucket.look(caller.key), resource)
        return response

    # Starlette adds HEAD to every GET, as GitHub has it
    return Route(path, endpoint, methods=[method])


def root_of(request: Request) -> str:
    """The address the sandbox is reached at by this request, without a slash at the end."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def refuse_fault(fault: Fault) -> Response:
    """The answers of GitHub to what a fault asks for."""
    later = {"Retry-After": str(fault.retry_after)}
    match fault.kind:
        case "429" | "403_secondary":
            status = 429 if fault.kind == "429" else 403
            refused = Refused(status, "You have exceeded a secondary rate limit. Please wait a few minutes.")
        case "401":
            later, refused = {}, Refused(401, "Bad credentials")
        case "404":
            later, refused = {}, not_found()
        case "422":
            later, refused = {}, invalid("Sandbox", "fault", "invalid")
        case "503":
            refused = Refused(503, "Service Unavailable")
        case _:
            later, refused = {}, Refused(500, "Server Error")
    response = refused.response()
    response.headers.update(later)
    response.headers["X-GitHub-Request-Id"] = _request_id()
    return response


def find_caller(hub: Hub, token: str) -> Caller | None:
    """Whose token this is, or None when it is unknown, altered, expired or revoked: GitHub does not say which."""
    access = hub.oauth.look(token)
    if isinstance(access, str) or (person := hub.world.person(access.account)) is None:
        return None
    client = hub.world.oauth.client(access.client_id or "")
    is_app = client is not None and client.lifetime is not None
    scopes = APP_RIGHTS if is_app else access.scopes
    return Caller(person, scopes, access.key, oauth=client is not None, app=is_app)


def _receive(hub: Hub, request: Request, bucket: RateLimits, *, free: bool) -> Caller:
    """Who calls, once their manners, token and rate are in order; raises Refused."""
    _check_manners(request)
    caller = _authenticate(hub, request)
    if not free and not bucket.spend(caller.key):
        raise Refused(403, f"API rate limit exceeded for user ID {caller.person.id}.", caller=caller)
    return caller


def _authenticate(hub: Hub, request: Request) -> Caller:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() not in ("bearer", "token") or not token.strip():
        raise Refused(401, "Requires authentication")
    caller = find_caller(hub, token.strip())
    if caller is None:
        raise Refused(401, "Bad credentials")
    return caller


def _check_manners(request: Request) -> None:
    if not request.headers.get("user-agent"):
        words = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
        raise Refused(403, words)
    version = request.headers.get("x-github-api-version", VERSIONS[0])
    if version not in VERSIONS:
        raise Refused(400, f"The API version {version!r} is not supported.")


async def _read_body(request: Request) -> Shape:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise Refused(413, "Payload too large")
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "Body should be a JSON object")
    return body


def _add_headers(response: Response, request: Request) -> None:
    response.headers["X-GitHub-Request-Id"] = _request_id()
    response.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
    asked = request.headers.get("x-github-api-version", VERSIONS[0])
    if asked in VERSIONS:
        response.headers["X-GitHub-Api-Version-Selected"] = asked


def _add_caller_headers(response: Response, caller: Caller, accepted: str, window: RateWindow, resource: str) -> None:
    if not caller.app:
        response.headers["X-OAuth-Scopes"] = ", ".join(sorted(caller.scopes))
        response.headers["X-Accepted-OAuth-Scopes"] = accepted
    response.headers["X-RateLimit-Limit"] = str(window.limit)
    response.headers["X-RateLimit-Remaining"] = str(window.remaining)
    response.headers["X-RateLimit-Used"] = str(window.used)
    response.headers["X-RateLimit-Reset"] = str(window.reset_at)
    response.headers["X-RateLimit-Resource"] = resource


def _request_id() -> str:
    return ":".join(secrets.token_hex(2).upper() for _ in range(5))


def _plain(path: str) -> str:
    """The route as documentation writes it: `{number:int}` is `{number}`."""
    return path.replace(":int}", "}").replace(":path}", "}")


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
