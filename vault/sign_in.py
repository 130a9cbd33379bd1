"""Signing in by browser at the operator's identity provider: the authorisation code flow with PKCE
(OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700).

What comes of it is an access token like any caller's, which `vault.callers` then checks as it checks all: signature,
issuer, audience, end. So the ID token is not looked at, and a code that was slipped in is useless without the verifier.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus, urlencode, urlsplit

from domain.errors import DependencyDown, Misconfigured, Unauthenticated
from domain.secrets import Secret

FRESH_SECONDS: Final = 600.0
PATIENCE_SECONDS: Final = 10.0
_LARGEST: Final = 65_536
_SILENT: Final = "The identity provider does not answer. Try again shortly."
_REFUSED: Final = "The identity provider did not accept this sign-in. Start again."
_OTHER_ISSUER: Final = "This answer is not from the identity provider that was asked. Start again."

#: Sends a request and answers with status and body; raises whatever it likes.
Send = Callable[[str, str, Mapping[str, str], bytes | None], Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True)
class SignInClient:
    """The gateway as the identity provider knows it. Without a secret it is a public client."""

    issuer: str
    audience: str
    client_id: str
    client_secret: Secret | None
    scopes: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Departed:
    """Where the browser goes, and what must be known when it comes back."""

    url: str
    state: str
    verifier: Secret


class SignIn:
    """One identity provider. Its addresses are looked up and kept for ten minutes."""

    def __init__(self, client: SignInClient, send: Send, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._send = send
        self._clock = clock
        self._known: tuple[float, Mapping[str, object]] | None = None

    async def depart(self) -> Departed:
        """Begin. Raises DependencyDown, Misconfigured."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        address = await self._address("authorization_endpoint")
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": self._client.scopes,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **self._for_whom(),
        }
        joiner = "&" if urlsplit(address).query else "?"
        return Departed(f"{address}{joiner}{urlencode(query)}", state, Secret(verifier))

    async def arrive(self, code: str, issuer: str | None, verifier: Secret) -> Secret:
        """The access token. Raises Unauthenticated when the provider says no or is another one (RFC 9207)."""
        known = await self._discovered()
        if issuer is not None and issuer != self._client.issuer:
            raise Unauthenticated(_OTHER_ISSUER)
        if issuer is None and known.get("authorization_response_iss_parameter_supported") is True:
            raise Unauthenticated(_OTHER_ISSUER)
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": verifier.reveal(),
            **self._for_whom(),
            **self._as_whom(known, headers),
        }
        address = await self._address("token_endpoint")
        answer = await self._asked("POST", address, headers, urlencode(form).encode())
        token = answer.get("access_token")
        kind = answer.get("token_type")
        if not isinstance(token, str) or not token or not isinstance(kind, str) or kind.lower() != "bearer":
            raise Unauthenticated(_REFUSED)
        return Secret(token)

    async def way_out(self) -> str | None:
        """Where a person signs out of the provider itself; None when it has no such page."""
        address = (await self._discovered()).get("end_session_endpoint")
        return address if isinstance(address, str) and urlsplit(address).scheme in ("https", "http") else None

    def _for_whom(self) -> dict[str, str]:
        """Who shall accept the token: `resource` (RFC 8707) where the audience is an address, `audience` elsewhere."""
        named = {"audience": self._client.audience}
        return named | ({"resource": self._client.audience} if urlsplit(self._client.audience).scheme else {})

    def _as_whom(self, known: Mapping[str, object], headers: dict[str, str]) -> dict[str, str]:
        """RFC 6749, section 2.3.1."""
        identity, secret = self._client.client_id, self._client.client_secret
        if secret is None:
            return {"client_id": identity}
        methods = known.get("token_endpoint_auth_methods_supported")
        if isinstance(methods, list) and "client_secret_basic" not in methods:
            return {"client_id": identity, "client_secret": secret.reveal()}
        pair = f"{quote_plus(identity)}:{quote_plus(secret.reveal())}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return {}

    async def _address(self, name: str) -> str:
        address = (await self._discovered()).get(name)
        scheme = urlsplit(address).scheme if isinstance(address, str) else ""
        if not isinstance(address, str) or scheme not in ("https", urlsplit(self._client.issuer).scheme):
            raise Misconfigured(f"The identity provider's discovery document names no usable {name}.")
        return address

    async def _discovered(self) -> Mapping[str, object]:
        """OpenID Connect Discovery 1.0, section 4."""
        if self._known is not None and self._clock() - self._known[0] < FRESH_SECONDS:
            return self._known[1]
        url = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
        document = await self._asked("GET", url, {"accept": "application/json"}, None)
        if document.get("issuer") != self._client.issuer:
            raise Misconfigured("The identity provider calls itself by another name than MANDATE_OIDC_ISSUER.")
        self._known = (self._clock(), document)
        return document

    async def _asked(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> dict[str, object]:
        """Its answer, an object. What it says when it refuses is not repeated."""
        failed: str | None = None
        answer: object = None
        status, content = 0, b""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                status, content = await self._send(method, url, headers, body)
        except Exception:  # noqa: BLE001 - whatever `send` raises means that there is no answer
            failed = _SILENT
        if failed is None and status == 200 and len(content) <= _LARGEST:
            try:
                answer = json.loads(content)
            except (ValueError, RecursionError):
                answer = None
        if failed is not None or status >= 500 or (status == 200 and not isinstance(answer, dict)):
            raise DependencyDown(_SILENT)
        if not isinstance(answer, dict):
            raise Unauthenticated(_REFUSED)
        return answer
