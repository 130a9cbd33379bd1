"""The catalogue's nouns: integrations and their actions, as the rest of Mandate sees them.

Adapters supply the implementations; everything above speaks to these protocols only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Protocol
from uuid import UUID

from domain.errors import Violation
from domain.json import Json, JsonObject
from domain.secrets import Secret


class Category(StrEnum):
    """Where a person would look for a service."""

    DEVELOPMENT = "DEVELOPMENT"
    HOSTING = "HOSTING"
    PAYMENTS = "PAYMENTS"
    COMMUNICATION = "COMMUNICATION"
    ANALYTICS = "ANALYTICS"
    DOMAINS = "DOMAINS"
    PRODUCTIVITY = "PRODUCTIVITY"
    OTHER = "OTHER"


class AuthScheme(StrEnum):
    """How an account is connected."""

    OAUTH2 = "OAUTH2"
    API_KEY = "API_KEY"


class Tier(StrEnum):
    """How far an integration has proved itself."""

    BRONZE = "BRONZE"
    SILVER = "SILVER"
    GOLD = "GOLD"


class Effect(IntEnum):
    """What an action does to the world, in rising order of consequence."""

    READ = 0
    WRITE = 1
    DESTRUCTIVE = 2


@dataclass(frozen=True, slots=True)
class Credential:
    """An opened credential: named secrets, and facts about the account that its calls need (e.g. a team id).

    `expires_at` is when the service will stop accepting it; None when it did not say.
    """

    scheme: AuthScheme
    secrets: Mapping[str, Secret]
    facts: Mapping[str, str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account it is, as the service told us: `id` never changes, `label` is for people."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What a connection test found. `scopes` is None when the service does not tell."""

    account: Account
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Permission:
    """A scope of the service in plain words."""

    scope: str
    explanation: str


