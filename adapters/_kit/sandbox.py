"""What the sandbox of every integration shares.

A sandbox is a small stateful service that behaves like the real one, so that people can try Mandate and test
their agents without an account. It says that it is a sandbox on every page and in a header of every answer.
Here are the parts that do not depend on the service: faults on request, counted effects, rate-limit windows,
signed tokens, the consent page, form parsing, and a state file.

Control routes (only when the sandbox is created with faults on; they ask for `Content-Type: application/json`
so that a foreign web page cannot reach them without a preflight, which is never granted):

    POST   /_sandbox/faults    {"kind", "match", "times", "retry_after", "seconds", "megabytes"}
    GET    /_sandbox/faults    those still waiting          DELETE /_sandbox/faults    forget them
    GET    /_sandbox/effects   writes performed by route    DELETE /_sandbox/effects   count from zero
    POST   /_sandbox/revoke    {"token"}
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import socket
import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from html import escape
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar, runtime_checkable
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

_FORM_LIMIT_BYTES = 64 * 1024
_GARBAGE = b"\x00<<< not { JSON \xff\xfe"

FaultKind = Literal[
    "429",
    "403_secondary",
    "500",
    "503",
    "401",
    "404",
    "422",
    "slow",
    "reset",
    "lost_answer",
    "garbage",
    "huge",
]


class Fault(BaseModel):
    """One misbehaviour asked for in advance.

    `match` is a shell pattern over "METHOD /path" without prefix and query, `*` also matching slashes.
    `times` is how many matching requests it meets. `retry_after` and `seconds` are seconds, `megabytes` is in
    MiB.
    """

    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    match: str = "*"
    times: int = Field(default=1, ge=1)
    retry_after: int = Field(default=1, ge=0)
    seconds: float = Field(default=1.0, ge=0, le=600)
    megabytes: int = Field(default=200, ge=1, le=2048)


class Faults:
    """The misbehaviours still waiting, the oldest first."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def take(self, call: str) -> Fault | None:
        """The first fault that matches "METHOD /path", used up by one; None when there is none."""
        for fault in self.waiting:
            if fnmatchcase(call, fault.match):
                fault.times -= 1
                if fault.times == 0:
                    self.waiting.remove(fault)
                return fault
        return None


@runtime_checkable
class _Transport(Protocol):
    """What asyncio and uvloop transports have in common."""

    def abort(self) -> None: ...
    def get_extra_info(self, name: str) -> socket.socket | None: ...


def _transport_beneath(send: object, depth: int = 12) -> _Transport | None:
    """The `send` of uvicorn is a method of what holds the transport; middleware wraps it in closures."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if isinstance(transport, _Transport) or depth == 0:
        return transport
    for cell in getattr(send, "__closure__", None) or ():
        if found := _transport_beneath(cell.cell_contents, depth - 1):
            return found
    return None


async def _cut(receive: Receive, send: Send, *, hard: bool) -> None:
    """End the connection without a byte; `hard` makes the peer see a reset instead of an end.

    ASGI has no message for this, so the transport is closed underneath. Where none can be found, break off
    inside an answer, which the server then closes.
    """
    transport = _transport_beneath(send)
    if transport is None:
        more = [(b"content-length", b"1000000")]
        await send({"type": "http.response.start", "status": 200, "headers": more})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        return
    raw = transport.get_extra_info("socket")
    if hard and raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _swallow(message: Message) -> None:
    """A lost answer goes nowhere."""


async def _huge(fault: Fault, send: Send) -> None:
    """Valid JSON, all of it: only a limit on size can refuse it."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"filler":"', "more_body": True})
    chunk = {"type": "http.response.body", "body": b"x" * 1024 * 1024, "more_body": True}
    for _ in range(fault.megabytes):
        await send(chunk)
    await send({"type": "http.response.body", "body": b'"}'})


