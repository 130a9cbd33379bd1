"""Giving agents access, and taking it away."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.callers import Caller
from domain.catalogue import Action, Integration
from domain.connections import ConnectionStatus
from domain.errors import Conflict, InvalidInput, NotFound
from domain.grants import (
    NO_LIMIT,
    ApprovalPolicy,
    Budget,
    Candidate,
    Grant,
    GrantStatus,
    PermissionLevel,
    Refused,
    Spent,
    Standing,
    allows,
    choose,
)
from domain.history import Occurrence, matches
from domain.ids import Kind, missing, new_id
from domain.json import Json
from domain.pages import Page
from execution.conditions import mistake_in
from resolvers.agents import in_utc
from resolvers.services import Services
from resolvers.waiting import call_off

_PATTERN = re.compile(r"^[a-z][a-z0-9_]*\.(\*|[a-z][a-z0-9_]*)$")
_MOST_ACTIONS = 200
_LARGEST_BUDGET = 1_000_000_000


@dataclass(frozen=True, slots=True)
class NewGrant:
    """What is asked for."""

    agent_id: UUID
    connection_id: UUID
    permission_level: PermissionLevel
    allowed_actions: Sequence[str]
    expires_at: datetime | None
    approval: ApprovalPolicy = ApprovalPolicy.DESTRUCTIVE
    constraints: Json = None
    budget: Budget = NO_LIMIT
    pins_definitions: bool = False


@dataclass(frozen=True, slots=True)
class GrantChanges:
    """What is to change; what is None stays. A `lifts_…` takes the thing away."""

    permission_level: PermissionLevel | None = None
    allowed_actions: Sequence[str] | None = None
    expires_at: datetime | None = None
    lifts_expiry: bool = False
    approval: ApprovalPolicy | None = None
    constraints: Json = None
    lifts_constraints: bool = False
    budget: Budget | None = None
    lifts_budget: bool = False
    pins_definitions: bool | None = None

    def values(self) -> dict[str, object]:
        """By column."""
        found: dict[str, object] = {}
        if self.permission_level is not None:
            found["permission_level"] = int(self.permission_level)
        if self.allowed_actions is not None:
            found["allowed_actions"] = list(self.allowed_actions)
        if self.expires_at is not None or self.lifts_expiry:
            found["expires_at"] = _future(self.expires_at)
        if self.approval is not None:
            found["approval"] = self.approval.value
        if self.constraints is not None or self.lifts_constraints:
            found["constraints"] = self.constraints
        if self.budget is not None or self.lifts_budget:
            budget = self.budget or Budget()
            found |= {"max_executions": budget.max_executions, "per_day": budget.per_day}
        return found


async def grants(
    services: Services,
    caller: Caller,
    first: int,
    after: UUID | None,
    agent_id: UUID | None = None,
    connection_id: UUID | None = None,
) -> Page[Grant]:
    """Newest first. An agent sees its own."""
    caller.require("grants")
    async with services.stores.of(caller.tenant) as store:
        return await store.grants.page(first, after, agent_id=caller.agent_id or agent_id, connection_id=connection_id)


async def create_grant(services: Services, caller: Caller, wanted: NewGrant) -> Grant:
    """Let an agent use a connection, up to a level and for the named actions."""
    caller.require("createGrant")
    expires_at = _future(wanted.expires_at)
    _check_budget(wanted.budget)
    async with services.stores.of(caller.tenant) as store:
        if not await store.agents.get([wanted.agent_id]):
            raise NotFound(missing(Kind.AGENT), ("input", "agent"))
        connection = (await store.connections.get([wanted.connection_id])).get(wanted.connection_id)
        if connection is None:
            raise NotFound(missing(Kind.CONNECTION), ("input", "connection"))
        if connection.status is ConnectionStatus.REVOKED:
            message = "This connection was disconnected. Connect the account again first."
            raise Conflict(message, ("input", "connection"))
        integration = services.catalogue.integrations[connection.integration]
        _check_actions(integration, wanted.allowed_actions)
        _check_constraints(integration, wanted.constraints)
        grant = await store.grants.add(
            new_id(),
            wanted.agent_id,
            wanted.connection_id,
            wanted.permission_level,
            wanted.allowed_actions,
            expires_at,
            {
                "approval": wanted.approval.value,
                "constraints": wanted.constraints,
                "max_executions": wanted.budget.max_executions,
                "per_day": wanted.budget.per_day,
                "digests": _digests(integration) if wanted.pins_definitions else None,
            },
        )
        store.history.note(_occurrence("grant.created", caller, grant, connection.integration))
    return grant


async def update_grant(services: Services, caller: Caller, grant_id: UUID, changes: GrantChanges) -> Grant:
    """Change what it allows; what is not given stays. Holds from the next execution on, and for what waits."""
    caller.require("updateGrant")
    values = changes.values()
    _check_budget(changes.budget or Budget())
    async with services.stores.of(caller.tenant) as store:
        before = (await store.grants.get([grant_id])).get(grant_id)
        if before is None:
            raise NotFound(missing(Kind.GRANT), ("input", "id"))
        connection = (await store.connections.get([before.connection_id]))[before.connection_id]
        integration = services.catalogue.integrations[connection.integration]
        _check_actions(integration, changes.allowed_actions or ())
        _check_constraints(integration, changes.constraints)
        if changes.pins_definitions is not None:
            values["digests"] = _digests(integration) if changes.pins_definitions else None
        grant = await store.grants.change(grant_id, values)
        if grant is None:
            raise Conflict("This grant has been revoked. Create a new one.", ("input", "id"))
        store.history.note(_occurrence("grant.updated", caller, grant, connection.integration))
    return grant


async def revoke_grant(services: Services, caller: Caller, grant_id: UUID) -> Grant:
    """Take it away, from the next execution on. Revoking twice is the same as once."""
    caller.require("revokeGrant")
    async with services.stores.of(caller.tenant) as store:
        before = (await store.grants.get([grant_id])).get(grant_id)
        if before is None:
            raise NotFound(missing(Kind.GRANT), ("input", "id"))
        grant = await store.grants.revoke(grant_id)
        if grant is None:
            return before
        connection = (await store.connections.get([grant.connection_id]))[grant.connection_id]
        store.history.note(_occurrence("grant.revoked", caller, grant, connection.integration))
        await call_off(store, caller.actor, "the grant was revoked.", grant_id=grant_id)
    return grant


async def set_grant_suspended(services: Services, caller: Caller, grant_id: UUID, *, is_suspended: bool) -> Grant:
    """Suspended, it allows nothing, and what waits under it is called off, until that is lifted."""
    caller.require("setGrantSuspended")
    async with services.stores.of(caller.tenant) as store:
        before = (await store.grants.get([grant_id])).get(grant_id)
        if before is None:
            raise NotFound(missing(Kind.GRANT), ("input", "id"))
        if (before.suspended_at is not None) is is_suspended:
            return before
        moment = datetime.now(UTC) if is_suspended else None
        grant = await store.grants.change(grant_id, {"suspended_at": moment})
        if grant is None:
            raise Conflict("This grant has been revoked. Create a new one.", ("input", "id"))
        connection = (await store.connections.get([grant.connection_id]))[grant.connection_id]
        kind = "grant.suspended" if is_suspended else "grant.resumed"
        store.history.note(_occurrence(kind, caller, grant, connection.integration))
        if is_suspended:
            await call_off(store, caller.actor, "the grant was suspended.", grant_id=grant_id)
    return grant


@dataclass(frozen=True, slots=True)
class GrantPreview:
    """What a grant would allow, and for each of the others the rule that refuses it."""

    allowed: list[Action]
    refused: list[tuple[Action, str]]


async def preview_grant(services: Services, caller: Caller, wanted: NewGrant) -> GrantPreview:
    """Worked out as `execute` decides, for the account as it is now. Nothing is made."""
    caller.require("previewGrant")
    async with services.stores.of(caller.tenant) as store:
        connection = (await store.connections.get([wanted.connection_id])).get(wanted.connection_id)
    if connection is None:
        raise NotFound(missing(Kind.CONNECTION), ("input", "connection"))
    integration = services.catalogue.integrations[connection.integration]
    _check_actions(integration, wanted.allowed_actions)
    _check_constraints(integration, wanted.constraints)
    now = datetime.now(UTC)
    grant = _imagined(wanted, now)
    standing = Standing(
        is_agent=True,
        agent_version=1,
        is_agent_frozen=False,
        is_integration_enabled=True,
        candidates=(Candidate(connection, grant),),
    )
    found = GrantPreview([], [])
    for each in integration.actions.values():
        decision = choose(standing, integration, each, connection.id, now)
        if isinstance(decision, Refused):
            found.refused.append((each, decision.refusal.message))
        else:
            found.allowed.append(each)
    return found


async def spent(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Spent]:
    """What has been taken from each grant's budget."""
    async with services.stores.of(caller.tenant) as store:
        found = await store.grants.spent(ids)
    return [found.get(each, Spent(0, 0)) for each in ids]


