"""What the sandboxes of Google's services share: people, consent, tokens, refusals in Google's shape, userinfo.

    desk = GoogleDesk.opened("gmail", World, seeded, state_file, scopes=SCOPES, contains=CONTAINS, ...)
    routes = [desk.route("GET", "/gmail/v1/users/{user}/labels", labels, READ, LABELS), ...]
    app = desk.app(routes, faults=faults)

A handler takes an `Ask` and returns JSON, or raises `GoogleRefused`. Sources: Google's "Using OAuth 2.0 for Web
Server Applications" (consent, refresh, revocation, errors of the token endpoint), "OpenID Connect" (userinfo), AIP-193
and the error pages of Gmail (shape and reasons of errors). Not there: id tokens, device and service accounts, Google's
first-consent-only refresh token (here `access_type=offline` always gives one), `include_granted_scopes`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, Field, JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import (
    Fault,
    RateLimits,
    SandboxApp,
    SandboxControl,
    StateFile,
    fingerprint,
    read_form,
)
from adapters._kit.sandbox_oauth import (
    Access,
    FixedToken,
    Lifetime,
    OAuthClient,
    OAuthFacts,
    OAuthServer,
    OAuthState,
    TokenKind,
    Wish,
)

Shape = dict[str, JsonValue]

#: As in `families/google.toml`.
CLIENT_ID = "mandate-sandbox.apps.googleusercontent.com"
CLIENT_SECRET = "mandate-sandbox-secret"
TOKEN_MARA = "ya29.sandbox-mara-everything"
TOKEN_IDENTITY = "ya29.sandbox-mara-identity"

OPENID = "openid"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"
IDENTITY_SCOPES = {OPENID: "Know who you are at Google", EMAIL: "See your e-mail address"}

_HOUR_SECONDS = 3600
_BODY_LIMIT_BYTES = 16 * 1024 * 1024


class GooglePerson(BaseModel):
    """An invented account. `sub` never changes."""

    sub: str
    email: str
    name: str


class GoogleWorld(BaseModel):
    """What a sandbox remembers; a service's own world adds to it."""

    oauth: OAuthState = Field(default_factory=OAuthState)
    people: list[GooglePerson] = Field(default_factory=list)

    def person(self, sub: str) -> GooglePerson | None:
        """Somebody by number."""
        return next((one for one in self.people if one.sub == sub), None)


def google_people() -> list[GooglePerson]:
    """Two invented people; the first is who `TOKEN_MARA` belongs to."""
    return [
        GooglePerson(sub="108000000000000000001", email="mara@harbour.example", name="Mara Keel"),
        GooglePerson(sub="108000000000000000002", email="jon@harbour.example", name="Jon Reef"),
    ]


def google_oauth(scopes: Sequence[str], clients: list[OAuthClient] | None = None) -> OAuthState:
    """A fresh state with the practice application and Mara's two fixed tokens."""
    ours = OAuthClient(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="Mandate", any_loopback=True)
    mara = google_people()[0].sub
    every = [*IDENTITY_SCOPES, *scopes]
    fixed = [
        FixedToken(token=TOKEN_MARA, account=mara, scopes=every),
        FixedToken(token=TOKEN_IDENTITY, account=mara, scopes=[*IDENTITY_SCOPES]),
    ]
    return OAuthState(clients=clients or [ours], fixed_tokens=fixed)


class GoogleRefused(Exception):
    """An error as answer.

    `status` is Google's word (`NOT_FOUND`), `reason` the older one in `errors` (`notFound`), `info` the newer one in
    `details` (`ACCESS_TOKEN_SCOPE_INSUFFICIENT`); services leave out what is empty.
    """

    def __init__(self, code: int, status: str, message: str, *, reason: str = "", info: str = "") -> None:
        super().__init__(message)
        self.code, self.status, self.message, self.reason, self.info = code, status, message, reason, info

    def response(self) -> Response:
        """In Google's shape."""
        error: Shape = {"code": self.code, "message": self.message, "status": self.status}
        if self.reason:
            error["errors"] = [{"message": self.message, "domain": "global", "reason": self.reason}]
        if self.info:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            error["details"] = [{"@type": kind, "reason": self.info, "domain": "googleapis.com"}]
        headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'} if self.code == 401 else None
        return JSONResponse({"error": error}, status_code=self.code, headers=headers)


def not_found(message: str = "Requested entity was not found.") -> GoogleRefused:
    """404."""
    return GoogleRefused(404, "NOT_FOUND", message, reason="notFound")


def invalid(message: str) -> GoogleRefused:
    """400."""
    return GoogleRefused(400, "INVALID_ARGUMENT", message, reason="invalidArgument")


