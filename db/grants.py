"""Grants."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.paging import newest_first
from db.tables import grant_budgets, grants
from domain.errors import Conflict
from domain.grants import Grant, PermissionLevel, Spent
from domain.pages import Page


class Grants:
    """The tenant's grants."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Grant]:
        """Those of the ids that exist."""
        query = select(grants).where(grants.c.tenant == self._tenant, grants.c.id.in_(ids))
        found = (await self._connection.execute(query)).mappings()
        return {row["id"]: rows.grant(row) for row in found}

    async def page(
        self, first: int, after: UUID | None, *, agent_id: UUID | None = None, connection_id: UUID | None = None
    ) -> Page[Grant]:
        """Newest first, revoked ones included."""
        where = [grants.c.tenant == self._tenant]
        if agent_id is not None:
            where.append(grants.c.agent_id == agent_id)
        if connection_id is not None:
            where.append(grants.c.connection_id == connection_id)
        return await newest_first(self._connection, grants, where, rows.grant, first=first, after=after)

    async def in_force_of(self, agent_id: UUID) -> list[Grant]:
        """The agent's grants that are not revoked."""
        query = select(grants).where(
            grants.c.tenant == self._tenant, grants.c.agent_id == agent_id, grants.c.revoked_at.is_(None)
        )
        return [rows.grant(row) for row in (await self._connection.execute(query)).mappings()]

    async def add(
        self,
        id: UUID,
        agent_id: UUID,
        connection_id: UUID,
        level: PermissionLevel,
        allowed_actions: Sequence[str],
        expires_at: datetime | None,
        further: Mapping[str, object] | None = None,
    ) -> Grant:
        """A new grant; `further` columns by name. Raises Conflict when the agent holds one on this connection."""
        query = (
            insert(grants)
            .values(
                tenant=self._tenant,
                id=id,
                agent_id=agent_id,
                connection_id=connection_id,
                permission_level=int(level),
                allowed_actions=list(allowed_actions),
                expires_at=expires_at,
                **(further or {}),
            )
            .returning(grants)
        )
        try:
            row = (await self._connection.execute(query)).mappings().one()
        except IntegrityError as error:
            if "grants_one_in_force" not in str(error.orig):
                raise
            message = "The agent already holds a grant on this connection. Update that one, or revoke it first."
            raise Conflict(message, ("input", "connection")) from None
        grant = rows.grant(row)
        await self._keep_budget(grant)
        return grant

    async def spent(self, ids: Sequence[UUID]) -> dict[UUID, Spent]:
        """What has been taken from the budgets of these grants; grants without a budget are left out."""
        query = select(grant_budgets).where(grant_budgets.c.tenant == self._tenant, grant_budgets.c.grant_id.in_(ids))
        today = datetime.now(UTC).date()
        return {
            row["grant_id"]: Spent(row["used"], row["used_today"] if row["day"] == today else 0)
            for row in (await self._connection.execute(query)).mappings()
        }

    async def _keep_budget(self, grant: Grant) -> None:
        """Counting begins with the budget; one that is changed goes on with what was counted."""
        if grant.budget.is_limited:
            query = upsert(grant_budgets).values(tenant=self._tenant, grant_id=grant.id)
            await self._connection.execute(query.on_conflict_do_nothing())

    async def change(self, id: UUID, changes: Mapping[str, object]) -> Grant | None:
        """Change a grant in force; None when there is none."""
        query = (
            update(grants)
            .where(grants.c.tenant == self._tenant, grants.c.id == id, grants.c.revoked_at.is_(None))
            .values({**changes, "version": grants.c.version + 1})
            .returning(grants)
        )
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        grant = rows.grant(row)
        await self._keep_budget(grant)
        return grant

    async def revoke(self, id: UUID) -> Grant | None:
        """Revoke; None when there is no grant in force."""
        return await self.change(id, {"revoked_at": func.now()})

    async def revoke_on(self, connection_id: UUID) -> list[Grant]:
        """Revoke every grant on a connection."""
        query = (
            update(grants)
            .where(
                grants.c.tenant == self._tenant,
                grants.c.connection_id == connection_id,
                grants.c.revoked_at.is_(None),
            )
            .values(revoked_at=func.now(), version=grants.c.version + 1)
            .returning(grants)
        )
        return [rows.grant(row) for row in (await self._connection.execute(query)).mappings()]