def effective_actions(integration: Integration, grant: Grant) -> list[Action]:
    """What the grant allows now."""
    now = datetime.now(UTC)
    if grant.status(now) is not GrantStatus.ACTIVE:
        return []
    return [each for each in integration.actions.values() if allows(grant, each, now).is_passed]


def _imagined(wanted: NewGrant, now: datetime) -> Grant:
    return Grant(
        id=new_id(),
        agent_id=wanted.agent_id,
        connection_id=wanted.connection_id,
        permission_level=wanted.permission_level,
        allowed_actions=tuple(wanted.allowed_actions),
        expires_at=_future(wanted.expires_at),
        revoked_at=None,
        created_at=now,
        last_used_at=None,
        version=1,
        approval=wanted.approval,
    )


def _digests(integration: Integration) -> dict[str, str]:
    """The definitions as they are now: what a person confirms."""
    return {slug: action.digest for slug, action in integration.actions.items()}


def _check_budget(budget: Budget) -> None:
    for name, value in (("maxExecutions", budget.max_executions), ("perDay", budget.per_day)):
        if value is not None and not 0 <= value <= _LARGEST_BUDGET:
            raise InvalidInput(f"From 0 to {_LARGEST_BUDGET}; 0 allows nothing.", ("input", "budget", name))