World = TypeVar("World", bound=GoogleWorld)


@dataclass(frozen=True)
class Ask:
    """One call that carried a good token."""

    person: GooglePerson
    scopes: frozenset[str]
    request: Request
    raw: bytes

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query_params.get(name, default)

    def number(self, name: str, default: int, largest: int) -> int:
        """A whole number of the query, between 1 and `largest`; raises GoogleRefused for anything else."""
        text = self.query(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < 1:
            raise invalid(f"Invalid value for {name}.")
        return min(int(text), largest)

    def body(self) -> Shape:
        """The body, which must be a JSON object; raises GoogleRefused."""
        try:
            body = json.loads(self.raw or b"{}")
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise invalid("Invalid JSON payload received.")
        return body

    def page(self, items: Sequence[JsonValue], size: int, member: str) -> Shape:
        """One page of a list and where the next begins; like Google's, an empty list is left out."""
        start = self.query("pageToken") or "0"
        if not (start.isascii() and start.isdigit() and len(start) < 10):
            raise invalid("Invalid pageToken")
        first = int(start)
        found: Shape = {member: [*items[first : first + size]]} if items[first : first + size] else {}
        return {**found, "nextPageToken": str(first + size)} if first + size < len(items) else found


Handler = Callable[[Ask], "Shape | Response"]


class GoogleDesk(Generic[World]):
    """Receives calls for one service's sandbox: token, scope, rate, then the route's own handler."""

    def __init__(
        self,
        service: str,
        world: World,
        save: Callable[[], None],
        *,
        scopes: Mapping[str, str],
        contains: Mapping[str, set[str]],
        now: Callable[[], float],
        rate_limit: int,
    ) -> None:
        self.world = world
        self.now = now
        self._save = save
        self._limits = RateLimits(rate_limit, 60, now)
        self.control = SandboxControl(service, refuse_fault, lambda: not_found("Not Found").response(), self._end)
        facts = _facts(world, scopes, contains)
        self.oauth = OAuthServer(facts, world.oauth, now=now, effects=self.control.effects, save=save)

    @classmethod
    def opened(
        cls,
        service: str,
        file: StateFile[World],
        seeded: Callable[[], World],
        *,
        clients: list[OAuthClient] | None,
        scopes: Mapping[str, str],
        contains: Mapping[str, set[str]],
        now: Callable[[], float],
        rate_limit: int,
    ) -> Self:
        """With the state of the file, or a new one. `rate_limit` is per person and minute."""
        world = file.load() or seeded()
        if clients is not None:
            world.oauth.clients = clients
        desk = cls(
            service, world, lambda: file.save(world), scopes=scopes, contains=contains, now=now, rate_limit=rate_limit
        )
        file.save(world)
        return desk

    def app(self, routes: Sequence[Route], *, faults: bool) -> SandboxApp:
        """All of it as an ASGI application."""
        everything = [*self.oauth.routes(faults=faults), *self._own_routes(), *routes]
        return SandboxApp(self.control, everything, faults=faults)

    def route(self, method: str, path: str, handler: Handler, *scopes: str, reads: bool = False) -> Route:
        """A route of the API; one of `scopes`, or a wider one, is enough. A POST that `reads` is no effect."""

        async def endpoint(request: Request) -> Response:
            try:
                ask = await self._received(request, scopes)
                answer = handler(ask)
            except GoogleRefused as refused:
                return refused.response()
            if method != "GET" and not reads:
                self.control.effects[f"{method} {path.replace(':path}', '}')}"] += 1
                self._save()
            return answer if isinstance(answer, Response) else JSONResponse(answer)

        return Route(path, endpoint, methods=[method])

    async def _received(self, request: Request, scopes: Sequence[str]) -> Ask:
        access = self._access(request)
        person = self.world.person(access.account)
        if person is None:
            raise _unauthenticated("ACCOUNT_STATE_INVALID")
        if scopes and all(self.oauth.lacking(access, scope) for scope in scopes):
            message, info = "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
            raise GoogleRefused(403, "PERMISSION_DENIED", message, reason="insufficientPermissions", info=info)
        if not self._limits.spend(person.sub):
            raise GoogleRefused(403, "PERMISSION_DENIED", "User Rate Limit Exceeded", reason="userRateLimitExceeded")
        return Ask(person, access.scopes, request, await _read(request))

    def _access(self, request: Request) -> Access:
        token = _bearer(request)
        if not token:
            raise _unauthenticated("CREDENTIALS_MISSING")
        access = self.oauth.look(token)
        if isinstance(access, str):
            raise _unauthenticated("ACCESS_TOKEN_EXPIRED" if access == "expired" else "")
        return access

    # ------------------------------------------------------------------------------ identity and revocation

    def _own_routes(self) -> list[Route]:
        return [
            Route("/openidconnect/v1/userinfo", self._userinfo, methods=["GET"]),
            Route("/oauth2/revoke", self._revoke, methods=["POST"]),
            Route("/", self._about, methods=["GET"]),
        ]

    async def _userinfo(self, request: Request) -> Response:
        access = self.oauth.look(_bearer(request))
        person = None if isinstance(access, str) else self.world.person(access.account)
        if isinstance(access, str) or person is None:
            told = {"error": "invalid_request", "error_description": "Invalid Credentials"}
            return JSONResponse(told, status_code=401)
        found: Shape = {"sub": person.sub}
        if EMAIL in access.scopes:
            found |= {"email": person.email, "email_verified": True}
        return JSONResponse(found)

    async def _revoke(self, request: Request) -> Response:
        """An access or a refresh token; either ends the person's whole consent to the application."""
        form = {name: values[0] for name, values in (await read_form(request)).items()}
        if self._end(form.get("token") or request.query_params.get("token", "")):
            return JSONResponse({})
        return JSONResponse({"error": "invalid_token", "error_description": "Token expired or revoked"}, 400)

    def _end(self, token: str) -> bool:
        refresh, access = self.world.oauth.refresh_tokens.get(fingerprint(token)), self.oauth.look(token)
        if isinstance(access, str) and refresh is None:
            return False
        number = refresh.authorization if refresh else access.authorization if isinstance(access, Access) else None
        if number is None:
            return self.oauth.revoke(token)
        self.oauth.end_authorization(number)
        self.control.effects["POST /oauth2/revoke"] += 1
        self._save()
        return True

    async def _about(self, _request: Request) -> Response:
        """What this is, for whoever opens its address."""
        words = "This is a sandbox that comes with Mandate. It is not Google; the people and data in it are invented."
        return JSONResponse({"sandbox": True, "service": self.control.service, "message": words})


def refuse_fault(fault: Fault) -> Response:
    """The answers of Google to what a fault asks for."""
    refused, waits = _refusal_of(fault.kind)
    response = refused.response()
    if waits:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _refusal_of(kind: str) -> tuple[GoogleRefused, bool]:
    match kind:
        case "429":
            message, info = "Quota exceeded for quota metric 'Queries'.", "RATE_LIMIT_EXCEEDED"
            return GoogleRefused(429, "RESOURCE_EXHAUSTED", message, reason="rateLimitExceeded", info=info), True
        case "403_secondary":
            message = "User Rate Limit Exceeded"
            return GoogleRefused(403, "PERMISSION_DENIED", message, reason="userRateLimitExceeded"), False
        case "401":
            return _unauthenticated(""), False
        case "404":
            return not_found(), False
        case "422":
            return invalid("Request contains an invalid argument."), False
        case "503":
            return GoogleRefused(
                503, "UNAVAILABLE", "The service is currently unavailable.", reason="backendError"
            ), True
        case _:
            return GoogleRefused(500, "INTERNAL", "Internal error encountered.", reason="backendError"), False


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _unauthenticated(info: str) -> GoogleRefused:
    message = "Request had invalid authentication credentials."
    return GoogleRefused(401, "UNAUTHENTICATED", message, reason="authError", info=info)


def _facts(world: GoogleWorld, scopes: Mapping[str, str], contains: Mapping[str, set[str]]) -> OAuthFacts:
    return OAuthFacts(
        service="Google",
        authorize="/o/oauth2/v2/auth",
        token="/oauth2/token",  # noqa: S106  a path
        scopes={**IDENTITY_SCOPES, **scopes},
        accounts=lambda: [(person.sub, f"{person.name} ({person.email})") for person in world.people],
        kinds=(TokenKind(prefix="ya29.sandbox_", refresh_prefix="1//sandbox_"),),
        contains=contains,
        lifetime=Lifetime(access_seconds=_HOUR_SECONDS - 1, refresh="reusable"),
        offers_refresh=_is_offline,
        read=_long_names,
    )


def _is_offline(wish: Wish) -> bool:
    return wish.asked.get("access_type") == "offline"


def _long_names(fields: Mapping[str, str]) -> Mapping[str, str]:
    """`email` is the short name of a scope; Google's answers give the long one."""
    asked = " ".join(EMAIL if scope == "email" else scope for scope in fields.get("scope", "").split())
    return {**fields, "scope": asked}


async def _read(request: Request) -> bytes:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise GoogleRefused(413, "INVALID_ARGUMENT", "Request is too large.", reason="uploadTooLarge")
    return raw
