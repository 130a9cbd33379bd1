"""How the Slack sandbox receives a call of a method: with which token, may it, how often, with what arguments.

Order of refusal: method, token, rate limit, scope, arguments. A refusal has HTTP 200, `ok` false and `error`;
only a rate limit has 429 and only trouble has 5xx, as Slack does.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qs

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Fault
from adapters._kit.sandbox_oauth import Access
from adapters.slack.sandbox_state import BOT_USER, Channel, Hub, Person

Shape = dict[str, JsonValue]
Thing = TypeVar("Thing")
_BODY_LIMIT_BYTES = 1024 * 1024
_ENDED = {"unknown": "invalid_auth", "expired": "token_expired", "revoked": "token_revoked"}


class Refused(Exception):
    """A no. `more` are further members, such as `needed`."""

    def __init__(self, error: str, **more: JsonValue) -> None:
        super().__init__(error)
        self.body: Shape = {"ok": False, "error": error, **more}


@dataclass(frozen=True)
class Ask:
    """One authenticated call. `user` is who acts: the app's user with a bot token, the person with theirs."""

    hub: Hub
    access: Access
    user: str
    root: str
    arguments: dict[str, str]

    @property
    def by_bot(self) -> bool:
        """Whether the app acts in its own name."""
        return self.access.kind == "bot"

    def text(self, name: str) -> str:
        """An argument, empty when it is missing."""
        return self.arguments.get(name, "")

    def needed(self, name: str, error: str = "invalid_arguments") -> str:
        """An argument that must be there; raises Refused."""
        if not self.text(name):
            raise Refused(error)
        return self.text(name)

    def flag(self, name: str) -> bool:
        """A boolean argument, false when missing."""
        return self.text(name).lower() in ("1", "true")

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`; raises Refused."""
        text = self.text(name) or str(default)
        if not (text.isascii() and text.isdigit() and len(text) < 12) or not int(text) >= 1:
            raise Refused("invalid_arguments")
        return min(int(text), most)

    def channel(self) -> Channel:
        """The channel of the arguments; raises Refused."""
        found = self.hub.world.channel(self.text("channel"))
        if found is None or (found.with_user and self.user not in found.members):
            raise Refused("channel_not_found")
        return found

    def open_channel(self) -> Channel:
        """The same, where the caller is a member and it is not archived."""
        found = self.channel()
        if found.is_archived:
            raise Refused("is_archived")
        if self.user not in found.members:
            raise Refused("not_in_channel")
        return found

    def person(self, user: str) -> Person:
        """Somebody of the workspace; raises Refused."""
        found = self.hub.world.person(user)
        if found is None:
            raise Refused("user_not_found")
        return found

    def cursored(self, items: Sequence[Thing], default: int = 100) -> tuple[Sequence[Thing], str]:
        """One page by `limit` and `cursor`, and the next cursor; empty at the end. Raises Refused."""
        limit, start = self.number("limit", default, 1000), _position(self.text("cursor"))
        following = start + limit
        return items[start:following], _cursor(following) if following < len(items) else ""

    def numbered(self, items: Sequence[Thing], most: int = 200) -> tuple[Sequence[Thing], Shape]:
        """One page by `count` and `page`, and the `paging` member."""
        count, page = self.number("count", 20, most), self.number("page", 1, 10_000)
        paging: Shape = {"count": count, "total": len(items), "page": page, "pages": max(1, -(-len(items) // count))}
        return items[(page - 1) * count : page * count], paging


@dataclass(frozen=True)
class Method:
    """A method of the Web API. `writes`: it changes something."""

    handler: Callable[[Ask], Shape]
    scopes: tuple[str, ...] = ()
    writes: bool = False
    kinds: tuple[str, ...] = ("bot", "user")


def api_route(hub: Hub, methods: dict[str, Method]) -> Route:
    """All methods below /api/."""

    async def endpoint(request: Request) -> Response:
        name = str(request.path_params["method"])
        method = methods.get(name)
        if method is None:
            return JSONResponse({"ok": False, "error": "unknown_method", "req_method": name})
        try:
            arguments = await _arguments(request)
            access = _authenticated(hub, request, arguments)
        except Refused as refused:
            return JSONResponse(refused.body)
        headers = {
            "x-oauth-scopes": ",".join(sorted(access.scopes)),
            "x-accepted-oauth-scopes": ",".join(method.scopes),
        }
        if not hub.limits.spend(f"{name} {access.key}"):
            wait = max(1, int(hub.limits.look(f"{name} {access.key}").reset_at - hub.now()))
            return limited(wait)
        user = BOT_USER if access.kind == "bot" else access.account
        ask = Ask(hub, access, user, _root_of(request), arguments)
        return JSONResponse(_answered(name, method, ask), headers=headers)

    return Route("/api/{method}", endpoint, methods=["GET", "POST"])


def limited(seconds: int) -> Response:
    """429, as Slack says it."""
    return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers={"Retry-After": str(seconds)})


def refuse_fault(fault: Fault) -> Response:
    """The answers of Slack to what a fault asks for."""
    words = {"401": "invalid_auth", "404": "channel_not_found", "422": "invalid_arguments"}
    match fault.kind:
        case "429" | "403_secondary":
            return limited(fault.retry_after)
        case "401" | "404" | "422":
            return JSONResponse({"ok": False, "error": words[fault.kind]})
        case "503":
            later = {"Retry-After": str(fault.retry_after)}
            return JSONResponse({"ok": False, "error": "service_unavailable"}, 503, headers=later)
        case _:
            return JSONResponse({"ok": False, "error": "internal_error"}, 500)


def _answered(name: str, method: Method, ask: Ask) -> Shape:
    try:
        _check_access(method, ask)
        answer = method.handler(ask)
    except Refused as refused:
        return refused.body
    if method.writes:
        ask.hub.performed(name)
    return {"ok": True, **answer}


def _check_access(method: Method, ask: Ask) -> None:
    if ask.access.kind not in method.kinds:
        raise Refused("not_allowed_token_type")
    if lacking := ask.hub.oauth.lacking(ask.access, *method.scopes):
        raise Refused("missing_scope", needed=lacking[0], provided=",".join(sorted(ask.access.scopes)))


def _authenticated(hub: Hub, request: Request, arguments: dict[str, str]) -> Access:
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    token = told.strip() if kind.lower() == "bearer" else arguments.get("token", "")
    if not token:
        raise Refused("not_authed")
    access = hub.oauth.look(token)
    if not isinstance(access, Access):
        raise Refused(_ENDED[access])
    return access


async def _arguments(request: Request) -> dict[str, str]:
    """Query, form or JSON; nested JSON as text, as forms carry it. Raises Refused."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BODY_LIMIT_BYTES:
            raise Refused("request_too_large")
    told = dict(request.query_params)
    if "json" in request.headers.get("content-type", ""):
        try:
            body = json.loads(raw or b"{}")
        except (ValueError, RecursionError):
            raise Refused("invalid_json") from None
        if not isinstance(body, dict):
            raise Refused("json_not_object")
        found = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
        return {**told, **found}
    form = parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True)
    return {**told, **{name: values[0] for name, values in form.items()}}


def _root_of(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def _cursor(position: int) -> str:
    return base64.b64encode(f"next:{position}".encode()).decode()


def _position(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        word, _, number = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused("invalid_cursor") from None
    if word != "next" or not (number.isascii() and number.isdigit() and len(number) < 10):
        raise Refused("invalid_cursor")
    return int(number)
