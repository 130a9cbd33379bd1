"""What an integration is, as data: `manifest.toml`, read strictly. A word nobody knows is a mistake, not a comment."""

import tomllib
from pathlib import Path
from string import Formatter
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from domain.catalogue import AuthScheme, Category, Tier
from domain.errors import Misconfigured

#: Our words for what a service can answer; the manifest translates the service's words into these.
Verdict = Literal[
    "rejected",
    "not_found",
    "conflict",
    "forbidden",
    "reconnect_needed",
    "scope_missing",
    "rate_limited",
    "unavailable",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pages(_Strict):
    """How lists continue: a Link header (RFC 8288), a cursor in the body, or page numbers.

    Some services do not name the next page but the number of pages: `count` is where the body holds it. A list of
    theirs that has a cursor after all is followed by it.
    """

    style: Literal["link", "cursor", "page"]
    method: Literal["GET", "POST"] = "GET"  # POST: what would be the query goes into a form
    size_parameter: str = "per_page"
    smallest: int = 1
    largest: int = 100
    next: str = ""  # where the body holds the next cursor or page number
    parameter: str = "page"  # the parameter it goes into
    count: str = ""  # where the body holds the number of pages; they are asked for with `page`


class RateLimit(_Strict):
    """How the service says "slow down". A listed status counts when nothing remains or a wait is named."""

    statuses: tuple[int, ...] = (429,)
    remaining: str = "x-ratelimit-remaining"
    reset: str = "x-ratelimit-reset"  # epoch seconds
    retry_after: str = "retry-after"


class Http(_Strict):
    """How the service is spoken to."""

    base_url: str
    headers: dict[str, str] = {}
    pages: Pages | None = None
    rate_limit: RateLimit = RateLimit()
    idempotency_header: str | None = None
    idempotency_paths: tuple[str, ...] = ()  # the paths that honour it, as actions write them; empty: all


class Answers(_Strict):
    """How to read a refusal. `success` names a member that is false on refusal, for services that answer 200."""

    success: str | None = None
    error: str | None = None
    needed: str | None = None  # where a missing scope is named
    details: tuple[str, ...] = ()  # members that hold machine-readable words worth repeating
    errors: dict[str, Verdict] = {}
    statuses: dict[str, Verdict] = {}


class OAuth2(_Strict):
    """The service's side of the authorisation code flow (RFC 6749, 7636)."""

    authorize_url: str
    token_url: str
    client_auth: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"
    scope_separator: str = " "
    pkce: bool = True
    parameters: dict[str, str] = {}
    always: tuple[str, ...] = ()  # scopes every connection needs, for its own test


class CredentialField(_Strict):
    """One thing a person types in. `secret` fields are write-only."""

    name: str
    title: str
    description: str
    secret: bool = True
    pattern: str | None = None
    largest: int = 512


class ApiKey(_Strict):
    """A credential that a person pastes."""

    sign: Literal["bearer", "basic"]
    fields: tuple[CredentialField, ...]


class Check(_Strict):
    """The call that proves a connection and names its account."""

    method: Literal["GET", "POST"] = "GET"
    path: str  # `{name}` is filled with what was typed into the field of the API key; not a secret one
    account: str
    label: str
    scopes_header: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the API key that the path names."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.path) if name)


class Revoke(_Strict):
    """The call that ends a credential at the service. `as_client` signs with our application, not the account."""

    method: Literal["DELETE", "POST"]
    path: str
    as_client: bool = False
    json_body: dict[str, str] = Field({}, alias="json")


class Scope(_Strict):
    """A permission in plain words, and the narrower ones it includes."""

    explanation: str
    includes: tuple[str, ...] = ()


class SandboxPaths(_Strict):
    """Where the simulated service that ships with the integration has its parts, and our application there."""

    api: str = ""
    authorize: str = ""
    token: str = ""
    client_id: str = ""
    client_secret: str = ""
    try_fields: dict[str, str] = {}  # an API key to try it with


class Manifest(_Strict):
    """The whole of `manifest.toml`."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")
    name: str
    description: str
    category: Category
    tier: Tier
    documentation_url: str | None = None
    http: Http
    answers: Answers = Answers()
    oauth2: OAuth2 | None = None
    api_key: ApiKey | None = None
    check: Check
    revoke: Revoke | None = None
    scopes: dict[str, Scope] = {}
    sandbox: SandboxPaths | None = None

    @model_validator(mode="after")
    def _asks_only_for_what_is_no_secret(self) -> Self:
        plain = {field.name for field in self.api_key.fields if not field.secret} if self.api_key else set()
        if unknown := set(self.check.fields) - plain:
            raise ValueError(f"check.path names {sorted(unknown)}, which are no fields of the API key, or secret ones")
        return self

    @property
    def auth_schemes(self) -> tuple[AuthScheme, ...]:
        """In the order a person should consider them."""
        offered = ((AuthScheme.OAUTH2, self.oauth2), (AuthScheme.API_KEY, self.api_key))
        return tuple(scheme for scheme, facts in offered if facts is not None)


def read_manifest(path: Path) -> Manifest:
    """Raises Misconfigured naming the file and every mistake in it."""
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Misconfigured(f"{path.parent.name}/{path.name}: {error}") from error
