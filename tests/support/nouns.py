"""Nouns for tests: a made-up service `harbour`, connections and grants that are fit to use unless told otherwise."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from domain.catalogue import (
    Account,
    Action,
    AuthScheme,
    CallSetting,
    Category,
    Effect,
    Identity,
    OAuthApplication,
    Permission,
    Probed,
    Tier,
)
from domain.connections import Connection, ConnectionStatus
from domain.errors import Violation
from domain.grants import Candidate, Grant, PermissionLevel, Standing
from domain.ids import new_id
from domain.json import Json, JsonObject
from domain.secrets import Secret

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
EARLIER = NOW - timedelta(hours=1)
AGENT = UUID(int=0xA)

Deed = Callable[[Json, CallSetting], Awaitable[Json]]
Look = Callable[[Json, CallSetting], Awaitable[Probed | None]]


@dataclass(frozen=True)
class SampleAction:
    """An action whose parameters are right unless they name a mistake."""

    slug: str
    effect: Effect = Effect.READ
    required_scopes: tuple[str, ...] = ()
    is_idempotent: bool = False
    title: str = "Do it"
    description: str = "Do it."
    what_to_check: str = "Look into the harbour."
    parameters_schema: JsonObject = field(default_factory=dict)
    result_schema: JsonObject | None = None
    digest: str = "0"
    has_probe: bool = False
    parameter_names: tuple[str, ...] = ()

    @property
    def integration(self) -> str:
        return self.slug.partition(".")[0]

    def check(self, parameters: Json) -> tuple[Violation, ...]:
        found = parameters.get("mistakes", ()) if isinstance(parameters, Mapping) else ()
        assert isinstance(found, Sequence)
        return tuple(Violation(f"/{each}", "This is wrong.") for each in found)


LOOK = SampleAction("harbour.look", Effect.READ, ("berths:read",))
MOOR = SampleAction("harbour.moor", Effect.WRITE, ("berths:write",))
SINK = SampleAction("harbour.sink", Effect.DESTRUCTIVE, ("berths:write",))
ACTIONS: tuple[SampleAction, ...] = (LOOK, MOOR, SINK)


async def _nothing(parameters: Json, setting: CallSetting) -> Probed | None:
    return None


async def _fine(parameters: Json, setting: CallSetting) -> Json:
    return {"fine": True}


@dataclass
class SampleIntegration:
    """The made-up service; `deed` is what happens when an action is run. Scope `berths` includes both others."""

    deed: Deed = _fine
    look: Look = _nothing
    slug: str = "harbour"
    name: str = "Harbour"
    description: str = "Berths and boats."
    category: Category = Category.OTHER
    tier: Tier = Tier.BRONZE
    auth_schemes: tuple[AuthScheme, ...] = (AuthScheme.API_KEY,)
    documentation_url: str | None = None
    credential_schema: JsonObject | None = None
    is_sandbox: bool = False
    oauth: OAuthApplication | None = None
    takes_applications: bool = True
    settings: list[CallSetting] = field(default_factory=list)
    known: dict[str, Action] = field(default_factory=lambda: {each.slug: each for each in ACTIONS})

    @property
    def actions(self) -> Mapping[str, Action]:
        return self.known

    def add(self, action: SampleAction) -> None:
        """A further action, or another definition of one."""
        self.known[action.slug] = action

    def oauth_as(self, client_id: str, client_secret: Secret) -> OAuthApplication | None:
        if self.oauth is None:
            return None
        return replace(self.oauth, client_id=client_id, client_secret=client_secret, is_tenant_owned=True)

    def scopes_for(self, actions: Sequence[Action]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(scope for each in actions for scope in each.required_scopes))

    def explain(self, scopes: Sequence[str]) -> tuple[Permission, ...]:
        return tuple(Permission(scope, scope) for scope in scopes)

    def check_credentials(self, fields: Json) -> tuple[Violation, ...]:
        return ()

    def is_usable_scope(self, granted: Sequence[str], needed: str) -> bool:
        return needed in granted or "berths" in granted

    async def identify(self, setting: CallSetting) -> Identity:
        return Identity(Account("1", "Lin"), None)

    async def run(self, action: Action, parameters: JsonObject, setting: CallSetting) -> Json:
        self.settings.append(setting)
        return await self.deed(parameters, setting)

    async def probe(self, action: Action, parameters: JsonObject, setting: CallSetting) -> Probed | None:
        return await self.look(parameters, setting)

    async def preview(
        self, action: Action, parameters: JsonObject, account: Account | None, *, is_sandbox: bool
    ) -> JsonObject | None:
        return {"method": "POST", "url": f"https://harbour.example/{action.slug}", "body": dict(parameters)}

    async def revoke(self, setting: CallSetting) -> bool:
        return True


@dataclass
class SampleCatalogue:
    """Only the made-up service."""

    harbour: SampleIntegration = field(default_factory=SampleIntegration)
    version: str = "1"

    @property
    def integrations(self) -> Mapping[str, SampleIntegration]:
        return MappingProxyType({"harbour": self.harbour})

    def action(self, slug: str) -> Action | None:
        return self.harbour.actions.get(slug)


_CONNECTION = Connection(
    id=UUID(int=0),
    integration="harbour",
    auth_scheme=AuthScheme.API_KEY,
    status=ConnectionStatus.ACTIVE,
    label=None,
    is_default=False,
    account=Account("1", "Lin"),
    external_user_id=None,
    is_sandbox=False,
    granted_scopes=("berths",),
    created_at=EARLIER,
    connected_at=EARLIER,
    last_used_at=None,
    expires_at=None,
    rotation_due_at=None,
    last_checked_at=None,
    last_succeeded_at=None,
    last_error=None,
    version=1,
)


def connection(
    *,
    status: ConnectionStatus = ConnectionStatus.ACTIVE,
    scopes: tuple[str, ...] | None = ("berths",),
    is_default: bool = False,
) -> Connection:
    """Active, with every scope."""
    return replace(_CONNECTION, id=new_id(), status=status, granted_scopes=scopes, is_default=is_default)


def grant(
    on: Connection,
    level: PermissionLevel = PermissionLevel.FULL,
    allowed: tuple[str, ...] = (),
    *,
    expires_at: datetime | None = None,
    revoked_at: datetime | None = None,
    agent: UUID = AGENT,
) -> Grant:
    """In force, and allowing everything."""
    return Grant(new_id(), agent, on.id, level, allowed, expires_at, revoked_at, EARLIER, None, 1)


def standing(
    *candidates: Candidate, is_agent: bool = True, is_frozen: bool = False, is_enabled: bool = True
) -> Standing:
    """An active agent's, with the service switched on."""
    return Standing(is_agent, 1 if is_agent else None, is_frozen, is_enabled, candidates)


def candidate(
    status: ConnectionStatus = ConnectionStatus.ACTIVE,
    scopes: tuple[str, ...] | None = ("berths",),
    level: PermissionLevel | None = PermissionLevel.FULL,
    allowed: tuple[str, ...] = (),
    *,
    is_default: bool = False,
    expires_at: datetime | None = None,
    revoked_at: datetime | None = None,
) -> Candidate:
    """A connection and, unless `level` is None, a grant on it."""
    found = connection(status=status, scopes=scopes, is_default=is_default)
    held = None
    if level is not None:
        held = grant(found, level, allowed, expires_at=expires_at, revoked_at=revoked_at)
    return Candidate(found, held)
