"""People's browsers: signed in by a sealed cookie, which is another way to bring the token that every caller brings.

The cookie is HttpOnly, SameSite=Lax and, with https, Secure and `__Host-`. Browsers send it by themselves, so what
comes with it counts only from our own pages: requests carry the header `X-Mandate-CSRF`, which no other page can add
without being allowed to, and sockets our own origin, which every browser says and no page can change.
"""

import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Outgoing
from domain.callers import Caller
from domain.errors import Unauthenticated
from domain.secrets import Secret
from gateway.settings import Settings
from vault.sealed_cookies import SealedCookies
from vault.sign_in import Departed, SignIn, SignInClient

CSRF_HEADER: Final = "x-mandate-csrf"
FORGED: Final = "Signed in by cookie: send the header `X-Mandate-CSRF: 1`, from a page of this gateway."
_SESSION, _LOGIN = "session", "login"
_LOGIN_SECONDS: Final = 600
_ONCE_SECONDS: Final = 600.0
_TOKEN_HEADROOM: Final = 12 * 3_600


@dataclass(frozen=True, slots=True)
class Departure:
    """What is remembered of a sign-in that was begun in this browser."""

    state: str
    verifier: Secret
    back: str


class OneTimeLinks:
    """Development's way in: a link that works once, for ten minutes, in this process."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, tuple[float, Secret]] = {}

    def issue(self, token: Secret) -> str:
        """The secret part of a link that signs in with this token."""
        code = secrets.token_urlsafe(32)
        self._waiting[_digest(code)] = (time.monotonic() + _ONCE_SECONDS, token)
        return code

    def take(self, code: str) -> Secret | None:
        """The token, the first time and in time."""
        ends, token = self._waiting.pop(_digest(code), (0.0, None))
        return token if ends > time.monotonic() else None


class Browsers:
    """Signs browsers in and out, and knows them again. `sign_in` is None where no provider is set up for it."""

    def __init__(
        self, cookies: SealedCookies, sign_in: SignIn | None, links: OneTimeLinks | None, *, is_secure: bool
    ) -> None:
        self.sign_in = sign_in
        self.links = links
        self._cookies = cookies
        self._is_secure = is_secure
        self._session = "__Host-mandate" if is_secure else "mandate_session"
        self._login = "__Secure-mandate_login" if is_secure else "mandate_login"

    def authorization(self, connection: HTTPConnection) -> str | None:
        """What the cookie stands for, as it would stand in `Authorization`; None without one.

        Raises Unauthenticated when the cookie came with something that another page may have sent.
        """
        token = self.token(connection)
        if token is None:
            return None
        if not _is_from_our_page(connection):
            raise Unauthenticated(FORGED)
        return f"Bearer {token.reveal()}"

    def token(self, connection: HTTPConnection) -> Secret | None:
        """The token in the cookie, for pages that only show something."""
        return self._cookies.open(_SESSION, connection.cookies.get(self._session, ""))

    def welcome(self, answer: Response, token: Secret, caller: Caller) -> bool:
        """Sign this browser in, until the token ends. False when the token is longer than a cookie can be."""
        now = time.time()
        ends = caller.expires_at.timestamp() if isinstance(caller.expires_at, datetime) else now + _TOKEN_HEADROOM
        sealed = self._cookies.seal(_SESSION, token, ends)
        if sealed is not None:
            self._set(answer, self._session, sealed, int(ends - now), "/")
        return sealed is not None

    def part(self, answer: Response) -> None:
        """Sign this browser out."""
        answer.delete_cookie(self._session, path="/", secure=self._is_secure, httponly=True, samesite="lax")

    def remember(self, answer: Response, departed: Departed, back: str) -> None:
        """Bind a sign-in to the browser that begins it."""
        kept = json.dumps([departed.state, departed.verifier.reveal(), back])
        sealed = self._cookies.seal(_LOGIN, Secret(kept), time.time() + _LOGIN_SECONDS)
        self._set(answer, self._login, sealed or "", _LOGIN_SECONDS, "/login")

    def remembered(self, connection: HTTPConnection, answer: Response | None = None) -> Departure | None:
        """The sign-in that this browser began; forgotten in `answer`."""
        if answer is not None:
            answer.delete_cookie(self._login, path="/login", secure=self._is_secure, httponly=True, samesite="lax")
        kept = self._cookies.open(_LOGIN, connection.cookies.get(self._login, ""))
        if kept is None:
            return None
        state, verifier, back = json.loads(kept.reveal())
        return Departure(state, Secret(verifier), back)

    def _set(self, answer: Response, name: str, value: str, seconds: int, path: str) -> None:
        answer.set_cookie(
            name, value, max_age=seconds, path=path, httponly=True, samesite="lax", secure=self._is_secure
        )


@asynccontextmanager
async def opened(
    settings: Settings, public_url: str, key: bytes, links: OneTimeLinks | None
) -> AsyncIterator[Browsers]:
    """Browsers' way in, with a way out to the identity provider if one is set up for browsers."""
    is_secure = public_url.startswith("https:")
    cookies = SealedCookies(key)
    issuer, audience, client = settings.oidc_issuer, settings.oidc_audience, settings.oidc_client_id
    if not (issuer and audience and client):
        yield Browsers(cookies, None, links, is_secure=is_secure)
        return
    # The issuer is the operator's own, so it may live inside the operator's network.
    way = HttpTransport(Egress.allowing(networks=("0.0.0.0/0", "::/0"), http=True), version="sign-in")

    async def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        answer = await way.send(Outgoing(method, url, headers, body))
        return answer.status, answer.body

    known = SignInClient(
        issuer, audience, client, settings.oidc_client_secret, settings.oidc_scopes, f"{public_url}/login/callback"
    )
    try:
        yield Browsers(cookies, SignIn(known, send), links, is_secure=is_secure)
    finally:
        await way.aclose()


def _is_from_our_page(connection: HTTPConnection) -> bool:
    origin = connection.headers.get("origin")
    is_ours = origin is not None and urlsplit(origin).netloc == connection.headers.get("host")
    if connection.scope["type"] == "websocket":
        return is_ours
    is_near = connection.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    return CSRF_HEADER in connection.headers and is_near and (origin is None or is_ours)


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()
