"""MCP over streamable HTTP, on `/mcp`: the same actions, for agents that speak the Model Context Protocol.

Every request is looked at here first: where it comes from, who sends it, how large and how deep it is. Then the
protocol's own library answers it (`gateway.doors.mcp_server`). That is loaded for the first request and in a thread:
it takes most of a second, and who does not use MCP should not wait for it.

Nothing is remembered between requests, so any process answers any of them, and there is no session to end (DELETE).
A GET opens a stream on which clients of the older revisions hear of changes.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, cast
from urllib.parse import urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from domain.errors import DependencyDown, MandateError, Unauthenticated
from gateway.doors.authentication import caller_of
from gateway.doors.bodies import bounded_body, replayed
from gateway.wiring import Gateway

if TYPE_CHECKING:
    from gateway.doors.mcp_server import Speaker

DEEPEST: Final = 100
#: The protocol's error codes (JSON-RPC 2.0, section 5.1).
PARSE_ERROR, INVALID_REQUEST, INTERNAL_ERROR = -32700, -32600, -32603
_METADATA: Final = "/.well-known/oauth-protected-resource"

_EVENTS: Final = "text/event-stream"
#: The newest revision whose clients open a stream by GET.
_LAST_WITH_GET: Final = "2025-11-25"
#: Answered as a stream by their nature.
_STREAMING_METHODS: Final = frozenset({"tasks/result", "subscriptions/listen"})

_Speaking = Callable[[Gateway], AbstractAsyncContextManager["Speaker"]]


class McpDoor:
    """An ASGI application; entered for as long as the gateway serves. `origins` are pages that may call it."""

    def __init__(self, gateway: Gateway, origins: Sequence[str], issuer: str | None) -> None:
        deployment = gateway.services.deployment
        self._gateway = gateway
        self._url = deployment.mcp_url
        self._issuer = issuer
        self._welcome = _Welcome(deployment.public_url, origins, is_development=deployment.is_development)
        self._speaker: asyncio.Future[Speaker] | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Nothing is loaded yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the library end what it has begun."""
        self._closing.set()
        if self._speaking is not None:
            await self._speaking

    def routes(self) -> list[BaseRoute]:
        """The door itself, and where clients learn who may enter (RFC 9728)."""
        path = urlsplit(self._url).path
        places = dict.fromkeys([_METADATA, f"{_METADATA}/mcp", f"{_METADATA}{path}"])
        return [Route("/mcp", self), *(Route(place, self._resource) for place in places)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        # RFC 9110, section 5.5: blanks around a value are no part of it; the server leaves those behind it.
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        request = Request(scope, receive)
        answer = self._welcome.objection(request) or _method(request) or await self._recognised(request)
        if answer is None:
            serve = self._stream if request.method == "GET" else self._message
            answer = await serve(request, scope, receive, send)
        if answer is not None:
            await answer(scope, receive, send)

    async def _stream(self, _: Request, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """A stream, from its beginning to its end; an answer instead when it could not begin."""
        try:
            await (await self._loaded()).stream(scope, receive, send)
        except DependencyDown as error:
            return problem(503, INTERNAL_ERROR, error.code, error.message, {"retry-after": "2"})
        return None

    async def _message(self, request: Request, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """One message, answered by the library; an answer instead for what is none."""
        body = await bounded_body(receive)
        message = _read(body)
        if isinstance(message, Response) or body is None:
            return message if isinstance(message, Response) else None
        speaker = await self._loaded()
        tells = _EVENTS in request.headers.get("accept", "") and _may_tell(message)
        await (speaker.telling if tells else speaker.whole)(scope, replayed(body, receive), send)
        return None

    async def _recognised(self, request: Request) -> Response | None:
        """Puts the caller into the request's scope, where the tools find it."""
        try:
            request.scope["mandate.caller"] = await caller_of(self._gateway, request, takes_cookie=False)
        except Unauthenticated as error:
            return problem(401, INVALID_REQUEST, error.code, error.message, {"www-authenticate": self._demand(request)})
        except DependencyDown as error:
            return problem(503, INTERNAL_ERROR, error.code, error.message, {"retry-after": "2"})
        except MandateError:
            message = "The gateway is not set up correctly. Its operator finds the reason in its log."
            return problem(500, INTERNAL_ERROR, "INTERNAL", message)
        return None

    def _demand(self, request: Request) -> str:
        """RFC 6750, section 3, with RFC 9728, section 5.1. What nobody sent is not called invalid."""
        parts = urlsplit(self._url)
        metadata = f"{parts.scheme}://{parts.netloc}{_METADATA}{parts.path}"
        fault = 'error="invalid_token", ' if "authorization" in request.headers else ""
        return f'Bearer {fault}resource_metadata="{metadata}"'

    async def _resource(self, request: Request) -> Response:  # noqa: ARG002
        """Protected resource metadata. Development has no authorisation server: its tokens are printed."""
        said = {"resource": self._url, "resource_name": "Mandate", "bearer_methods_supported": ["header"]}
        servers = {"authorization_servers": [self._issuer]} if self._issuer else {}
        return JSONResponse({**said, **servers})

    async def _loaded(self) -> "Speaker":
        """The protocol's library at work; loaded by whoever comes first. A failed attempt is not the last."""
        if self._speaker is None or (self._speaker.done() and self._speaker.exception() is not None):
            self._speaker = asyncio.get_running_loop().create_future()
            self._speaking = asyncio.create_task(self._speak(self._speaker))
        return await asyncio.shield(self._speaker)

    async def _speak(self, ready: "asyncio.Future[Speaker]") -> None:
        """Begins and ends in one task, as the library demands."""
        try:
            speaking = await asyncio.to_thread(_load)
            async with speaking(self._gateway) as speaker:
                ready.set_result(speaker)
                await self._closing.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)


class _Welcome:
    """Whom a request may come from: it must name us, and a page that sends it must be one of ours.

    Both keep a web page from reaching a gateway on its reader's machine under a name of its own (DNS rebinding).
    """

    def __init__(self, public_url: str, origins: Sequence[str], *, is_development: bool) -> None:
        self._host = urlsplit(public_url).hostname
        self._origins = frozenset(origins)
        self._is_development = is_development

    def objection(self, request: Request) -> Response | None:
        """None when there is none."""
        if not self._is_ours(f"//{request.headers.get('host', '')}"):
            message = "The Host header does not name this gateway. A proxy in front of it must pass on the public name."
            return problem(421, INVALID_REQUEST, "BAD_REQUEST", message)
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins and not (self._is_development and self._is_ours(origin)):
            message = "Pages of this origin may not call the gateway. An operator allows it in MANDATE_ALLOWED_ORIGINS."
            return problem(403, INVALID_REQUEST, "BAD_REQUEST", message)
        return None

    def _is_ours(self, url: str) -> bool:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            return False
        return host is not None and (host == self._host or (self._is_development and _is_loopback(host)))


def problem(
    status: int, number: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A request that never became a call, in JSON-RPC's shape."""
    error = {"code": number, "message": message, "data": {"code": code}}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status_code=status, headers=headers)


def _method(request: Request) -> Response | None:
    is_old = request.headers.get("mcp-protocol-version", "") <= _LAST_WITH_GET
    if request.method == "POST" or (
        request.method == "GET" and is_old and _EVENTS in request.headers.get("accept", "")
    ):
        return None
    message = "Send messages by POST. A GET opens a stream of events, until 2025-11-25: accept it."
    return problem(405, INVALID_REQUEST, "METHOD_NOT_ALLOWED", message, {"allow": "POST"})


def _may_tell(message: Mapping[str, object]) -> bool:
    """Whether there may be something to tell before the answer: the client asked for progress, or waits for an end."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return message.get("method") in _STREAMING_METHODS or (isinstance(meta, dict) and "progressToken" in meta)


def _read(body: bytes | None) -> Response | Mapping[str, object]:
    """What a body says, or what is wrong with it, before the protocol's library is troubled with it."""
    if body is None:
        return problem(413, INVALID_REQUEST, "TOO_LARGE", "The request is larger than 1 MiB.")
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return problem(400, PARSE_ERROR, "BAD_REQUEST", "The request is not JSON, or nested too deeply.")
    if isinstance(message, list):
        said = "The protocol knows no batches (since 2025-06-18). Send one message for each request."
        return problem(400, INVALID_REQUEST, "BAD_REQUEST", said)
    if not _is_message(message):
        return problem(400, INVALID_REQUEST, "BAD_REQUEST", "This is not a JSON-RPC 2.0 request or notification.")
    if _is_deeper(message, DEEPEST):
        return problem(400, INVALID_REQUEST, "BAD_REQUEST", f"The request is nested more than {DEEPEST} levels deep.")
    return cast(Mapping[str, object], message)


def _is_message(message: object) -> bool:
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        return False
    name = message.get("id", 0)
    is_named = isinstance(name, str | int) and not isinstance(name, bool)
    return is_named and isinstance(message.get("params", {}), dict)


def _is_deeper(value: object, levels: int) -> bool:
    """Level by level, not by recursion: the depth is what is in doubt."""
    level: list[object] = [value]
    for _ in range(levels):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: object) -> Sequence[object]:
    found: Sequence[object] = ()
    if isinstance(value, dict):
        found = list(value.values())
    elif isinstance(value, list):
        found = value
    return [each for each in found if isinstance(each, dict | list)]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _load() -> _Speaking:
    from gateway.doors.mcp_server import speaking

    return speaking
