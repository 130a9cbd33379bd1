"""Executions: reading them, and what people decide about them. Their course is written by the gate."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.paging import newest_first
from db.tables import executions, grant_budgets
from domain.catalogue import Effect
from domain.executions import WAITING, Execution, ExecutionError, ExecutionStatus
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

    async def cancel_waiting(
        self,
        error: ExecutionError,
        *,
        ids: Sequence[UUID] | None = None,
        agent_id: UUID | None = None,
        connection_id: UUID | None = None,
        grant_id: UUID | None = None,
    ) -> list[Execution]:
        """Call off what has not begun, of those named; without any name, all. Budgets get back what was taken.

        Rows are locked in one order, before the tenant's ticket, as the gate does.
        """
        named = {
            executions.c.agent_id: agent_id,
            executions.c.connection_id: connection_id,
            executions.c.grant_id: grant_id,
        }
        where = [column == value for column, value in named.items() if value is not None]
        if ids is not None:
            where.append(executions.c.id.in_(ids))
        due = (
            select(executions.c.id)
            .where(executions.c.tenant == self._tenant, executions.c.status.in_(WAITING), *where)
            .order_by(executions.c.id)
            .with_for_update()
        )
        query = (
            update(executions)
            .where(executions.c.tenant == self._tenant, executions.c.id.in_(due))
            .values(
                status=ExecutionStatus.CANCELLED.value,
                error=rows.error_json(error),
                finished_at=func.now(),
                lease_until=None,
            )
            .returning(executions)
        )
        ended = [rows.execution(row) for row in (await self._connection.execute(query)).mappings()]
        await self._give_back([each for each in ended if each.grant_id is not None])
        return ended

    async def queue(self, id: UUID) -> Execution | None:
        """A person said yes: its deadline begins. None when it does not wait for that any more."""
        query = (
            update(executions)
            .where(
                executions.c.tenant == self._tenant,
                executions.c.id == id,
                executions.c.status == ExecutionStatus.AWAITING_APPROVAL.value,
            )
            .values(
                status=ExecutionStatus.QUEUED.value,
                deadline_at=func.now() + executions.c.patience * text("interval '1 second'"),
            )
            .returning(executions)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return rows.execution(row) if row else None

    async def end_waiting(self, id: UUID, status: ExecutionStatus, error: ExecutionError) -> Execution | None:
        """A person said no, or nobody said anything. None when it does not wait for that any more."""
        query = (
            update(executions)
            .where(
                executions.c.tenant == self._tenant,
                executions.c.id == id,
                executions.c.status == ExecutionStatus.AWAITING_APPROVAL.value,
            )
            .values(status=status.value, error=rows.error_json(error), finished_at=func.now())
            .returning(executions)
        )
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        ended = rows.execution(row)
        await self._give_back([ended] if ended.grant_id is not None else [])
        return ended

    async def ask_to_cancel(self, id: UUID) -> Execution | None:
        """Tell the process that runs it, by its next heartbeat. None when it does not run any more."""
        query = (
            update(executions)
            .where(
                executions.c.tenant == self._tenant,
                executions.c.id == id,
                executions.c.status == ExecutionStatus.RUNNING.value,
            )
            .values(cancel_asked_at=func.coalesce(executions.c.cancel_asked_at, func.now()))
            .returning(executions)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return rows.execution(row) if row else None

    async def resolve(self, id: UUID, status: ExecutionStatus) -> Execution | None:
        """A person looked and found out. None when it is not UNKNOWN."""
        query = (
            update(executions)
            .where(
                executions.c.tenant == self._tenant,
                executions.c.id == id,
                executions.c.status == ExecutionStatus.UNKNOWN.value,
            )
            .values(status=status.value, what_to_check=None)
            .returning(executions)
        )
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        settled = rows.execution(row)
        if status is ExecutionStatus.FAILED and settled.grant_id is not None:
            await self._give_back([settled])
        return settled

    async def running(self, agent_id: UUID | None = None) -> int:
        """How many run at this moment."""
        query = select(func.count()).where(
            executions.c.tenant == self._tenant, executions.c.status == ExecutionStatus.RUNNING.value
        )
        if agent_id is not None:
            query = query.where(executions.c.agent_id == agent_id)
        return (await self._connection.execute(query)).scalar_one()

    async def _give_back(self, ended: Sequence[Execution]) -> None:
        today = datetime.now(UTC).date()
        for grant_id, many in sorted(Counter(each.grant_id for each in ended if each.grant_id).items()):
            of_today = sum(
                each.grant_id == grant_id and each.created_at.astimezone(UTC).date() == today for each in ended
            )
            today_again = case((grant_budgets.c.day == today, grant_budgets.c.used_today - of_today), else_=0)
            await self._connection.execute(
                update(grant_budgets)
                .where(grant_budgets.c.tenant == self._tenant, grant_budgets.c.grant_id == grant_id)
                .values(
                    used=func.greatest(grant_budgets.c.used - many, 0),
                    used_today=func.greatest(today_again, 0),
                    day=today,
                )
            )

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
