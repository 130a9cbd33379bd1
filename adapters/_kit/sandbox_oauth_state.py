"""What the OAuth half of a sandbox remembers (`OAuthState`) and what an integration tells it (`OAuthFacts`).

`OAuthState` is one member of the sandbox's own world, so that clients, consents and ended tokens are kept with
the rest. Tokens themselves carry their facts, signed; only refresh tokens and what has ended are listed, and
both by fingerprint.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Shape: TypeAlias = dict[str, JsonValue]

#: none: the access token is all there is. reusable: one refresh token for good, never sent again (Google).
#: overlapping: a new one each time, and the old one keeps working (Microsoft). rotating: each works once, and
#: using a used one ends the family (GitHub Apps, Slack, RFC 9700 section 4.14.2).
RefreshMode: TypeAlias = Literal["none", "reusable", "overlapping", "rotating"]


class Lifetime(BaseModel):
    """How long tokens live, in seconds; None is for ever."""

    model_config = ConfigDict(frozen=True)

    access_seconds: int | None = None
    refresh: RefreshMode = "none"
    refresh_seconds: int | None = None
    ends_old_access: bool = False  # a refresh also ends the access token before it


class OAuthClient(BaseModel):
    """An OAuth application. `any_loopback` also accepts every loopback redirect URI, any port and path.

    `lifetime` is for services where it is the application's choice; None is the service's own.
    """

    client_id: str
    client_secret: str
    name: str
    redirect_uris: list[str] = Field(default_factory=list)
    any_loopback: bool = False
    lifetime: Lifetime | None = None


class FixedToken(BaseModel):
    """A token printed in the code: a key that a person pastes. It opens nothing but a sandbox."""

    token: str
    account: str
    scopes: list[str]
    kind: str = "fixed"


class Authorization(BaseModel):
    """A person's yes to an application; deleting it ends every token that came from it."""

    id: int
    client_id: str
    account: str


class Code(BaseModel):
    """An authorization code waiting to be exchanged. `scopes` by kind of token; `expires_at` in epoch seconds."""

    client_id: str
    redirect_uri: str
    authorization: int
    scopes: dict[str, list[str]]
    challenge: str | None
    expires_at: float
    refreshable: bool = True
    asked: dict[str, str] = Field(default_factory=dict)


class RefreshToken(BaseModel):
    """A refresh token that was given out. `access` is the fingerprint of the access token it came with."""

    authorization: int
    kind: str
    scopes: list[str]
    family: str
    access: str
    used: bool = False
    expires_at: float | None = None


class OAuthState(BaseModel):
    """All of it. `ended` and `expired` hold fingerprints of tokens, `refresh_tokens` is keyed by them."""

    signing_key: str = Field(default_factory=lambda: secrets.token_hex(32))
    last_authorization: int = 2000
    clients: list[OAuthClient] = Field(default_factory=list)
    fixed_tokens: list[FixedToken] = Field(default_factory=list)
    authorizations: dict[int, Authorization] = Field(default_factory=dict)
    codes: dict[str, Code] = Field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = Field(default_factory=dict)
    ended: set[str] = Field(default_factory=set)
    expired: set[str] = Field(default_factory=set)

    def client(self, client_id: str) -> OAuthClient | None:
        """An OAuth application by its id."""
        return next((one for one in self.clients if one.client_id == client_id), None)

    def authorization(self, client_id: str, account: str) -> Authorization:
        """The consent of this account to this application: the one there is, or a new one."""
        for known in self.authorizations.values():
            if (known.client_id, known.account) == (client_id, account):
                return known
        self.last_authorization += 1
        new = Authorization(id=self.last_authorization, client_id=client_id, account=account)
        self.authorizations[new.id] = new
        return new


@dataclass(frozen=True)
class TokenKind:
    """One sort of access token. Slack gives two in one answer: each has its parameter in the request.

    `never` are the scopes that this kind cannot carry.
    """

    name: str = "user"
    parameter: str = "scope"
    prefix: str = "sandbox_access_"
    refresh_prefix: str = "sandbox_refresh_"
    never: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Access:
    """A living token: whose it is and what it carries. `client_id` is None for a fixed one."""

    account: str
    scopes: frozenset[str]
    kind: str
    key: str
    client_id: str | None
    authorization: int | None


