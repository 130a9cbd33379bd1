"""Grants: what an agent may do with a connection, and the one place that decides it.

`choose` is pure and total: the same standing gives the same answer, and every refusal says which rule decided.
Nothing is allowed without a grant; a new grant reads only; no account is ever guessed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TypeAlias
from uuid import UUID

from domain.catalogue import Action, Effect, Integration
from domain.connections import USABLE, Connection, ConnectionStatus
from domain.errors import ConnectionRequired, NotFound, PermissionDenied, Refusal
from domain.history import matches
from domain.ids import Kind, missing
from domain.json import Json


class PermissionLevel(IntEnum):
    """The highest effect a grant allows."""

    READ_ONLY = Effect.READ
    READ_WRITE = Effect.WRITE
    FULL = Effect.DESTRUCTIVE


class ApprovalPolicy(StrEnum):
    """From which effect on a person must say yes to each execution."""

    NEVER = "NEVER"
    DESTRUCTIVE = "DESTRUCTIVE"
    WRITE = "WRITE"
    ALWAYS = "ALWAYS"

    def asks_for(self, effect: Effect) -> bool:
        """Whether an action with this effect needs a person's yes."""
        return effect >= _ASKED_FROM[self]


_ASKED_FROM = {
    ApprovalPolicy.NEVER: Effect.DESTRUCTIVE + 1,
    ApprovalPolicy.DESTRUCTIVE: Effect.DESTRUCTIVE,
    ApprovalPolicy.WRITE: Effect.WRITE,
    ApprovalPolicy.ALWAYS: Effect.READ,
}


class GrantStatus(StrEnum):
    """A grant's state now."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class Budget:
    """How often a grant may be used in all, and per day of UTC. None: as often as one likes."""

    max_executions: int | None = None
    per_day: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether it limits anything."""
        return self.max_executions is not None or self.per_day is not None


