"""The OAuth half of a simulated service, for any integration's sandbox.

An integration tells its facts (`OAuthFacts`), keeps an `OAuthState` in its world, and mounts the routes:

    server = OAuthServer(FACTS, world.oauth, now=now, effects=control.effects, save=save)
    routes = [*server.routes(faults=faults), *api]
    access = server.look(token)          # Access, or why not: "unknown", "expired", "revoked"

Control routes (with `faults`, JSON only): `POST /_sandbox/expire {"token"}` lets a token run out now;
`POST /_sandbox/refuse_token {"error", "times"}` makes the token endpoint refuse, by default with
`invalid_grant`. Revoking, 5xx, slow and lost answers are the faults every sandbox has (`adapters._kit.sandbox`),
matched by `POST <the path of the token endpoint>`.
"""

import binascii
import hmac
import json
import secrets
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import SandboxTokens, challenge_of, control_body, fingerprint, read_form
from adapters._kit.sandbox_oauth_consent import ConsentDesk
from adapters._kit.sandbox_oauth_state import (
    Access,
    Authorization,
    Code,
    FixedToken,
    Issued,
    Lifetime,
    Minted,
    OAuthClient,
    OAuthFacts,
    OAuthState,
    RefreshToken,
    Shape,
    TokenKind,
    TokenRefused,
    Wish,
    plain_answer,
    plain_refusal,
)

__all__ = [
    "Access",
    "FixedToken",
    "Issued",
    "Lifetime",
    "Minted",
    "OAuthClient",
    "OAuthFacts",
    "OAuthServer",
    "OAuthState",
    "Shape",
    "TokenKind",
    "TokenRefused",
    "Wish",
    "basic_credentials",
    "plain_answer",
    "plain_refusal",
    "same",
]

#: Why a token opens nothing.
Ended: TypeAlias = Literal["unknown", "expired", "revoked"]