@dataclass
class SandboxControl:
    """What a service brings: its name, its refusals, how a token ends; and what the controls look at."""

    service: str
    refuse: Callable[[Fault], Response]
    unknown: Callable[[], Response]
    revoke: Callable[[str], bool]
    faults: Faults = field(default_factory=Faults)
    effects: Counter[str] = field(default_factory=Counter)


class SandboxApp(Starlette):
    """A Starlette application that plays the asked-for faults before its routes see a request.

    `aliases` are path prefixes that lead to the same routes; they are left out when a fault is matched.
    """

    def __init__(
        self,
        control: SandboxControl,
        routes: Sequence[BaseRoute],
        *,
        faults: bool,
        aliases: Iterable[str] = (),
    ) -> None:
        def unknown(_request: Request, _problem: Exception) -> Response:
            return control.unknown()

        everything = [*(control_routes(control) if faults else ()), *routes]
        super().__init__(routes=everything, exception_handlers={404: unknown, 405: unknown})
        self.add_exception_handler(ValidationError, _not_understood)
        self.control = control
        self.aliases = tuple(aliases)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, marked as coming from a sandbox."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path = self._path_within(scope)
        controls = path.startswith("/_sandbox/")
        fault = None if controls else self.control.faults.take(f"{scope['method']} {path}")
        await self._play(fault, scope, receive, _marked(send, self.control.service))

    def _path_within(self, scope: Scope) -> str:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        alias = next((alias for alias in self.aliases if path.startswith(alias + "/")), "")
        return path.removeprefix(alias)

    async def _play(self, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> None:
        if fault is None:
            await super().__call__(scope, receive, send)
            return
        match fault.kind:
            case "slow":
                await asyncio.sleep(fault.seconds)
                await super().__call__(scope, receive, send)
            case "lost_answer":
                await super().__call__(scope, receive, _swallow)
                await _cut(receive, send, hard=False)
            case "reset":
                await _cut(receive, send, hard=True)
            case "huge":
                await _huge(fault, send)
            case "garbage":
                await Response(_GARBAGE, media_type="application/json")(scope, receive, send)
            case _:
                await self.control.refuse(fault)(scope, receive, send)


def _marked(send: Send, service: str) -> Send:
    mark = (b"x-mandate-sandbox", service.encode())

    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), mark]}
        await send(message)

    return send_marked


def control_routes(control: SandboxControl) -> list[Route]:
    """The routes under `/_sandbox/`."""

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            control.faults.waiting.clear()
        elif request.method == "POST":
            fault = Fault.model_validate_json(await control_body(request))
            control.faults.waiting.append(fault)
            return JSONResponse(fault.model_dump(), status_code=201)
        return JSONResponse({"faults": [fault.model_dump() for fault in control.faults.waiting]})

    async def effects(request: Request) -> Response:
        if request.method == "DELETE":
            control.effects.clear()
        return JSONResponse({"effects": dict(control.effects), "total": control.effects.total()})

    async def revoke(request: Request) -> Response:
        asked = TypeAdapter(dict[Literal["token"], str]).validate_json(await control_body(request))
        return JSONResponse({"revoked": control.revoke(asked.get("token", ""))})

    return [
        Route("/_sandbox/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/effects", effects, methods=["GET", "DELETE"]),
        Route("/_sandbox/revoke", revoke, methods=["POST"]),
    ]


