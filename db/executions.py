"""Executions, for reading. They are written by the gate alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.paging import newest_first
from db.tables import executions
from domain.catalogue import Effect
from domain.executions import Execution, ExecutionStatus
from domain.pages import Page


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions. None asks nothing."""

    agent_id: UUID | None = None
    connection_id: UUID | None = None
    integration: str | None = None
    action: str | None = None
    statuses: Sequence[ExecutionStatus] | None = None
    effects: Sequence[Effect] | None = None
    since: datetime | None = None
    until: datetime | None = None


class Executions:
    """The tenant's executions."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Execution]:
        """Those of the ids that exist."""
        query = select(executions).where(executions.c.tenant == self._tenant, executions.c.id.in_(ids))
        found = (await self._connection.execute(query)).mappings()
        return {row["id"]: rows.execution(row) for row in found}

    async def by_key(self, actor: str, key: str) -> tuple[Execution, bytes] | None:
        """The execution this actor's key belongs to, with the fingerprint of what was asked."""
        query = select(executions).where(
            executions.c.tenant == self._tenant, executions.c.actor == actor, executions.c.idempotency_key == key
        )
        row = (await self._connection.execute(query)).mappings().first()
        return (rows.execution(row), row["fingerprint"]) if row else None

    async def page(self, first: int, after: UUID | None, wanted: ExecutionFilter) -> Page[Execution]:
        """Newest first."""
        where = [executions.c.tenant == self._tenant, *_conditions(wanted)]
        return await newest_first(
            self._connection, executions, where, rows.execution, first=first, after=after, is_counted=False
        )


def _conditions(wanted: ExecutionFilter) -> list[ColumnElement[bool]]:
    table = executions.c
    equal = {
        table.agent_id: wanted.agent_id,
        table.connection_id: wanted.connection_id,
        table.integration: wanted.integration,
        table.action: wanted.action,
    }
    found: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if wanted.statuses is not None:
        found.append(table.status.in_([status.value for status in wanted.statuses]))
    if wanted.effects is not None:
        found.append(table.effect.in_([int(effect) for effect in wanted.effects]))
    if wanted.since is not None:
        found.append(table.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(table.created_at < wanted.until)
    return found