class _Expire(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: str


class _Refuse(BaseModel):
    model_config = ConfigDict(extra="forbid")
    error: str = "invalid_grant"
    times: int = Field(default=1, ge=1)


class OAuthServer:
    """Gives, refreshes, reads and ends tokens.

    `now` is in epoch seconds; `effects` counts what was performed (those of the sandbox's control); `save` keeps
    the state after every change.
    """

    def __init__(
        self,
        facts: OAuthFacts,
        state: OAuthState,
        *,
        now: Callable[[], float],
        effects: Counter[str],
        save: Callable[[], None],
    ) -> None:
        self.facts = facts
        self.state = state
        self._now = now
        self._effects = effects
        self._save = save
        self._desk = ConsentDesk(facts, state, now, self._performed)
        self._signer = SandboxTokens(bytes.fromhex(state.signing_key))
        self._refusals: list[_Refuse] = []

    def routes(self, *, faults: bool) -> list[Route]:
        """Consent, token and revocation; with `faults` the controls too."""
        routes = [self._desk.route(), Route(self.facts.token, self._token, methods=["POST"])]
        if self.facts.revoke:
            routes.append(Route(self.facts.revoke, self._revoke, methods=["POST"]))
        if faults:
            routes.append(Route("/_sandbox/expire", self._expire_asked, methods=["POST"]))
            routes.append(Route("/_sandbox/refuse_token", self._refuse_asked, methods=["POST"]))
        return routes

    def look(self, token: str) -> Access | Ended:
        """Whose access token this is and what it carries, or why it opens nothing."""
        key = fingerprint(token)
        if key in self.state.ended or key in self.state.expired:
            return "revoked" if key in self.state.ended else "expired"
        for fixed in self.state.fixed_tokens:
            if same(fixed.token, token):
                return Access(fixed.account, frozenset(fixed.scopes), fixed.kind, key, None, None)
        kind = next((kind for kind in self.facts.kinds if token.startswith(kind.prefix)), None)
        facts = self._signer.read(kind.prefix, token, 0) if kind else None
        if kind is None or facts is None:
            return "unknown"
        number, scopes, until = facts.get("authorization"), facts.get("scopes"), facts.get("until")
        authorization = self.state.authorizations.get(number) if isinstance(number, int) else None
        if authorization is None or not isinstance(scopes, list) or facts.get("family") in self.state.ended:
            return "revoked"
        if isinstance(until, int | float) and until <= self._now():
            return "expired"
        carried = frozenset(str(scope) for scope in scopes)
        return Access(authorization.account, carried, kind.name, key, authorization.client_id, authorization.id)

    def lacking(self, access: Access, *needed: str) -> list[str]:
        """The scopes of `needed` that the token does not carry, not even inside a wider one."""
        inside = set().union(*(self.facts.contains.get(scope, set()) for scope in access.scopes))
        return [scope for scope in needed if scope not in access.scopes and scope not in inside]

    def issue(
        self,
        client: OAuthClient,
        account: str,
        scopes: Mapping[str, list[str]],
        *,
        grant_type: str = "authorization_code",
        refreshable: bool = True,
        asked: Mapping[str, str] | None = None,
    ) -> Issued:
        """Tokens as after a consent: one of each kind that has scopes; one of the first kind when none has."""
        authorization = self.state.authorization(client.client_id, account)
        kinds = [kind for kind in self.facts.kinds if scopes.get(kind.name)] or self.facts.kinds[:1]
        tokens = {
            kind.name: self._mint(client, authorization, kind, scopes.get(kind.name, []), refreshable=refreshable)
            for kind in kinds
        }
        return Issued(client, account, authorization.id, tokens, grant_type, self.facts.separator, asked or {})

    def revoke(self, token: str) -> bool:
        """End an access token, or a refresh token with its whole family; False when it was no living one.

        Where `revoke_ends` is "authorization" either ends everything the person has agreed to (Google).
        """
        refresh = self.state.refresh_tokens.get(fingerprint(token))
        known = refresh or self.look(token)
        if isinstance(known, str):
            return False
        if self.facts.revoke_ends == "authorization" and known.authorization is not None:
            self.end_authorization(known.authorization)
        elif refresh is not None:
            self._end_family(refresh.family)
        else:
            self.state.ended.add(fingerprint(token))
        self._save()
        return True

    def end_authorization(self, number: int) -> None:
        """Take back a consent: every token of it ends."""
        self.state.authorizations.pop(number, None)
        tokens = self.state.refresh_tokens
        self.state.refresh_tokens = {key: one for key, one in tokens.items() if one.authorization != number}
        self._save()

    def client_of(self, request: Request, fields: Mapping[str, str]) -> OAuthClient:
        """The application, by the ways this service lets it sign; raises TokenRefused."""
        ways, state = self.facts.client_auth, self.state
        name, secret = basic_credentials(request) if "basic" in ways else ("", "")
        if not name and "bearer" in ways:
            kind, _, told = request.headers.get("authorization", "").partition(" ")
            secret = told if kind.lower() == "bearer" else ""
        if not (name or secret) and "post" in ways:
            name, secret = fields.get("client_id", ""), fields.get("client_secret", "")
        by_secret = "bearer" in ways and (not secret or not state.client(name))
        for client in state.clients:
            given = name if by_secret and name else secret  # a key alone, or as user name with an empty password
            if (by_secret or client.client_id == name) and same(client.client_secret, given):
                return client
        raise TokenRefused("invalid_client", "The client credentials are incorrect.")

    async def _token(self, request: Request) -> Response:
        fields: Mapping[str, str] = {}
        try:
            fields = await _token_fields(request)
            client = self.client_of(request, fields)
            self._refuse_if_asked()
            issued = self._grant(client, fields)
        except TokenRefused as refused:
            word = self._word_for(refused.error, fields.get("grant_type", ""))
            return self.facts.send(request, *self.facts.refuse_token(TokenRefused(word, refused.description)))
        self._performed(f"POST {self.facts.token}")
        return self.facts.send(request, 200, self.facts.answer_token(issued))

    def _word_for(self, error: str, grant_type: str) -> str:
        words = {"redirect_uri_mismatch": "invalid_grant", **self.facts.errors}
        return words.get(f"{error} {grant_type}", words.get(error, error))

    def _grant(self, client: OAuthClient, fields: Mapping[str, str]) -> Issued:
        match fields.get("grant_type", "authorization_code"):
            case "authorization_code":
                return self._exchange(client, fields)
            case "refresh_token":
                return self._refresh(client, fields.get("refresh_token", ""))
        raise TokenRefused("unsupported_grant_type", "The sandbox gives tokens for codes and refresh tokens only.")

    def _exchange(self, client: OAuthClient, fields: Mapping[str, str]) -> Issued:
        text = fields.get("code", "")
        code = self.state.codes.get(text)
        expired = TokenRefused("invalid_grant", "The code passed is incorrect or expired.")
        if code is None or code.client_id != client.client_id or code.expires_at <= self._now():
            raise expired
        if fields.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
            raise TokenRefused("redirect_uri_mismatch", "The redirect_uri is not the one of the authorization.")
        # One chance: a code that meets a wrong verifier may be in the wrong hands
        del self.state.codes[text]
        if code.challenge and not same(code.challenge, challenge_of(fields.get("code_verifier", ""))):
            raise expired
        authorization = self.state.authorizations.get(code.authorization)
        if authorization is None:
            raise expired
        return self._issue_for(client, authorization, code)

    def _issue_for(self, client: OAuthClient, authorization: Authorization, code: Code) -> Issued:
        refreshable, asked = code.refreshable, code.asked
        return self.issue(client, authorization.account, code.scopes, refreshable=refreshable, asked=asked)

    def _refresh(self, client: OAuthClient, text: str) -> Issued:
        known = self.state.refresh_tokens.get(fingerprint(text))
        authorization = self.state.authorizations.get(known.authorization) if known else None
        refused = TokenRefused("invalid_grant", "The refresh token is incorrect, used, expired or revoked.")
        if known is None or authorization is None or authorization.client_id != client.client_id:
            raise refused
        if known.expires_at is not None and known.expires_at <= self._now():
            raise refused
        lifetime = client.lifetime or self.facts.lifetime
        if known.used:
            self._end_family(known.family)
            self._save()
            raise refused
        known.used = lifetime.refresh == "rotating"
        if lifetime.ends_old_access:
            self.state.ended.add(known.access)
        kind = next(kind for kind in self.facts.kinds if kind.name == known.kind)
        renew = lifetime.refresh in ("rotating", "overlapping")
        minted = self._mint(client, authorization, kind, known.scopes, refreshable=renew, family=known.family)
        tokens, separator = {kind.name: minted}, self.facts.separator
        return Issued(client, authorization.account, authorization.id, tokens, "refresh_token", separator, {})

    def _mint(
        self,
        client: OAuthClient,
        authorization: Authorization,
        kind: TokenKind,
        scopes: list[str],
        *,
        refreshable: bool,
        family: str = "",
    ) -> Minted:
        lifetime, now = client.lifetime or self.facts.lifetime, int(self._now())
        family = family or secrets.token_hex(8)
        facts: Shape = {"authorization": authorization.id, "scopes": [*scopes], "issued_at": now, "family": family}
        if lifetime.access_seconds is not None:
            facts["until"] = now + lifetime.access_seconds
        access = self._signer.mint(kind.prefix, facts)
        refresh = None
        if refreshable and lifetime.refresh != "none":
            refresh = kind.refresh_prefix + secrets.token_urlsafe(24)
            until = None if lifetime.refresh_seconds is None else now + lifetime.refresh_seconds
            self.state.refresh_tokens[fingerprint(refresh)] = RefreshToken(
                authorization=authorization.id,
                kind=kind.name,
                scopes=scopes,
                family=family,
                access=fingerprint(access),
                expires_at=until,
            )
        kept = lifetime.refresh_seconds if refresh else None
        return Minted(kind.name, access, scopes, refresh, lifetime.access_seconds, kept)

    def _end_family(self, family: str) -> None:
        tokens = self.state.refresh_tokens
        self.state.ended.add(family)
        self.state.refresh_tokens = {key: one for key, one in tokens.items() if one.family != family}

    def _performed(self, route: str) -> None:
        self._effects[route] += 1
        self._save()

    def _refuse_if_asked(self) -> None:
        if self._refusals:
            asked = self._refusals[0]
            asked.times -= 1
            if asked.times == 0:
                self._refusals.pop(0)
            raise TokenRefused(asked.error, "Refused because the sandbox was asked to.")

    async def _revoke(self, request: Request) -> Response:
        """RFC 7009: 200 whether or not the token was known. The token may be in the query, as Google allows."""
        fields = {**request.query_params, **await _token_fields(request)}
        self.revoke(fields.get("token", ""))
        return JSONResponse({})

    async def _expire_asked(self, request: Request) -> Response:
        token = _Expire.model_validate_json(await control_body(request)).token
        is_living = not isinstance(self.look(token), str)
        if is_living:
            self.state.expired.add(fingerprint(token))
            self._save()
        return JSONResponse({"expired": is_living})

    async def _refuse_asked(self, request: Request) -> Response:
        asked = _Refuse.model_validate_json(await control_body(request))
        self._refusals.append(asked)
        return JSONResponse(asked.model_dump(), status_code=201)


async def _token_fields(request: Request) -> dict[str, str]:
    """Form or JSON."""
    try:
        if "json" in request.headers.get("content-type", ""):
            told = json.loads(await request.body())
            return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}
        return {name: values[0] for name, values in (await read_form(request)).items()}
    except ValueError:
        raise TokenRefused("invalid_request", "The request could not be read.") from None


def basic_credentials(request: Request) -> tuple[str, str]:
    """User name and password of the request, decoded as RFC 6749 section 2.3.1 encodes them; empty when none."""
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        name, _, secret = b64decode(told, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def same(expected: str, given: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(expected.encode(), given.encode())
