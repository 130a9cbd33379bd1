"""What an integration is, as data: `manifest.toml`, read strictly. A word nobody knows is a mistake, not a comment.

Services of one house (`family = "google"`) share what is the same for all of them in `families/NAME.toml`; what a
manifest says itself goes before that, member by member.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self

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


_FAMILIES = Path(__file__).parent / "families"
_FAMILY = re.compile(r"[a-z]{1,40}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pages(_Strict):
    """How lists continue: a Link header (RFC 8288), a cursor in the body, page numbers, or an address in the body.

    Some services do not name the next page but the number of pages: `count` is where the body holds it. A list of
    theirs that has a cursor after all is followed by it. Others name the next page by the last thing on this one:
    `last` is the member of it that goes into `parameter`, for as long as the body's `more` is true. With `address`,
    `next` names the body's own member (dots and all, as in `@odata.nextLink`); only the query of it is taken.
    """

    style: Literal["link", "cursor", "page", "address"]
    method: Literal["GET", "POST"] = "GET"  # POST: what would be the query goes into a form
    size_parameter: str = "per_page"
    smallest: int = 1
    largest: int = 100
    next: str = ""  # where the body holds the next cursor or page number
    parameter: str = "page"  # the parameter it goes into
    count: str = ""  # where the body holds the number of pages; they are asked for with `page`
    last: str = ""
    more: str = ""
    leaves_out_empty: bool = False  # a list without elements is not in the body at all (JSON of protocol buffers)


class RateLimit(_Strict):
    """How the service says "slow down". A listed status counts when nothing remains or a wait is named."""

    statuses: tuple[int, ...] = (429,)
    remaining: str = "x-ratelimit-remaining"
    reset: str = "x-ratelimit-reset"  # epoch seconds
    retry_after: str = "retry-after"


class Http(_Strict):
    """How the service is spoken to. `hosts` names further addresses of the same service; `Call.on` picks one."""

    base_url: str
    hosts: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], str] = {}
    downloads: tuple[str, ...] = ()  # hosts, with those below them, where it hands out files; see `Call.download`
    uploads: tuple[str, ...] = ()  # hosts, with those below them, where it wants files; see `Call.upload`
    headers: dict[str, str] = {}
    pages: Pages | None = None
    rate_limit: RateLimit = RateLimit()
    idempotency_header: str | None = None
    idempotency_paths: tuple[str, ...] = ()  # the paths that honour it, as actions write them; empty: all
    idempotency_methods: tuple[str, ...] = ("POST", "PUT", "PATCH", "DELETE")  # the methods that do


class Answers(_Strict):
    """How to read a refusal. `success` names a member that is false on refusal, for services that answer 200.

    `failure` names one that is there on refusal only, for those whose yes says nothing of the kind (GraphQL: `errors`).
    """

    success: str | None = None
    failure: str | None = None
    error: str | tuple[str, ...] = ()  # where it says what is wrong; of several places, the earlier goes before
    needed: str | None = None  # where a missing scope is named
    details: tuple[str, ...] = ()  # members that hold machine-readable words worth repeating
    errors: dict[str, Verdict] = {}
    flags: dict[str, Verdict] = {}  # members that are true when it means this, whatever else is said
    statuses: dict[str, Verdict] = {}


class OAuth2(_Strict):
    """The service's side of the authorisation code flow (RFC 6749, 7636).

    `refresh` says what the service does with refresh tokens (RFC 6749, section 6):

    - `none`: it gives none, or they are not to be used. A person reconnects when the access token ends.
    - `reusable`: one refresh token serves again and again. An answer without one leaves the old one in force.
    - `rotating`: every refresh gives a new one and ends the old (RFC 9700, section 4.14.2). An answer that is lost
      may have cost the connection, which is then said.

    A service that gives refresh tokens to some applications only (GitHub, Slack) is described as it treats those.

    `ends_together` says that ending one token ends all that the account gave our application (Google), or that they
    are one and the same (Slack).
    `facts` are members of the token answer, no secrets, that calls of the connection need (Vercel: `team_id`).
    `refresh_ended` names what the service says, beside `invalid_grant`, when a refresh token is no longer any good.

    `account_header` is for services at which an application calls as itself, for an account that allowed it: calls are
    signed with our application's secret, and this header names the account. The access token then signs one call only,
    the connection test that learns whose account it is.

    An `authorize_url` with a name in braces holds a part that is each operator's own: it counts as no address until the
    operator sets one, for the same page of somebody else's application would look just like ours.
    """

    authorize_url: str
    token_url: str
    client_auth: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"
    scope_separator: str = " "
    pkce: bool = True
    parameters: dict[str, str] = {}
    always: tuple[str, ...] = ()  # scopes every connection needs, for its own test
    scope_prefix: str = ""  # what the service may write before a scope that it granted, and this manifest does not
    refresh: Literal["none", "reusable", "rotating"] = "none"
    account_header: str | None = None
    ends_together: bool = False
    facts: tuple[str, ...] = ()
    refresh_ended: tuple[str, ...] = ()  # e.g. GitHub: bad_refresh_token; Slack: invalid_refresh_token


class MoreToken(_Strict):
    """A second token of the same connection, for actions that say `call.acting_as(NAME)` (Slack: of the person).

    `secret` is where the credential has it: a field of the API key, or for OAuth the name it gets. There the token
    answer holds it in `member`, and its scopes, those of `scopes`, are asked for in `parameter` instead of in `scope`.
    """

    secret: str
    member: str = ""
    parameter: str = ""
    scopes: tuple[str, ...] = ()


class CredentialField(_Strict):
    """One thing a person types in. `secret` fields are write-only; the others are facts of the connection."""

    name: str
    title: str
    description: str
    secret: bool = True
    required: bool = True
    pattern: str | None = None
    largest: int = 512


class ApiKey(_Strict):
    """A credential that a person pastes. `plain` sends it alone, without the name of a scheme before it."""

    sign: Literal["bearer", "basic", "plain"]
    fields: tuple[CredentialField, ...]


class CheckGiven(_Strict):
    """What is asked when the connection has a certain fact, e.g. a team. `{that fact}` in the path is filled."""

    path: str
    account: str
    label: str


class Check(_Strict):
    """The call that proves a connection and names its account.

    `modes` is for services that keep separate books under one account id, and tell by the key which are meant: what a
    key begins with, and the word for it. The word becomes part of the account's id and of its label, so that a test
    key never slips into the place of a live one.
    """

    method: Literal["GET", "POST"] = "GET"
    host: str = ""  # one of `[http.hosts]`; empty: `base_url`
    path: str  # `{name}` is filled with what was typed into the field of the API key; not a secret one
    json_body: dict[str, str] = Field({}, alias="json")  # for services that are asked by POST only
    account: str
    label: str
    label_else: tuple[str, ...] = ()  # where the label is looked for when it is not there
    modes: dict[str, str] = {}
    scopes_header: str | None = None
    given: dict[str, CheckGiven] = {}  # by the name of a fact: asked instead by connections that have it

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the API key that the path names."""
        return _names_in(self.path)