NO_LIMIT = Budget()


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been taken from a budget: in all, and today (UTC)."""

    in_all: int
    today: int


@dataclass(frozen=True, slots=True)
class Grant:
    """One agent, one connection, and how far. Empty `allowed_actions` means every action the level allows.

    `constraints` are JSON Schemas by action name or pattern, which the parameters must satisfy too. `digests`, when
    there are any, pin the definitions of the actions as they were when a person last confirmed the grant.
    """

    id: UUID
    agent_id: UUID
    connection_id: UUID
    permission_level: PermissionLevel
    allowed_actions: tuple[str, ...]
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None
    version: int
    approval: ApprovalPolicy = ApprovalPolicy.DESTRUCTIVE
    constraints: Mapping[str, Json] | None = None
    budget: Budget = NO_LIMIT
    suspended_at: datetime | None = None
    digests: Mapping[str, str] | None = None

    def status(self, now: datetime) -> GrantStatus:
        """Revoked wins over expired, expired over suspended."""
        if self.revoked_at is not None:
            return GrantStatus.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return GrantStatus.EXPIRED
        if self.suspended_at is not None:
            return GrantStatus.SUSPENDED
        return GrantStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Check:
    """One rule looked at on the way to a decision."""

    name: str
    is_passed: bool
    message: str
    grant_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connection that might serve, with the caller's grant on it, if any."""

    connection: Connection
    grant: Grant | None


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts a decision needs, read in one statement: the agent, and its tenant's connections of one integration.

    `agent_version` is None for a person, who acts by role and needs no grant.
    """

    is_agent: bool
    agent_version: int | None
    is_agent_frozen: bool
    is_integration_enabled: bool
    candidates: tuple[Candidate, ...]
    is_tenant_frozen: bool = False


@dataclass(frozen=True, slots=True)
class Permit:
    """Yes, with this connection and under this grant; once a person has agreed, where the grant asks for that."""

    connection: Connection
    grant: Grant | None
    checks: tuple[Check, ...]
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """No. `refusal` is what the caller is told; `reason` is the rule that decided."""

    refusal: Refusal
    reason: str
    checks: tuple[Check, ...]


Decision: TypeAlias = Permit | Refused

#: What a grant's argument conditions say to the parameters at hand; None when they are met, or there are none.
Conditions: TypeAlias = Callable[[Grant], str | None]


def no_conditions(grant: Grant) -> str | None:  # noqa: ARG001 - asked without parameters, there is nothing to hold against
    """For decisions about an action as such: what it may be called with is decided with each call."""
    return None


def choose(
    standing: Standing,
    integration: Integration,
    action: Action,
    asked: UUID | None,
    now: datetime,
    conditions: Conditions = no_conditions,
) -> Decision:
    """May this caller run this action now, and as which account?"""
    checks: list[Check] = []
    before = _before_candidates(standing, integration, checks)
    if before is not None:
        return before
    if asked is not None:
        return _choose_asked(standing, integration, action, asked, now, conditions, checks)
    return _choose_among(standing, integration, action, now, conditions, checks)


def allows(grant: Grant, action: Action, now: datetime) -> Check:
    """What a grant says to an action: the first rule that fails, or that it allows it."""
    match grant.status(now):
        case GrantStatus.REVOKED:
            return Check("grant_in_force", False, "The grant has been revoked.", grant.id)
        case GrantStatus.EXPIRED:
            return Check("grant_in_force", False, "The grant has expired.", grant.id)
        case GrantStatus.SUSPENDED:
            return Check("grant_in_force", False, "The grant is suspended. An admin can lift that.", grant.id)
    if grant.allowed_actions and not any(matches(pattern, action.slug) for pattern in grant.allowed_actions):
        return Check("grant_names_action", False, f"The grant does not name {action.slug}.", grant.id)
    if grant.permission_level < action.effect:
        needed = PermissionLevel(action.effect).name
        held = grant.permission_level.name
        return Check("grant_level", False, f"{action.slug} needs {needed}; the grant gives {held}.", grant.id)
    if grant.digests is not None and grant.digests.get(action.slug) != action.digest:
        message = (
            f"The definition of {action.slug} is not the one this grant was confirmed with. An admin can confirm it."
        )
        return Check("grant_digest", False, message, grant.id)
    return Check("grant", True, f"The grant allows {action.slug}.", grant.id)


def _before_candidates(standing: Standing, integration: Integration, checks: list[Check]) -> Refused | None:
    if standing.is_tenant_frozen:
        message = "Your tenant is frozen: nothing is executed until a person lifts that."
        return _denied(checks, Check("tenant_active", False, message))
    if standing.is_agent:
        if standing.is_agent_frozen:
            return _denied(checks, Check("agent_active", False, "The agent is frozen. A person must unfreeze it."))
        checks.append(Check("agent_active", True, "The agent is active."))
    if not standing.is_integration_enabled:
        message = f"{integration.name} is switched off for your tenant. An admin can switch it on."
        return _denied(checks, Check("integration_enabled", False, message))
    checks.append(Check("integration_enabled", True, f"{integration.name} is offered to your tenant."))
    return None


def _choose_asked(
    standing: Standing,
    integration: Integration,
    action: Action,
    asked: UUID,
    now: datetime,
    conditions: Conditions,
    checks: list[Check],
) -> Decision:
    for candidate in standing.candidates:
        if candidate.connection.id == asked:
            return _decide(standing, integration, action, candidate, now, conditions, checks)
    refusal = NotFound(missing(Kind.CONNECTION), ("input", "connection"))
    checks.append(Check("connection_known", False, refusal.message))
    return Refused(refusal, "connection_known", tuple(checks))


def _choose_among(
    standing: Standing,
    integration: Integration,
    action: Action,
    now: datetime,
    conditions: Conditions,
    checks: list[Check],
) -> Decision:
    """Exactly one usable connection, or the one marked default; never a guess."""
    if not standing.candidates:
        message = f"{integration.name} is not connected. A person must connect an account first."
        return _connect(checks, "connected", message, integration)
    decisions = [
        _decide(standing, integration, action, each, now, conditions, list(checks)) for each in standing.candidates
    ]
    permits = [decision for decision in decisions if isinstance(decision, Permit)]
    defaults = [permit for permit in permits if permit.connection.is_default]
    if len(permits) == 1 or len(defaults) == 1:
        return (defaults or permits)[0]
    if permits:
        message = (
            f"{len(permits)} {integration.name} accounts could be used. Name one in `connection`, "
            "or have a person mark one as the default."
        )
        return _connect(checks, "one_account", message, integration)
    return max(decisions, key=lambda decision: len(decision.checks))


def _decide(
    standing: Standing,
    integration: Integration,
    action: Action,
    candidate: Candidate,
    now: datetime,
    conditions: Conditions,
    checks: list[Check],
) -> Decision:
    connection, grant = candidate.connection, candidate.grant
    if standing.is_agent:
        if grant is None:
            message = f"The agent holds no grant on a {integration.name} connection. An admin can give it one."
            return _denied(checks, Check("grant_exists", False, message))
        said = allows(grant, action, now)
        if not said.is_passed:
            return _denied(checks, said)
        checks.append(said)
        unmet = conditions(grant)
        if unmet is not None:
            return _denied(checks, Check("grant_constraints", False, unmet, grant.id))
        if grant.constraints:
            checks.append(Check("grant_constraints", True, "The parameters meet the grant's conditions.", grant.id))
    if connection.status not in USABLE:
        remedy = "enable" if connection.status is ConnectionStatus.DISABLED else "reconnect"
        message = f"The {integration.name} connection is {connection.status.lower()}. A person must {remedy} it."
        return _connect(checks, "connection_usable", message, integration, connection)
    checks.append(Check("connection_usable", True, "The connection is usable."))
    lacking = missing_scopes(integration, connection, action)
    if lacking:
        message = f"{action.slug} needs permissions the account was not asked for: {', '.join(lacking)}. Reconnect it."
        return _connect(checks, "scopes_granted", message, integration, connection, lacking)
    checks.append(Check("scopes_granted", True, "The account's permissions suffice."))
    needs_approval = standing.is_agent and grant is not None and grant.approval.asks_for(action.effect)
    return Permit(connection, grant, tuple(checks), needs_approval)


def missing_scopes(integration: Integration, connection: Connection, action: Action) -> tuple[str, ...]:
    """The scopes the action needs and the connection lacks. Unknown scopes are tried, not refused."""
    granted = connection.granted_scopes
    if granted is None:
        return ()
    return tuple(scope for scope in action.required_scopes if not integration.is_usable_scope(granted, scope))


def _denied(checks: Sequence[Check], failed: Check) -> Refused:
    looked_at = (*checks, failed)
    return Refused(PermissionDenied(failed.message, failed.name, looked_at), failed.name, looked_at)


def _connect(
    checks: Sequence[Check],
    name: str,
    message: str,
    integration: Integration,
    connection: Connection | None = None,
    lacking: Sequence[str] = (),
) -> Refused:
    refusal = ConnectionRequired(
        message,
        integration=integration.slug,
        connection_id=connection.id if connection else None,
        missing_scopes=lacking,
    )
    return Refused(refusal, name, (*checks, Check(name, False, message)))
