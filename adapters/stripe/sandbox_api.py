"""How the Stripe sandbox receives a call: who asks, for which account, how often, with what, and whether again.

Order of refusal: key, account, rate limit, permission, version, form, then the route's own rules. Sources: Stripe's
pages on errors, idempotent requests, versioning, authentication and pagination.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault, read_form
from adapters._kit.sandbox_oauth import basic_credentials
from adapters.stripe.sandbox_forms import Form, Wrong, nested
from adapters.stripe.sandbox_state import PLATFORM, Book, Hub, Remembered, Shape, World

VERSION = "2026-10-28.endive"
_DAY_SECONDS = 86_400


class Refused(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        **more: str,
    ) -> None:
        super().__init__(message)
        self.status = status
        error: Shape = {"type": kind, "message": message, **more}
        if code is not None:
            error |= {"code": code, "doc_url": f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"}
        if param is not None:
            error["param"] = param
        self.body: Shape = {"error": error}

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The error in Stripe's shape."""
        return JSONResponse(self.body, status_code=self.status, headers={**_marks(), **(headers or {})})


def missing(kind: str, id: str, *, param: str = "id", status: int = 404) -> Refused:
    """There is no such object, or it is in the other mode or another account."""
    return Refused(status, f"No such {kind}: '{id[:100]}'", "resource_missing", param)


@dataclass
class Desk:
    """Where objects are made: one account's books, at one moment (epoch seconds), under one address."""

    world: World
    book: Book
    time: int
    root: str

    def id(self, prefix: str) -> str:
        """A new identifier."""
        return self.world.new_id(prefix)

    def find(self, kind: str, id: str, param: str | None = None) -> Shape:
        """An object of these books; raises Refused: 404 for one of the path, 400 for one of the form."""
        found = self.book.all(kind).get(id)
        if found is None:
            raise missing(kind, id, param=param or "id", status=400 if param else 404)
        return found


