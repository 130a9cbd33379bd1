"""Agents and their tokens."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.paging import containing, newest_first
from db.tables import agent_tokens, agents
from domain.agents import Agent, AgentToken
from domain.pages import Page

_IN_FORCE = (
    agent_tokens.c.revoked_at.is_(None),
    agent_tokens.c.expires_at.is_(None) | (agent_tokens.c.expires_at > func.now()),
)


class Agents:
    """The tenant's agents."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Agent]:
        """Those of the ids that exist."""
        query = select(agents).where(agents.c.tenant == self._tenant, agents.c.id.in_(ids))
        found = (await self._connection.execute(query)).mappings()
        return {row["id"]: rows.agent(row) for row in found}

    async def page(self, first: int, after: UUID | None, search: str | None) -> Page[Agent]:
        """Newest first; `search` looks in names and descriptions."""
        where = [agents.c.tenant == self._tenant]
        if search:
            pattern = containing(search)
            where.append(agents.c.name.ilike(pattern, escape="\\") | agents.c.description.ilike(pattern, escape="\\"))
        return await newest_first(self._connection, agents, where, rows.agent, first=first, after=after)

    async def add(self, id: UUID, name: str, description: str | None) -> Agent:
        """A new agent, active."""
        query = insert(agents).values(tenant=self._tenant, id=id, name=name, description=description).returning(agents)
        return rows.agent((await self._connection.execute(query)).mappings().one())

    async def set_frozen(self, id: UUID, *, is_frozen: bool) -> Agent | None:
        """Freeze or unfreeze; None when there is no such agent."""
        query = (
            update(agents)
            .where(agents.c.tenant == self._tenant, agents.c.id == id)
            .values(is_frozen=is_frozen, version=agents.c.version + 1)
            .returning(agents)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return rows.agent(row) if row else None

    async def add_token(
        self, id: UUID, agent_id: UUID, prefix: str, digest: bytes, expires_at: datetime | None
    ) -> AgentToken:
        """Record a key by its HMAC."""
        query = (
            insert(agent_tokens)
            .values(tenant=self._tenant, id=id, agent_id=agent_id, prefix=prefix, digest=digest, expires_at=expires_at)
            .returning(agent_tokens)
        )
        return rows.agent_token((await self._connection.execute(query)).mappings().one())

    async def revoke_token(self, id: UUID) -> AgentToken | None:
        """Revoke; revoking again changes nothing. None when there is no such token."""
        query = (
            update(agent_tokens)
            .where(agent_tokens.c.tenant == self._tenant, agent_tokens.c.id == id)
            .values(revoked_at=func.coalesce(agent_tokens.c.revoked_at, func.now()))
            .returning(agent_tokens)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return rows.agent_token(row) if row else None

    async def token(self, id: UUID) -> AgentToken | None:
        """A token in force, its row locked until the transaction ends; None for any other."""
        query = (
            select(agent_tokens)
            .where(agent_tokens.c.tenant == self._tenant, agent_tokens.c.id == id, *_IN_FORCE)
            .with_for_update()
        )
        row = (await self._connection.execute(query)).mappings().first()
        return rows.agent_token(row) if row else None

    async def end_token_by(self, id: UUID, moment: datetime) -> None:
        """The token ends then, or when it was to end anyway if that is earlier."""
        earlier = func.least(func.coalesce(agent_tokens.c.expires_at, moment), moment)
        await self._connection.execute(
            update(agent_tokens)
            .where(agent_tokens.c.tenant == self._tenant, agent_tokens.c.id == id)
            .values(expires_at=earlier)
        )

    async def tokens_of(self, agent_ids: Sequence[UUID]) -> dict[UUID, list[AgentToken]]:
        """The tokens in force of each agent, newest first."""
        query = (
            select(agent_tokens)
            .where(
                agent_tokens.c.tenant == self._tenant,
                agent_tokens.c.agent_id.in_(agent_ids),
                *_IN_FORCE,
            )
            .order_by(agent_tokens.c.id.desc())
        )
        found: dict[UUID, list[AgentToken]] = {id: [] for id in agent_ids}
        for row in (await self._connection.execute(query)).mappings():
            found[row["agent_id"]].append(rows.agent_token(row))
        return found