class Action(Protocol):
    """One typed thing to do at a service. Two actions with equal `digest` are the same definition."""

    @property
    def slug(self) -> str: ...  # qualified, e.g. "github.create_issue"
    @property
    def integration(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def effect(self) -> Effect: ...
    @property
    def is_idempotent(self) -> bool: ...
    @property
    def required_scopes(self) -> tuple[str, ...]: ...
    @property
    def what_to_check(self) -> str: ...
    @property
    def has_probe(self) -> bool: ...  # it can look for its own effect
    @property
    def parameter_names(self) -> tuple[str, ...]: ...  # without building the schema
    @property
    def parameters_schema(self) -> JsonObject: ...
    @property
    def result_schema(self) -> JsonObject | None: ...
    @property
    def digest(self) -> str: ...

    def check(self, parameters: Json) -> tuple[Violation, ...]:
        """Every mistake in the parameters; empty when they are fit to run."""
        ...


@dataclass(frozen=True, slots=True)
class Probed:
    """What looking for an effect proved: that it is there, with the action's result; or that it never was."""

    has_happened: bool
    result: Json = None


@dataclass(frozen=True, slots=True)
class CallSetting:
    """What one run needs beside its parameters. `key` is the same for every attempt of one execution."""

    credential: Credential
    account: Account | None
    is_sandbox: bool
    key: UUID
    deadline_at: datetime
    application: "OAuthApplication | None" = None  # who we are at the service; None: the deployment's application


class Refreshing(StrEnum):
    """What a service does with refresh tokens (RFC 6749, section 6; RFC 9700, section 4.14.2)."""

    NONE = "none"  # there are none: a person reconnects when the access token ends
    REUSABLE = "reusable"  # one serves again and again
    ROTATING = "rotating"  # each is used once; using one twice may end the connection


@dataclass(frozen=True, slots=True)
class FurtherToken:
    """A second token in the same answer (Slack: the person's, beside the app's).

    Its scopes are asked for in a parameter of their own; the answer holds it in `member`, the credential as `secret`.
    """

    secret: str
    member: str
    parameter: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OAuthApplication:
    """Where and as whom OAuth happens: the service's addresses and our application there.

    `refresh_ended` are the service's words, beside `invalid_grant`, for a refresh token that is no longer any good.
    `ends_together`: ending one token ends every other that the same account gave our application.
    `facts` are the members of the token answer that become facts of the connection.
    """

    authorize_url: str
    token_url: str
    revoke_url: str | None
    client_id: str
    client_secret: Secret
    client_auth: str
    scope_separator: str
    uses_pkce: bool
    authorize_parameters: Mapping[str, str]
    refreshing: Refreshing = Refreshing.NONE
    refresh_ended: tuple[str, ...] = ()
    ends_together: bool = False
    facts: tuple[str, ...] = ()
    further: tuple[FurtherToken, ...] = ()
    is_tenant_owned: bool = False

    def may_share_consent(self, other: "OAuthApplication | None") -> bool:
        """Whether ending a token of one may end those of the other: it does when both are the same client."""
        if other is None or not (self.ends_together and other.ends_together):
            return False
        return self.token_url == other.token_url


class Integration(Protocol):
    """A service in the catalogue."""

    @property
    def slug(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def category(self) -> Category: ...
    @property
    def tier(self) -> Tier: ...
    @property
    def auth_schemes(self) -> tuple[AuthScheme, ...]: ...
    @property
    def documentation_url(self) -> str | None: ...
    @property
    def credential_schema(self) -> JsonObject | None: ...
    @property
    def actions(self) -> Mapping[str, Action]: ...  # by qualified slug, sorted
    @property
    def is_sandbox(self) -> bool: ...  # new connections go to its simulated service
    @property
    def oauth(self) -> OAuthApplication | None: ...  # the deployment's
    @property
    def takes_applications(self) -> bool: ...  # whether a tenant can bring an OAuth application of its own

    def oauth_as(self, client_id: str, client_secret: Secret) -> OAuthApplication | None:
        """The service's OAuth with a tenant's own application; None where there is none."""
        ...

    def scopes_for(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """The least scopes that these actions need together, with those the connection test itself needs."""
        ...

    def explain(self, scopes: Sequence[str]) -> tuple[Permission, ...]:
        """Each scope in plain words, in the order given."""
        ...

    def check_credentials(self, fields: Json) -> tuple[Violation, ...]:
        """Every mistake in what a person typed for API_KEY."""
        ...

    def is_usable_scope(self, granted: Sequence[str], needed: str) -> bool:
        """Whether the granted scopes include the needed one, directly or because a wider one implies it."""
        ...

    async def identify(self, setting: CallSetting) -> Identity:
        """Test the credential: who is this, and what was granted? Raises ProviderProblem."""
        ...

    async def run(self, action: Action, parameters: JsonObject, setting: CallSetting) -> Json:
        """Run one action whose parameters passed `check`. Raises ProviderProblem."""
        ...

    async def probe(self, action: Action, parameters: JsonObject, setting: CallSetting) -> Probed | None:
        """Look for the effect of a run with this setting's key. None when nothing is proved. Raises ProviderProblem."""
        ...

    async def preview(
        self, action: Action, parameters: JsonObject, account: Account | None, *, is_sandbox: bool
    ) -> JsonObject | None:
        """The first request of a run as it would be sent: method, URL and body, without any secret. Nothing is sent.

        None when it cannot be told without the credential, or nothing would be sent.
        """
        ...

    async def revoke(self, setting: CallSetting) -> bool:
        """Ask the service to forget the credential; True only when it confirmed. Raises ProviderProblem."""
        ...


class Catalogue(Protocol):
    """Every integration this deployment offers, from code; the same for all tenants."""

    @property
    def version(self) -> str: ...  # changes when any definition does
    @property
    def integrations(self) -> Mapping[str, Integration]: ...  # by slug, sorted

    def action(self, slug: str) -> Action | None:
        """The action with this qualified name."""
        ...