async def control_body(request: Request) -> bytes:
    """The body, or nothing at all when it was not sent as JSON (see the module's note on foreign pages)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return await request.body() if kind == "application/json" else b""


def _not_understood(_request: Request, wrong: Exception) -> Response:
    """What is wrong with a control request, member by member."""
    found = wrong.errors() if isinstance(wrong, ValidationError) else []
    errors = [f"{'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}" for error in found]
    return JSONResponse({"message": "Not understood", "errors": errors}, status_code=422)


@dataclass
class RateWindow:
    """How much of one window a caller has used. `reset_at` is in epoch seconds."""

    limit: int
    used: int
    reset_at: int

    @property
    def remaining(self) -> int:
        """Requests left in this window, never below zero."""
        return max(0, self.limit - self.used)


class RateLimits:
    """Fixed windows per key, as most services count."""

    def __init__(self, limit: int, window_seconds: int, now: Callable[[], float]) -> None:
        self.limit = limit
        self.window_seconds = window_seconds
        self._now = now
        self._windows: dict[str, RateWindow] = {}

    def look(self, key: str) -> RateWindow:
        """The current window of `key`, without using any of it."""
        window = self._windows.get(key)
        if window is None or window.reset_at <= self._now():
            window = RateWindow(self.limit, 0, int(self._now()) + self.window_seconds)
            self._windows[key] = window
        return window

    def spend(self, key: str) -> bool:
        """Use one request; False when the window had none left."""
        window = self.look(key)
        allowed = window.remaining > 0
        window.used += allowed
        return allowed


class SandboxTokens:
    """Tokens that carry their own facts, signed with HMAC-SHA-256: they need no table and outlive a restart.

    For sandboxes only: whoever holds one can read its facts.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mint(self, prefix: str, facts: Mapping[str, JsonValue]) -> str:
        """A new token, different each time. An `expires_at` among the facts (epoch seconds) is obeyed."""
        told = json.dumps({**facts, "id": secrets.token_hex(8)}, separators=(",", ":"))
        payload = _base64url(told.encode())
        return f"{prefix}{payload}.{self._sign(prefix + payload)}"

    def read(self, prefix: str, token: str, now: float) -> dict[str, JsonValue] | None:
        """The facts of a token of ours, or None when it is foreign, altered or past its time."""
        payload, dot, signature = token.removeprefix(prefix).partition(".")
        if not token.startswith(prefix) or not dot:
            return None
        if not hmac.compare_digest(signature.encode(), self._sign(prefix + payload).encode()):
            return None
        padded = payload + "=" * (-len(payload) % 4)
        facts: dict[str, JsonValue] = json.loads(base64.urlsafe_b64decode(padded))
        expires_at = facts.get("expires_at")
        return None if isinstance(expires_at, int | float) and expires_at <= now else facts

    def _sign(self, text: str) -> str:
        return _base64url(hmac.new(self._key, text.encode(), hashlib.sha256).digest())