def _check_constraints(integration: Integration, constraints: Json) -> None:
    if constraints is None:
        return
    mistake = mistake_in(constraints)
    if mistake is not None:
        raise InvalidInput(mistake, ("input", "constraints"))
    for pattern in constraints if isinstance(constraints, dict) else ():
        if not (_PATTERN.match(pattern) and any(matches(pattern, slug) for slug in integration.actions)):
            message = f"{pattern[:100]} names no action of {integration.name}."
            raise InvalidInput(message, ("input", "constraints", pattern[:100]))


def _occurrence(kind: str, caller: Caller, grant: Grant, integration: str) -> Occurrence:
    return Occurrence(
        type=kind,
        actor=caller.actor,
        agent_id=grant.agent_id,
        connection_id=grant.connection_id,
        grant_id=grant.id,
        integration=integration,
        status=grant.status(datetime.now(UTC)).value,
    )


def _check_actions(integration: Integration, patterns: Sequence[str]) -> None:
    """Every name must mean something today, so that a typing error is not a silent refusal tomorrow."""
    if len(patterns) > _MOST_ACTIONS:
        raise InvalidInput(f"At most {_MOST_ACTIONS} names in `allowedActions`.", ("input", "allowedActions"))
    for index, pattern in enumerate(patterns):
        known = _PATTERN.match(pattern) and any(matches(pattern, slug) for slug in integration.actions)
        if not known:
            shown = pattern if _PATTERN.match(pattern) else "This entry"
            example = next(iter(integration.actions))
            message = f"{shown} names no action of {integration.name}. Write e.g. {example}, or {integration.slug}.*"
            raise InvalidInput(message, ("input", "allowedActions", str(index)))


def _future(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    when = in_utc(moment)
    if when <= datetime.now(UTC):
        raise InvalidInput("`expiresAt` lies in the past.", ("input", "expiresAt"))
    return when