@dataclass(frozen=True)
class Minted:
    """One access token of an answer; `refresh_token` and `expires_in` (seconds) as the lifetime has it."""

    kind: str
    access_token: str
    scopes: list[str]
    refresh_token: str | None
    expires_in: int | None
    refresh_expires_in: int | None


@dataclass(frozen=True)
class Issued:
    """What the token endpoint has just given. `asked` are the parameters of the authorization request."""

    client: OAuthClient
    account: str
    authorization: int
    tokens: Mapping[str, Minted]
    grant_type: str
    separator: str
    asked: Mapping[str, str]

    @property
    def first(self) -> Minted:
        """The only token, or the first of several."""
        return next(iter(self.tokens.values()))


@dataclass(frozen=True)
class Wish:
    """A checked authorization request. `scopes` by kind of token, `asked` as it came."""

    client: OAuthClient
    redirect_uri: str
    scopes: Mapping[str, list[str]]
    state: str
    challenge: str | None
    asked: Mapping[str, str]


class TokenRefused(Exception):
    """No token, in the words of RFC 6749 section 5.2."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


def plain_answer(issued: Issued) -> Shape:
    """The members of RFC 6749 section 5.1. A service with more adds to it: `{**plain_answer(issued), ...}`."""
    token = issued.first
    answer: Shape = {"access_token": token.access_token, "token_type": "Bearer"}
    answer["scope"] = issued.separator.join(token.scopes)
    if token.expires_in is not None:
        answer["expires_in"] = token.expires_in
    if token.refresh_token is not None:
        answer["refresh_token"] = token.refresh_token
    return answer


def plain_refusal(refused: TokenRefused) -> tuple[int, Shape]:
    """Status and body of RFC 6749 section 5.2."""
    status = 401 if refused.error == "invalid_client" else 400
    return status, {"error": refused.error, "error_description": refused.description}


def plain_json(_request: Request, status: int, body: Shape) -> Response:
    """JSON that nobody keeps."""
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def nobody() -> Sequence[tuple[str, str]]:
    """A service without accounts to choose from: the page asks for yes or no only."""
    return [("", "")]


@dataclass(frozen=True)
class OAuthFacts:
    """What one service does differently. The first four are always told; the rest has RFC 6749 behaviour.

    `service` is its name on the consent page; `authorize`, `token` and `revoke` (RFC 7009) are paths, `{parts}` of
    the first are read like parameters; `scopes` maps each known scope to the words the page says. `accounts` lists
    (id, name) of those who can consent. `contains` lists what a wider scope covers; a covered scope is not granted
    beside it when `folds` is set (GitHub). `ever` are granted unasked. `errors` maps the words of RFC 6749 to the
    service's, also for one grant type ("invalid_grant refresh_token"), and "redirect_uri_mismatch".

    `answer_token` and `refuse_token` shape the answers of the token endpoint, `send` says how they are encoded;
    `offers_refresh` decides per request (Google: `access_type=offline`); `read` turns an authorization request into
    standard names; `returns` adds parameters to the way back.
    """

    service: str
    authorize: str
    token: str
    scopes: Mapping[str, str]
    accounts: Callable[[], Sequence[tuple[str, str]]] = nobody
    revoke: str = ""
    kinds: tuple[TokenKind, ...] = (TokenKind(),)
    contains: Mapping[str, set[str]] = field(default_factory=dict)
    folds: bool = False
    ever: tuple[str, ...] = ()
    unknown_scopes: Literal["dropped", "refused"] = "refused"
    separator: str = " "
    pkce: Literal["off", "on", "required"] = "on"
    client_auth: frozenset[Literal["post", "basic", "bearer"]] = frozenset({"post", "basic"})
    redirects: Literal["exact", "below"] = "exact"
    revoke_ends: Literal["token", "authorization"] = "token"
    lifetime: Lifetime = field(default_factory=Lifetime)
    code_seconds: int = 600
    errors: Mapping[str, str] = field(default_factory=dict)
    answer_token: Callable[[Issued], Shape] = plain_answer
    refuse_token: Callable[[TokenRefused], tuple[int, Shape]] = plain_refusal
    send: Callable[[Request, int, Shape], Response] = plain_json
    offers_refresh: Callable[[Wish], bool] = lambda _wish: True
    read: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda fields: fields
    returns: Callable[[Wish, str], Mapping[str, str]] = lambda _wish, _account: {}
