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
from domain.grants import Grant, GrantStatus, PermissionLevel, allows
from domain.history import Occurrence, matches
from domain.ids import Kind, missing, new_id
from domain.pages import Page
from resolvers.agents import in_utc
from resolvers.services import Services

_PATTERN = re.compile(r"^[a-z][a-z0-9_]*\.(\*|[a-z][a-z0-9_]*)$")
_MOST_ACTIONS = 200


@dataclass(frozen=True, slots=True)
class NewGrant:
    """What is asked for."""

    agent_id: UUID
    connection_id: UUID
    permission_level: PermissionLevel
    allowed_actions: Sequence[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class GrantChanges:
    """What is to change; what is None stays. `lifts_expiry` takes the expiry away."""

    permission_level: PermissionLevel | None = None
    allowed_actions: Sequence[str] | None = None
    expires_at: datetime | None = None
    lifts_expiry: bool = False

    def values(self) -> dict[str, object]:
        """By column."""
        found: dict[str, object] = {}
        if self.permission_level is not None:
            found["permission_level"] = int(self.permission_level)
        if self.allowed_actions is not None:
            found["allowed_actions"] = list(self.allowed_actions)
        if self.expires_at is not None or self.lifts_expiry:
            found["expires_at"] = _future(self.expires_at)
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
    async with services.stores.of(caller.tenant) as store:
        if not await store.agents.get([wanted.agent_id]):
            raise NotFound(missing(Kind.AGENT), ("input", "agent"))
        connection = (await store.connections.get([wanted.connection_id])).get(wanted.connection_id)
        if connection is None:
            raise NotFound(missing(Kind.CONNECTION), ("input", "connection"))
        if connection.status is ConnectionStatus.REVOKED:
            message = "This connection was disconnected. Connect the account again first."
            raise Conflict(message, ("input", "connection"))
        _check_actions(services.catalogue.integrations[connection.integration], wanted.allowed_actions)
        grant = await store.grants.add(
            new_id(),
            wanted.agent_id,
            wanted.connection_id,
            wanted.permission_level,
            wanted.allowed_actions,
            expires_at,
        )
        store.history.note(_occurrence("grant.created", caller, grant, connection.integration))
    return grant


async def update_grant(services: Services, caller: Caller, grant_id: UUID, changes: GrantChanges) -> Grant:
    """Change the level, the actions or the expiry; what is not given stays. Holds from the next execution on."""
    caller.require("updateGrant")
    values = changes.values()
    async with services.stores.of(caller.tenant) as store:
        before = (await store.grants.get([grant_id])).get(grant_id)
        if before is None:
            raise NotFound(missing(Kind.GRANT), ("input", "id"))
        connection = (await store.connections.get([before.connection_id]))[before.connection_id]
        _check_actions(services.catalogue.integrations[connection.integration], changes.allowed_actions or ())
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
    return grant


def effective_actions(integration: Integration, grant: Grant) -> list[Action]:
    """What the grant allows now."""
    now = datetime.now(UTC)
    if grant.status(now) is not GrantStatus.ACTIVE:
        return []
    return [each for each in integration.actions.values() if allows(grant, each, now).is_passed]


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
