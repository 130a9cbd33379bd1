"""Approvals. They are asked for by the gate, in the commit that records their execution, and decided here."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.paging import newest_first
from db.tables import approvals
from domain.approvals import Approval, ApprovalStatus
from domain.pages import Page


class Approvals:
    """The tenant's approvals."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Approval]:
        """Those of the ids that exist."""
        query = select(approvals).where(approvals.c.tenant == self._tenant, approvals.c.id.in_(ids))
        return {row["id"]: rows.approval(row) for row in (await self._connection.execute(query)).mappings()}

    async def of_executions(self, ids: Sequence[UUID]) -> dict[UUID, Approval]:
        """By the execution that waits, or waited, for them."""
        query = select(approvals).where(approvals.c.tenant == self._tenant, approvals.c.execution_id.in_(ids))
        return {row["execution_id"]: rows.approval(row) for row in (await self._connection.execute(query)).mappings()}

    async def page(
        self, first: int, after: UUID | None, status: ApprovalStatus | None, agent_id: UUID | None
    ) -> Page[Approval]:
        """Newest first."""
        where = [approvals.c.tenant == self._tenant]
        if status is not None:
            where.append(approvals.c.status == status.value)
        if agent_id is not None:
            where.append(approvals.c.agent_id == agent_id)
        return await newest_first(
            self._connection, approvals, where, rows.approval, first=first, after=after, is_counted=False
        )

    async def locked(self, id: UUID) -> Approval | None:
        """For deciding: nobody else decides it meanwhile."""
        query = select(approvals).where(approvals.c.tenant == self._tenant, approvals.c.id == id).with_for_update()
        row = (await self._connection.execute(query)).mappings().first()
        return rows.approval(row) if row else None

    async def decide(self, id: UUID, status: ApprovalStatus, decided_by: str | None, reason: str | None) -> Approval:
        """The end of a locked approval."""
        query = (
            update(approvals)
            .where(approvals.c.tenant == self._tenant, approvals.c.id == id)
            .values(status=status.value, decided_at=func.now(), decided_by=decided_by, reason=reason)
            .returning(approvals)
        )
        return rows.approval((await self._connection.execute(query)).mappings().one())

    async def void(self, execution_ids: Sequence[UUID]) -> list[Approval]:
        """The questions of executions that ended otherwise need no answer any more."""
        query = (
            update(approvals)
            .where(
                approvals.c.tenant == self._tenant,
                approvals.c.execution_id.in_(execution_ids),
                approvals.c.status == ApprovalStatus.PENDING.value,
            )
            .values(status=ApprovalStatus.EXPIRED.value)
            .returning(approvals)
        )
        return [rows.approval(row) for row in (await self._connection.execute(query)).mappings()]