class Revoke(_Strict):
    """The call that ends a credential at the service, signed with the account unless it says otherwise.

    `as_client` signs with our application; `unsigned` not at all, where the token itself is the proof (RFC 7009 calls
    of some services). `{access_token}` and `{refresh_token}` in a body are filled; an account without a refresh token
    gives its access token for both. `{account}` and `{client_id}` are filled in a form, `{client_id}` and facts of the
    connection in the path; nothing is asked when the connection lacks such a fact. Where the manifest
    has an `account_header`, `as_client` signs as all its calls are signed, without naming the account in a header.
    """

    method: Literal["DELETE", "POST"]
    host: str = ""  # one of `[http.hosts]`; empty: `base_url`
    path: str
    as_client: bool = False
    unsigned: bool = False
    json_body: dict[str, str] = Field({}, alias="json")
    form: dict[str, str] = {}
    query: dict[str, str] = {}  # parameters, and the facts of the connection that fill them, where it has those

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts of the connection that the path names."""
        return tuple(name for name in _names_in(self.path) if name != "client_id")


class Scope(_Strict):
    """A permission in plain words, and the narrower ones it includes."""

    explanation: str
    includes: tuple[str, ...] = ()


class SandboxPaths(_Strict):
    """Where the simulated service that ships with the integration has its parts, and our application there."""

    api: str = ""
    hosts: dict[str, str] = {}  # a path for each of `[http.hosts]`
    authorize: str = ""
    token: str = ""
    client_id: str = ""
    client_secret: str = ""
    try_fields: dict[str, str] = {}  # an API key to try it with


class Manifest(_Strict):
    """The whole of `manifest.toml`."""

    family: str | None = Field(None, pattern=r"^[a-z]{1,40}$")  # what it shares with other services, see the module
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
    tokens: dict[str, MoreToken] = {}
    scopes: dict[str, Scope] = {}
    sandbox: SandboxPaths | None = None

    @model_validator(mode="after")
    def _asks_only_for_what_is_no_secret(self) -> Self:
        plain = {field.name for field in self.api_key.fields if not field.secret} if self.api_key else set()
        if unknown := set(self.check.fields) - plain:
            raise ValueError(f"check.path names {sorted(unknown)}, which are no fields of the API key, or secret ones")
        for fact, asked in self.check.given.items():
            if set(_names_in(asked.path)) - {fact}:
                raise ValueError(f"check.given.{fact}.path may name the fact {fact!r} only")
        return self

    @model_validator(mode="after")
    def _names_hosts_that_there_are(self) -> Self:
        asked = {each.host for each in (self.check, self.revoke) if each is not None and each.host}
        if unknown := asked - set(self.http.hosts):
            raise ValueError(f"check and revoke name the hosts {sorted(unknown)}, which [http.hosts] does not")
        if self.sandbox is not None and set(self.sandbox.hosts) != set(self.http.hosts):
            raise ValueError("[sandbox.hosts] gives a path for each of [http.hosts], and for no other")
        return self

    @property
    def auth_schemes(self) -> tuple[AuthScheme, ...]:
        """In the order a person should consider them."""
        offered = ((AuthScheme.OAUTH2, self.oauth2), (AuthScheme.API_KEY, self.api_key))
        return tuple(scheme for scheme, facts in offered if facts is not None)


def _names_in(path: str) -> tuple[str, ...]:
    return tuple(name for _, name, _, _ in Formatter().parse(path) if name)


def read_manifest(path: Path) -> Manifest:
    """Raises Misconfigured naming the file and every mistake in it."""
    try:
        said = tomllib.loads(path.read_text())
        family = said.get("family")
        if isinstance(family, str) and _FAMILY.fullmatch(family):
            said = _over(tomllib.loads((_FAMILIES / f"{family}.toml").read_text()), said)
        return Manifest.model_validate(said)
    except FileNotFoundError as error:
        raise Misconfigured(f"{path.parent.name}/{path.name}: there is no {Path(str(error.filename)).name}.") from None
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Misconfigured(f"{path.parent.name}/{path.name}: {error}") from error


def _over(shared: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Both, where `own` goes before; tables are put together, lists and values are replaced."""
    found: dict[str, object] = {**shared}
    for name, value in own.items():
        before = shared.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            found[name] = _over(before, value)
        else:
            found[name] = value
    return found