def fingerprint(token: str) -> str:
    """A token's SHA-256 in hex, for lists that must not hold the token itself."""
    return hashlib.sha256(token.encode()).hexdigest()


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of a verifier (RFC 7636, section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a URL-encoded form, each with all its values; raises ValueError past 64 KiB."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_LIMIT_BYTES:
            raise ValueError("the form is too large")
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --quiet: #566072; --paper: #f5f6f8; --card: #fff;
  --line: #d5dae2; --deed: #1f5f4a; --on-deed: #fff; --band: #fff1c9; --on-band: #4d3800; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf0; --quiet: #a5afbf; --paper: #14181f;
  --card: #1d232c; --line: #38414e; --deed: #8fd4b9; --on-deed: #0d231b; --band: #3d3110;
  --on-band: #ffe9a8; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
.band { background: var(--band); color: var(--on-band); padding: .75rem 1rem; text-align: center; }
* { box-sizing: border-box; } main { max-width: 30rem; margin: 2rem auto; padding: 0 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.5rem; }
h1 { font-size: 1.35rem; margin: 0 0 .5rem; } p { margin: 0 0 1rem; overflow-wrap: anywhere; }
fieldset { border: 0; padding: 0; margin: 1.25rem 0; } legend { font-weight: 600; padding: 0 0 .4rem; }
label { display: flex; gap: .7rem; padding: .55rem .2rem; border-top: 1px solid var(--line); }
label input { margin: .3rem 0 0; width: 1.1rem; height: 1.1rem; flex: none; }
small { display: block; } small, .quiet { color: var(--quiet); font-size: .9rem; }
.deeds { display: flex; gap: .75rem; flex-wrap: wrap; }
button { flex: 1; min-height: 44px; padding: .5rem 1rem; border-radius: 8px; border: 1px solid var(--line);
  background: none; color: inherit; font: inherit; cursor: pointer; }
.yes { background: var(--deed); border-color: var(--deed); color: var(--on-deed); font-weight: 600; }
:focus-visible { outline: 3px solid #3b82f6; outline-offset: 2px; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE_HEADERS = {
    # form-action: a browser holds it against every redirect after the form, and the application's callback
    # may send the person on to a place this page cannot know
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action *; "
    f"style-src 'sha256-{_STYLE_HASH}'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def _page(service: str, title: str, body: str, status: int) -> HTMLResponse:
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} (sandbox)</title><style>{_STYLE}</style></head>
<body><div class="band" role="note"><strong>SANDBOX</strong> This is not {escape(service)}. It is a practice
service that comes with Mandate: the people and data are invented, and no real account is touched.</div>
<main><div class="card">{body}</div></main></body></html>"""
    return HTMLResponse(text, status_code=status, headers=_PAGE_HEADERS)


@dataclass(frozen=True)
class Consent:
    """What a consent page asks: who wants what, as whom. `hidden` travels with the form as it is."""

    service: str
    application: str
    returns_to: str
    scopes: Sequence[tuple[str, str]]
    people: Sequence[tuple[str, str]]
    hidden: Mapping[str, str]


def consent_page(consent: Consent) -> HTMLResponse:
    """A form that posts to its own address.

    Fields: those of `hidden`; `account` (the person chosen); `decision` (`authorize` or `deny`);
    `choosing=1`, and with it one `grant` for each scope left ticked. A form without `choosing` grants all
    that was asked for.
    """
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in [*consent.hidden.items(), ("choosing", "1")]
    )
    scopes = "".join(_choice("checkbox", "grant", *scope, checked=True) for scope in consent.scopes)
    people = "".join(
        _choice("radio", "account", *person, checked=position == 0) for position, person in enumerate(consent.people)
    )
    if scopes:
        hint = "Untick a permission to see what happens when a person grants less."
    else:
        hint, scopes = "No permissions are asked for.", "<p>Read public information only.</p>"
    choice = f"<fieldset><legend>Continue as</legend>{people}</fieldset>" if people else ""
    asks = f"{consent.application} asks for access to an account in the {consent.service} sandbox"
    body = f"""<h1>{escape(asks)}</h1>
<p class="quiet">You will return to <code>{escape(consent.returns_to)}</code>. {escape(hint)}</p>
<form method="post">{hidden}
<fieldset><legend>It asks to</legend>{scopes}</fieldset>
{choice}
<div class="deeds"><button class="yes" name="decision" value="authorize">Authorize</button>
<button name="decision" value="deny" formnovalidate>Deny</button></div></form>"""
    return _page(consent.service, f"Authorize {consent.application}", body, 200)


def problem_page(service: str, status: int, title: str, words: str) -> HTMLResponse:
    """A page that says why the person cannot go on."""
    return _page(service, title, f"<h1>{escape(title)}</h1><p>{escape(words)}</p>", status)


def _choice(kind: str, name: str, value: str, words: str, *, checked: bool) -> str:
    return (
        f'<label><input type="{kind}" name="{name}" value="{escape(value)}"{" checked" if checked else ""}>'
        f"<span>{escape(words)}<small><code>{escape(value)}</code></small></span></label>"
    )


State = TypeVar("State", bound=BaseModel)


class StateFile(Generic[State]):
    """One model kept in one file, readable by its owner only. Without a path nothing is read or written."""

    def __init__(self, path: Path | None, model: type[State]) -> None:
        self._path = path
        self._model = model

    def load(self) -> State | None:
        """What was saved, or None. A file that makes no sense is set aside as `NAME.unreadable`."""
        if self._path is None or not self._path.exists():
            return None
        try:
            return self._model.model_validate_json(self._path.read_bytes())
        except ValidationError:
            self._path.replace(self._path.with_name(self._path.name + ".unreadable"))
            return None

    def save(self, state: State) -> None:
        """Replace the file in one step: a reader sees the old state or the new one, never half."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp creates with mode 0600
        handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(state.model_dump_json().encode())
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