@dataclass
class Ask(Desk):
    """One authenticated call."""

    hub: Hub
    request: Request
    form: Form

    def at(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def page(self, kind: str, keep: Callable[[Shape], bool] = lambda _: True) -> Shape:
        """One page of a list, newest first."""
        size = self.form.number("limit", 1)
        size = 10 if size is None else size
        if size > 100:
            raise Wrong("parameter_invalid_integer", "limit", "Limit must be 100 at most")
        shown = [each for each in reversed(self.book.all(kind).values()) if keep(each)]
        after = self.form.text("starting_after")
        if after is not None:
            ids = [each["id"] for each in shown]
            if after not in ids:
                raise missing(kind, after, param="starting_after", status=400)
            shown = shown[ids.index(after) + 1 :]
        return list_shape(self._plain_path, [*shown[:size]], has_more=len(shown) > size)

    @property
    def _plain_path(self) -> str:
        path: str = self.request.scope["path"]
        return path.removeprefix(self.request.scope.get("root_path", ""))

    def created(self) -> Callable[[Shape], bool]:
        """Whether an object is in the window that was asked for."""
        window = self.form.part("created")
        since, until = (window.number("gte"), window.number("lt")) if window else (None, None)

        def fits(shape: Shape) -> bool:
            made = shape["created"]
            return isinstance(made, int) and (since is None or made >= since) and (until is None or made < until)

        return fits


def list_shape(url: str, data: list[Shape], *, has_more: bool = False) -> Shape:
    """A list as Stripe writes it."""
    return {"object": "list", "data": [*data], "has_more": has_more, "url": url}


Handler = Callable[[Ask], Shape]


@dataclass(frozen=True)
class _Caller:
    """Whose books are opened, and what may be done in them."""

    key: str
    account: str
    live: bool
    may_write: bool
    may_tell_account: bool = field(default=True)


def api_route(hub: Hub, method: str, path: str, handler: Handler) -> Route:
    """A route of the API."""

    async def endpoint(request: Request) -> Response:
        try:
            caller = _caller(hub, request)
            if not hub.per_second.spend(caller.account):
                return _too_many(1)
            _admit(caller, request, method, path)
            raw, form = await _form(request, method)
            book = hub.world.book(caller.account, live=caller.live)
            ask = Ask(hub.world, book, int(hub.now()), _root(request), hub, request, form)
            return _answer(ask, method, path, raw, handler)
        except Wrong as wrong:
            return Refused(400, wrong.message, wrong.code, wrong.param).response()
        except Refused as refused:
            return refused.response()

    return Route(path, endpoint, methods=[method])


def _root(request: Request) -> str:
    """The address by which the sandbox was reached."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def refuse_fault(fault: Fault) -> Response:
    """The answers of Stripe to what a fault asks for."""
    match fault.kind:
        case "429":
            return _too_many(fault.retry_after)
        case "403_secondary":
            return Refused(403, "The provided key does not have the required permissions.").response()
        case "401":
            return Refused(401, "Invalid API Key provided: rk_test_****").response()
        case "404":
            return missing("thing", "sandbox").response()
        case "422":
            words = "Your card was declined."
            more = {"decline_code": "insufficient_funds"}
            return Refused(402, words, "card_declined", kind="card_error", **more).response()
        case "503":
            return Refused(503, "Stripe is being looked after.", kind="api_error").response()
    return Refused(500, "Something went wrong at Stripe's end.", kind="api_error").response()


def _too_many(seconds: int) -> Response:
    refused = Refused(429, "Too many requests hit the API too quickly.", "rate_limit")
    return refused.response({"Retry-After": str(seconds), "Stripe-Rate-Limited-Reason": "global-rate"})


def _marks() -> dict[str, str]:
    return {"Request-Id": f"req_{secrets.token_hex(7)}", "Stripe-Version": VERSION}


def key_of(request: Request) -> str:
    """RFC 6750, or RFC 7617 with the key as user name."""
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    return told.strip() if kind.lower() == "bearer" else basic_credentials(request)[0]


def _caller(hub: Hub, request: Request) -> _Caller:
    told, named = key_of(request), request.headers.get("stripe-account")
    if not told:
        raise Refused(401, "You did not provide an API key.")
    if any(told == client.client_secret for client in hub.world.oauth.clients):
        return _connected(hub, told, named)
    key, access = hub.world.keys.get(told), hub.oauth.look(told)
    if key is None and isinstance(access, str):
        raise Refused(401, f"Invalid API Key provided: {told[:8]}****")
    account = key.account if key else "" if isinstance(access, str) else access.account
    if key is not None and key.expired:
        raise Refused(401, f"Expired API Key provided: {told[:8]}****", "api_key_expired")
    if named not in (None, account):
        raise _no_access(told, str(named))
    if key is not None:
        return _Caller(told, account, key.live, key.may_write, key.may_tell_account)
    scopes = frozenset() if isinstance(access, str) else access.scopes
    return _Caller(told, account, live=False, may_write="read_write" in scopes)


def _connected(hub: Hub, key: str, account: str | None) -> _Caller:
    """The platform, for an account that allowed it or for itself."""
    live = not key.startswith("sk_test_")
    if account is None:
        return _Caller(key, PLATFORM, live, may_write=True)
    client = next(each for each in hub.world.oauth.clients if each.client_secret == key)
    allowed = hub.world.oauth.authorizations.values()
    if not any((each.client_id, each.account) == (client.client_id, account) for each in allowed):
        raise _no_access(key, account)
    scopes = hub.world.granted.get(f"{client.client_id} {account}", [])
    return _Caller(key, account, live, may_write="read_write" in scopes)


def _no_access(key: str, account: str) -> Refused:
    words = f"The provided key '{key[:8]}****' does not have access to account '{account[:100]}'"
    return Refused(403, f"{words} (or that account does not exist).", "account_invalid")


def _admit(caller: _Caller, request: Request, method: str, path: str) -> None:
    lacks_write = method != "GET" and not caller.may_write
    if lacks_write or (path == "/v1/account" and not caller.may_tell_account):
        words = f"The provided key '{caller.key[:8]}****' does not have the required permissions for this endpoint"
        raise Refused(403, f"{words} on account '{caller.account}'.")
    version = request.headers.get("stripe-version", VERSION)
    if version != VERSION:
        raise Refused(400, f"Invalid Stripe API version: {version[:100]}.")


async def _form(request: Request, method: str) -> tuple[str, Form]:
    """What was asked, as text to compare and as a form."""
    if method != "POST":
        query = request.url.query
        return query, Form(nested(parse_qs(query, keep_blank_values=True)))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/x-www-form-urlencoded"):
        words = "Invalid request (check that your POST content type is application/x-www-form-urlencoded)."
        raise Refused(400, words, "parameter_unknown")
    try:
        fields = await read_form(request)
    except ValueError:
        raise Refused(413, "The request is too large.") from None
    return json.dumps(fields, sort_keys=True), Form(nested(fields))


def _answer(ask: Ask, method: str, path: str, raw: str, handler: Handler) -> Response:
    key = ask.request.headers.get("idempotency-key") if method == "POST" else None
    if key is None:
        return _performed(ask, method, path, handler)
    if len(key) > 255:
        raise Refused(400, "An idempotency key has 255 characters at most.", kind="idempotency_error")
    asked = hashlib.sha256(f"{ask.request.url.path} {raw}".encode()).hexdigest()
    known = ask.book.remembered.get(key)
    if known is None or known.until <= ask.hub.now():
        return _performed(ask, method, path, handler, lambda body: _remember(ask, key, asked, body))
    if known.asked != asked:
        words = "Keys for idempotent requests can only be used with the same parameters they were first used with."
        raise Refused(400, words, kind="idempotency_error")
    headers = {**_marks(), "Idempotency-Key": key, "Idempotent-Replayed": "true"}
    return JSONResponse(known.body, status_code=known.status, headers=headers)


def _remember(ask: Ask, key: str, asked: str, body: Shape) -> None:
    until = ask.hub.now() + _DAY_SECONDS
    # A copy: the object itself goes on changing.
    ask.book.remembered[key] = Remembered(asked=asked, status=200, body=deepcopy(body), until=until)


def _performed(
    ask: Ask, method: str, path: str, handler: Handler, keep: Callable[[Shape], None] = lambda _: None
) -> Response:
    """Only an answer that was a yes is remembered: one that failed validation may be asked again."""
    body = handler(ask)
    if method != "GET":
        keep(body)
        ask.hub.performed(f"{method} {path}")
    return JSONResponse(body, headers=_marks())
